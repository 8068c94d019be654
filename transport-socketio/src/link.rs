//! What a chat session and its Socket.IO connection tell each other, apart from commands and frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::DisconnectHandler;
use socketioxide::socket::{DisconnectReason, Socket};

use super::fill_source::Due;

/// A chat session that has been let in, or what is told instead.
pub(crate) struct AttachedSession {
    pub(crate) due: Due,
    pub(crate) link: Arc<Link>,
}

/// How a connection to the namespace was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The client has left the namespace; its Engine.IO session lives.
    Left,
    /// The Engine.IO session has ended.
    Ended,
}

/// One connection to the namespace.
#[derive(Default)]
pub(crate) struct Link {
    loss: AtomicU8,
    flooding: AtomicBool,
    pump: AtomicWaker,
}

const LEFT: u8 = 1;
const ENDED: u8 = 2;

impl Link {
    pub(crate) fn register(&self, pump: &Waker) {
        self.pump.register(pump);
    }

    /// How the connection was lost, if it was.
    pub(crate) fn loss(&self) -> Option<Loss> {
        match self.loss.load(Ordering::Acquire) {
            LEFT => Some(Loss::Left),
            ENDED => Some(Loss::Ended),
            _ => None,
        }
    }

    /// The client goes on asking although it is told that it asks too much.
    pub(crate) fn note_flooding(&self) {
        self.flooding.store(true, Ordering::Release);
        self.pump.wake();
    }

    pub(crate) fn is_flooding(&self) -> bool {
        self.flooding.load(Ordering::Acquire)
    }
}

/// Tells a link that its connection is lost. Synchronous: nothing is spawned for it.
pub(crate) struct Watch(pub(crate) Arc<Link>);

/// Says which of socketioxide's handlers is implemented.
pub(crate) struct Watches;

impl DisconnectHandler<LocalAdapter, Watches> for Watch {
    fn call_with_defer(&self, socket: Arc<Socket>, reason: DisconnectReason, defer: fn(Arc<Socket>)) {
        let loss = match reason {
            DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect => LEFT,
            _ => ENDED,
        };
        self.0.loss.fetch_max(loss, Ordering::AcqRel);
        self.0.pump.wake();
        defer(socket);
    }
}
