//! The policy in front of an engine: key files and their faults, another key at a reload, and guests.

mod support;

use std::fs;
use std::sync::Arc;

use chat_core::{
    AccessToken, Command, ConnectRequest, Connection, Engine, Hello, Nick, Reject, RejectCode, RoomCode, ServerFrame,
};
use policy_jwt::{Guests, JwtPolicy, KeyError, Keys};
use serde_json::json;
use support::{Ed, RSA_PUBLIC, SECRET, claims, config, hs256, rsa_jwk, who};

#[test]
fn a_key_file_that_is_of_no_use_says_why() {
    let why = |bytes: &[u8]| Keys::parse(bytes).map(|keys| format!("{keys:?}")).expect_err("of no use").to_string();
    let jwk = rsa_jwk("r");
    for (bytes, words) in [
        (b"a short secret\n".to_vec(), "less than 32 bytes"),
        (Vec::new(), "less than 32 bytes"),
        (include_bytes!("rsa.pem").to_vec(), "private key"),
        (include_bytes!("rsa-short-public.pem").to_vec(), "less than 2048 bits"),
        (include_bytes!("ec-public.pem").to_vec(), "none of RSA or Ed25519"),
        (RSA_PUBLIC.replace("PUBLIC KEY", "CERTIFICATE").into_bytes(), "\"CERTIFICATE\" in PEM"),
        (RSA_PUBLIC.as_bytes()[..200].to_vec(), "none of RSA or Ed25519"),
        (b"{\"keys\":".to_vec(), "no JSON Web Key Set"),
        (b"{\"keys\":[]}".to_vec(), "no key for RS256 or EdDSA"),
        (json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, jwk]}).to_string().into_bytes(), "kty oct"),
        (json!({"keys": [jwk, jwk]}).to_string().into_bytes(), "two keys of one kid"),
        (json!({"keys": vec![&jwk; 33]}).to_string().into_bytes(), "more than 32 keys"),
    ] {
        let told = why(&bytes);
        assert!(told.contains(words), "{words}: {told}");
    }
    // For encryption, or for another algorithm: of no use, and no harm.
    for (name, value) in [("use", "enc"), ("alg", "RS512")] {
        let mut other = jwk.clone();
        other[name] = value.into();
        assert!(why(other.to_string().as_bytes()).contains("no key for"), "{other}");
    }
    assert!(matches!(Keys::read("/nowhere"), Err(KeyError::Unreadable(_))));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("long"), vec![b'x'; 70_000]).expect("written");
    assert!(matches!(Keys::read(folder.path().join("long")), Err(KeyError::TooLong)));
    assert!(!format!("{:?}", Keys::secret(SECRET)).contains("secret"));
}

#[test]
fn another_key_counts_once_its_file_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("jwks.json");
    let (old, new) = (Ed::new(), Ed::new());
    let header = |kid: &str| json!({"alg": "EdDSA", "kid": kid});
    let (by_old, by_new) = (old.sign(&header("1"), &claims()), new.sign(&header("2"), &claims()));
    fs::write(&file, json!({"keys": [old.jwk("1")]}).to_string()).expect("written");
    let policy = JwtPolicy::load(&file, config()).expect("a key set");
    let good = |token: &str| who(&policy, token).is_ok();
    assert_eq!((good(&by_old), good(&by_new)), (true, false));
    // While keys change, both are there.
    fs::write(&file, json!({"keys": [old.jwk("1"), new.jwk("2")]}).to_string()).expect("written");
    policy.reload().expect("a key set");
    assert_eq!((good(&by_old), good(&by_new)), (true, true));
    fs::write(&file, "{").expect("written");
    assert!(matches!(policy.reload(), Err(KeyError::NoSet)));
    assert_eq!((good(&by_old), good(&by_new)), (true, true), "the keys from before stay");
    fs::write(&file, json!({"keys": [new.jwk("2")]}).to_string()).expect("written");
    policy.reload().expect("a key set");
    assert_eq!((good(&by_old), good(&by_new)), (false, true));
    assert!(matches!(
        JwtPolicy::new(Keys::secret(SECRET).expect("a secret"), config()).reload(),
        Err(KeyError::NoFile)
    ));
}

