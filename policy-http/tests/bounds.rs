//! What bounds a policy of a backend: places, time, memory; and what it remembers for how long.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_core::{Identity, RejectCode, Wall};
use policy_http::{HttpConfig, HttpPolicy};
use serde_json::json;
use support::{Backend, Dial, Fate, admit, policy, yes};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A backend that says of each credential that it is the name of its person.
async fn naming() -> Arc<Backend> {
    Backend::start(|question| yes(json!({"identity": question["credential"]}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_who_come_at_once_are_asked_about_a_few_at_a_time() {
    let backend = naming().await;
    let config = HttpConfig {
        requests_max: 32,
        requests_per_address_max: 10_000,
        remembered_max: 1_000,
        ..HttpConfig::default()
    };
    let policy = Arc::new(policy(&backend, config));
    let coming: Vec<_> = (0..10_000)
        .map(|number| {
            let policy = Arc::clone(&policy);
            tokio::spawn(async move { admit(&policy, &format!("u{number}")).await })
        })
        .collect();
    for (number, coming) in coming.into_iter().enumerate() {
        let admission = coming.await.expect("no panic").expect("the backend knows them");
        assert_eq!(admission.identity.expect("a person").as_str(), format!("u{number}"));
    }
    assert_eq!(backend.count(), 10_000);
    let (most, connections) = (&backend.most_under_way, &backend.connections);
    let counts = (most.load(Ordering::Relaxed), connections.load(Ordering::Relaxed));
    assert!((2..=32).contains(&counts.0) && counts.1 <= 32, "{counts:?}");
}

/// Whoever floods the backend from one place keeps nobody out who comes from another.
#[tokio::test(start_paused = true)]
async fn one_address_has_a_few_of_the_places_and_no_more() {
    let backend = Backend::start(|_| Fate::Silence).await;
    let policy = Arc::new(HttpPolicy::new(&backend.url, HttpConfig::default()).expect("a valid URL"));
    let crowd: Vec<_> = (0..100)
        .map(|number| {
            let policy = Arc::clone(&policy);
            tokio::spawn(async move {
                let began = tokio::time::Instant::now();
                let reject = admit(&policy, &format!("u{number}")).await.expect_err("nobody can say who that is");
                (reject.code, began.elapsed().is_zero())
            })
        })
        .collect();
    let mut at_once = 0;
    for one in crowd {
        let (code, is_at_once) = one.await.expect("no panic");
        assert_eq!(code, RejectCode::Unavailable);
        at_once += usize::from(is_at_once);
    }
    assert_eq!(at_once, 100 - HttpConfig::default().requests_per_address_max);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_is_waited_for_so_long_and_who_waits_for_a_place_no_longer() {
    let backend = Backend::start(|_| Fate::Silence).await;
    let config = HttpConfig { requests_max: 2, ..HttpConfig::default() };
    let timeout = config.timeout;
    let policy = Arc::new(HttpPolicy::new(&backend.url, config).expect("a valid URL"));
    let began = tokio::time::Instant::now();
    let coming: Vec<_> = (0..10)
        .map(|number| {
            let policy = Arc::clone(&policy);
            tokio::spawn(async move { admit(&policy, &format!("u{number}")).await })
        })
        .collect();
    for coming in coming {
        let reject = coming.await.expect("no panic").expect_err("nobody can say who that is");
        assert_eq!(reject.code, RejectCode::Unavailable);
    }
    assert_eq!(began.elapsed(), timeout);
    assert!(policy.is_down());
}

#[tokio::test]
async fn connections_are_kept_and_one_that_the_backend_has_closed_is_made_anew() {
    let backend = naming().await;
    let kept = policy(&backend, HttpConfig::default());
    for number in 0..20 {
        admit(&kept, &format!("u{number}")).await.expect("known");
    }
    assert_eq!(backend.connections.load(Ordering::Relaxed), 1);
    // Without a word: a connection that is closed in between is no fault of the backend.
    let closing = Backend::start(|question| {
        let body = json!({"identity": question["credential"]}).to_string();
        Fate::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    })
    .await;
    let closed = policy(&closing, HttpConfig::default());
    for number in 0..20 {
        admit(&closed, &format!("u{number}")).await.expect("known");
    }
    assert!(!closed.is_down());
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_time_and_never_past_the_end_of_what_was_shown() {
    let clock = Arc::new(Dial::default());
    let backend = Backend::start(|question| {
        let shown = question["credential"].as_str().expect("a credential").to_owned();
        yes(match shown.as_str() {
            "once" => json!({"identity": "ann", "ttl": 0}),
            "long" => json!({"identity": "ann", "ttl": 100_000}),
            "short" => json!({"identity": "ann", "ttl": 3_000, "expires_at": Dial::NOON + 600}),
            _ => json!({"identity": "ann"}),
        })
    })
    .await;
    let policy = policy(&backend, HttpConfig { clock: Arc::clone(&clock) as _, ..HttpConfig::default() });
    let asked = AtomicUsize::new(0);
    let is_asked = async |credential: &str| {
        admit(&policy, credential).await.expect("known");
        backend.count() > asked.swap(backend.count(), Ordering::Relaxed)
    };
    assert!(is_asked("plain").await && !is_asked("plain").await);
    assert!(is_asked("once").await && is_asked("once").await);
    assert!(is_asked("long").await && is_asked("short").await);
    clock.turn(29);
    assert!(!is_asked("plain").await);
    clock.turn(1);
    assert!(is_asked("plain").await && !is_asked("long").await && !is_asked("short").await);
    // Whoever renews when they are told that it runs out is asked about.
    clock.turn(450);
    assert!(is_asked("short").await && is_asked("short").await && !is_asked("long").await);
    clock.turn(3_600 - 480);
    assert!(is_asked("long").await, "an hour is the longest");
    // Somebody is locked out.
    assert!(!is_asked("long").await);
    policy.forget(&Identity::new("ann").expect("an identity"));
    assert!(is_asked("long").await && !is_asked("long").await);
    policy.forget_all();
    assert!(is_asked("long").await);
    assert!(!is_asked("long").await);
}

#[tokio::test]
async fn an_admission_that_was_remembered_and_has_run_out_is_asked_about() {
    let clock = Arc::new(Dial::default());
    let turned = Arc::clone(&clock);
    let backend = Backend::start(move |_| {
        let now = chat_core::Clock::now(&*turned).wall.0 / 1_000;
        match now < Dial::NOON + 600 {
            true => yes(json!({"identity": "ann", "ttl": 3_600, "expires_at": Dial::NOON + 600})),
            false => Fate::Says(401, json!({"code": "auth_expired"}).to_string()),
        }
    })
    .await;
    let policy = policy(&backend, HttpConfig { clock: Arc::clone(&clock) as _, ..HttpConfig::default() });
    let expires_at = Some(Wall((Dial::NOON + 600) * 1_000));
    assert_eq!(admit(&policy, "pass").await.expect("known").expires_at, expires_at);
    clock.turn(600);
    assert_eq!(admit(&policy, "pass").await.expect_err("it has run out").code, RejectCode::AuthExpired);
    assert_eq!(backend.count(), 2);
}

#[tokio::test]
async fn what_is_remembered_is_of_one_address_transport_and_place() {
    let backend = naming().await;
    let policy = policy(&backend, HttpConfig::default());
    admit(&policy, "pass").await.expect("known");
    let others = [("sse", "192.0.2.7", "cookie"), ("ws", "192.0.2.8", "cookie"), ("ws", "192.0.2.7", "bearer")];
    for (transport, address, shown_in) in others {
        let address = Some(address.parse().expect("an address"));
        let credentials = Some("pass".to_owned());
        let request = chat_core::ConnectRequest { transport, address, credentials, shown_in };
        chat_core::Policy::admit(&policy, &request).await.expect("known");
    }
    assert_eq!(backend.count(), 4);
}

#[tokio::test]
async fn a_backend_is_trusted_by_its_certificate_alone() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(tls.expect("they fit")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it listens").port();
    let backend = Backend::at(format!("https://localhost:{port}/"), |_| yes(json!({"identity": "ann"})));
    let serving = Arc::clone(&backend);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, serving) = (acceptor.clone(), Arc::clone(&serving));
            tokio::spawn(async move {
                if let Ok(socket) = acceptor.accept(socket).await {
                    serving.serve(socket).await;
                }
            });
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).expect("written");
        path
    };
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    for (roots, is_trusted) in [(file("its", cert.pem()), true), (file("other", other.cert.pem()), false)] {
        let policy = policy(&backend, HttpConfig { roots: Some(roots), ..HttpConfig::default() });
        assert_eq!(admit(&policy, "pass").await.is_ok(), is_trusted);
    }
    assert_eq!(backend.count(), 1);
}

#[tokio::test]
async fn a_backend_that_is_back_is_asked_again() {
    let count = AtomicUsize::new(0);
    let backend = Backend::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Fate::Says(500, String::new()),
        _ => yes(json!({"identity": "ann"})),
    })
    .await;
    let policy = policy(&backend, HttpConfig { ttl: Duration::ZERO, ..HttpConfig::default() });
    assert!(admit(&policy, "pass").await.is_err() && policy.is_down());
    assert!(admit(&policy, "pass").await.is_ok() && !policy.is_down());
}
