//! Any text as a token, a cursor or a position: only what was signed resumes a session, and only a token speaks for it.

use chat_core::{ConnectRequest, Connection, Credential, Engine, Hello, Position, RejectCode, Resume};

use super::choices::Choices;

/// The first byte says what the others are: a credential as it is, or changes to a true one.
///
/// # Panics
/// When something else than its own token or cursor resumes a session, or a position is not read back as written.
pub fn cursor_token(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime needs nothing").block_on(async {
        let engine = Engine::builder().secret([7; 32]).seed(1).build();
        let ann = connect(&engine, Hello::default()).await;
        let bob = connect(&engine, Hello::default()).await;
        let mut choices = Choices::new(data);
        let shown = match choices.below(3) {
            0 => String::from_utf8_lossy(choices.rest()).into_owned(),
            1 => changed(&ann.token(), &bob.token(), &mut choices),
            _ => changed(&ann.cursor(), &ann.token(), &mut choices),
        };
        show(&engine, &ann, &bob, &shown).await;
        position(&shown);
        words(&shown);
    });
}

async fn connect(engine: &Engine, hello: Hello) -> Connection {
    engine.connect(ConnectRequest::default(), hello).await.expect("everybody is let in")
}

/// A true credential, with pieces of another and any bytes in it.
fn changed(own: &str, other: &str, choices: &mut Choices<'_>) -> String {
    let mut bytes = own.as_bytes().to_vec();
    while !choices.is_over() {
        let (how, at) = (choices.below(5), choices.below(bytes.len() + 1));
        match how {
            0 => bytes.insert(at, choices.byte()),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] ^= choices.byte(),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                let end = bytes.len().min(other.len());
                let at = at.min(end);
                bytes[at..end].copy_from_slice(&other.as_bytes()[at..end]);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn show(engine: &Engine, ann: &Connection, bob: &Connection, shown: &str) {
    let is = |credential: &str| shown == credential;
    for session in [ann, bob] {
        match engine.sender(session.session_id(), shown) {
            Ok(_) => assert!(is(&session.token()), "{shown:?} speaks for {}", session.session_id()),
            Err(reject) => {
                assert_eq!(reject.code, RejectCode::BadToken, "{shown:?}");
                assert!(!is(&session.token()), "{shown:?} is a token of {}", session.session_id());
            }
        }
    }
    let owner = [ann, bob].into_iter().find(|session| is(&session.token()) || is(&session.cursor()));
    let hello = Hello { resume: Some(Resume { token: shown.to_owned(), positions: Vec::new() }), ..Hello::default() };
    let resumed = connect(engine, hello).await.session_id();
    match owner {
        Some(owner) => assert_eq!(resumed, owner.session_id(), "{shown:?}"),
        None => assert!(![ann.session_id(), bob.session_id()].contains(&resumed), "{shown:?} resumes {resumed}"),
    }
}

/// What can be read as a credential is written in one way.
fn words(text: &str) {
    if let Ok(credential) = text.parse::<Credential>() {
        assert_eq!(credential.to_string(), text);
    }
}

fn position(text: &str) {
    if let Ok(position) = text.parse::<Position>() {
        assert_eq!(position.to_string().parse(), Ok(position), "{text:?}");
    }
}
