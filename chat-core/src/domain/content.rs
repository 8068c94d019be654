//! What a message says: a text, what a program attaches to it, and what it answers.

use serde::{Deserialize, Deserializer, Serialize};

use crate::types::{Body, Checked, Data, Seq, checked};

/// What a message says, apart from who said it and when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Content {
    /// The text; empty where there is data alone.
    pub text: Body,
    /// What a program attaches to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
}

impl Content {
    /// A text and nothing else.
    pub fn text(text: Body) -> Self {
        Self { text, data: None }
    }

    /// The same text with this beside it, or with nothing.
    #[must_use]
    pub fn with_data(self, data: impl Into<Option<Data>>) -> Self {
        Self { data: data.into(), ..self }
    }

    /// Whether it says nothing at all: as no message does.
    pub fn is_empty(&self) -> bool {
        self.text.as_str().is_empty() && self.data.is_none()
    }

    /// Bytes of its text and its data.
    pub fn bytes(&self) -> usize {
        self.text.as_str().len() + self.data.as_ref().map_or(0, |data| data.as_str().len())
    }
}

impl Checked for Content {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Read {
            #[serde(deserialize_with = "text_or_empty")]
            text: Body,
            #[serde(default, deserialize_with = "checked")]
            data: Option<Data>,
        }
        let Read { text, data } = Read::deserialize(deserializer)?;
        Ok(Self { text, data })
    }
}

/// The text of a message. That one without a text has data is looked at where all of it is.
fn text_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
    let stored = Body::deserialize(deserializer)?;
    match stored.as_str() {
        "" => Ok(stored),
        text => Body::parse(text, usize::MAX).map_err(|reject| serde::de::Error::custom(reject.message)),
    }
}

/// What somebody sends: a content, and the message that it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Said {
    /// What it says.
    #[serde(deserialize_with = "checked")]
    pub content: Content,
    /// The number of the message that it answers: a reference, and never a quote.
    pub reply_to: Option<Seq>,
}

impl Said {
    /// The same, in answer to this message, or to none.
    #[must_use]
    pub fn with_reply_to(self, seq: impl Into<Option<Seq>>) -> Self {
        Self { reply_to: seq.into(), ..self }
    }
}

impl From<Content> for Said {
    fn from(content: Content) -> Self {
        Self { content, reply_to: None }
    }
}

impl From<Body> for Said {
    fn from(text: Body) -> Self {
        Content::text(text).into()
    }
}