fn engine(guests: Guests) -> Engine {
    let policy = JwtPolicy::new(Keys::secret(SECRET).expect("a secret"), config().with_guests(guests));
    Engine::builder().clock(Arc::new(support::Noon)).policy(Arc::new(policy)).build()
}

async fn connect(engine: &Engine, token: Option<&str>) -> Result<Connection, Reject> {
    let token = token.map(|token| AccessToken::parse(token).expect("a token"));
    let hello = Hello { token, ..Hello::default() };
    engine.connect(ConnectRequest::default(), hello).await.map_err(|refusal| refusal.reject)
}

fn room() -> RoomCode {
    RoomCode::parse("LUNCH").expect("a code")
}

fn nick(name: &str) -> Nick {
    Nick::parse(name).expect("a nick")
}

fn send(text: &str) -> Command {
    Command::send(room(), chat_core::Body::parse(text, 100).expect("a text"))
}

async fn code(connection: &Connection, command: Command) -> RejectCode {
    connection.call(command).await.expect_err("refused").code
}

#[tokio::test]
async fn guests_come_in_read_or_stay_out_as_the_server_says() {
    let token = hs256(SECRET, &claims());
    let made = Command::create(nick("Ann")).with_room(room());
    let allow = engine(Guests::Allow);
    connect(&allow, None).await.expect("let in").call(made.clone()).await.expect("made");
    let deny = engine(Guests::Deny);
    assert_eq!(connect(&deny, None).await.map(drop).expect_err("kept out").code, RejectCode::BadToken);
    connect(&deny, Some(&token)).await.expect("let in").call(made.clone()).await.expect("made");

    let read = engine(Guests::Read);
    let guest = connect(&read, None).await.expect("let in");
    assert_eq!(code(&guest, made.clone()).await, RejectCode::Forbidden);
    let ann = connect(&read, Some(&token)).await.expect("let in");
    ann.call(made).await.expect("made");
    ann.call(send("hi")).await.expect("said");
    let shown = chat_core::PersonData::parse(r#"{"text":"hi"}"#).expect("valid");
    assert_eq!(code(&guest, Command::join(room(), nick("Bob")).with_person_data(shown)).await, RejectCode::Forbidden);
    guest.call(Command::join(room(), nick("Bob"))).await.expect("let in");
    let history = guest.call(Command::history(room())).await;
    assert!(matches!(history, Ok(ServerFrame::History { messages, .. }) if messages.len() == 1));
    assert_eq!(code(&guest, send("hi")).await, RejectCode::Forbidden);
    assert_eq!(code(&guest, Command::typing(room(), chat_core::TypingState::On)).await, RejectCode::Forbidden);
    guest.call(Command::leave(room())).await.expect("gone");
}

#[tokio::test]
async fn a_token_is_shown_again_on_a_connection_and_must_be_the_persons() {
    let engine = engine(Guests::Allow);
    let ann = connect(&engine, Some(&hs256(SECRET, &claims()))).await.expect("let in");
    let auth = |token: String| Command::auth(AccessToken::parse(&token).expect("a token"));
    let later = json!({"sub": "ann", "exp": support::NOW + 7_200});
    let renewed = ann.call(auth(hs256(SECRET, &later))).await.expect("renewed");
    let ServerFrame::AuthRenewed { expires_at, .. } = renewed else { panic!("{renewed:?}") };
    assert_eq!(expires_at.map(|at| at.0), Some((support::NOW + 7_230) * 1_000));
    assert_eq!(
        code(&ann, auth(hs256(SECRET, &json!({"sub": "bob", "exp": support::NOW + 60})))).await,
        RejectCode::Forbidden
    );
    assert_eq!(code(&ann, auth(hs256(b"another secret, which is long enough", &later))).await, RejectCode::BadToken);
}
