//! TLS to the database: whom a certificate makes known is believed, anybody else is not, and nobody is told a password.

#[path = "support/lines.rs"]
mod lines;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use chat_testkit::lives::{code, fill};
use lines::Lines;
use log_postgres::{OpenError, Options, PgLog};
use proxy::Proxy;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::Cluster;

const PASSWORD: &str = "it-is-7-secrets";

/// Writes an authority to a file, and one with its name and another key; and a certificate of the first for `localhost`, with its key.
fn write_certificates(folder: &Path) {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        (params.self_signed(&key).expect("a certificate").pem(), Issuer::new(params, key))
    };
    let ((ours, issuer), (theirs, _)) = (authority(), authority());
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let server = params.signed_by(&key, &issuer).expect("a certificate");
    for (name, text) in
        [("ours.crt", ours), ("theirs.crt", theirs), ("server.crt", server.pem()), ("server.key", key.serialize_pem())]
    {
        write(&folder.join(name), &text);
    }
}

/// A file that its owner alone can read, as the server wants its key.
fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("writable");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("ours");
}

/// A server that takes TLS alone where it is asked over TCP, and a password there.
struct Secured {
    cluster: Cluster,
    port: u16,
    options: Options,
}

impl Secured {
    async fn start() -> Option<Self> {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a port").port();
        let cluster = Cluster::start_with(|folder| {
            write_certificates(folder);
            write(
                &folder.join("hba"),
                "local all all trust\nhostssl all all all scram-sha-256\nhostnossl all all all reject\n",
            );
            let at = |name: &str| folder.join(name).display().to_string();
            vec![
                "listen_addresses=localhost".to_owned(),
                format!("port={port}"),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", at("server.crt")),
                format!("ssl_key_file={}", at("server.key")),
                format!("hba_file={}", at("hba")),
            ]
        })?;
        let cluster = cluster.at_port(port);
        let client = cluster.connect().await;
        let user = format!("create role chat login superuser password '{PASSWORD}'");
        client.batch_execute(&user).await.expect("a role");
        Some(Self { cluster, port, options: support::options() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.cluster.folder().join(name)
    }

    async fn open_at(&self, host: &str, password: &str, mode: &str) -> Result<PgLog, OpenError> {
        let address = format!("postgres://chat:{password}@{host}:{}/postgres?{mode}", self.port);
        PgLog::open(&address, self.options.clone()).await
    }

    /// What keeps a log from being opened.
    async fn refused(&self, host: &str, password: &str, mode: &str) -> String {
        self.open_at(host, password, mode).await.err().expect("it is refused").to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_certificate_of_a_believed_authority_is_believed_and_nobody_else() {
    let Some(secured) = Secured::start().await else { return };
    let roots = |name: &str| format!("sslmode=verify-full&sslrootcert={}", secured.file(name).display());
    let log = secured.open_at("localhost", PASSWORD, &roots("ours.crt")).await.expect("it is whom it says it is");
    fill(&log, &code("ROOM"), 3).await;
    let client = secured.cluster.connect().await;
    let encrypted = "select bool_and(s.ssl), count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) where a.usename = 'chat'";
    let row = client.query_one(encrypted, &[]).await.expect("it answers");
    assert!(row.get::<_, bool>(0) && row.get::<_, i64>(1) > 0, "every connection is encrypted");
    drop(log);

    let said = secured.refused("localhost", PASSWORD, &roots("theirs.crt")).await;
    assert!(said.contains("certificate"), "another authority: {said}");
    let said = secured.refused("127.0.0.1", PASSWORD, &roots("ours.crt")).await;
    assert!(said.contains("certificate"), "another name: {said}");
    for (name, words) in [("none.crt", "sslrootcert"), ("hba", "no certificate")] {
        let said = secured.refused("localhost", PASSWORD, &roots(name)).await;
        assert!(said.contains(words), "{said}");
    }
    for mode in ["sslmode=require", "sslmode=prefer", ""] {
        secured.open_at("127.0.0.1", PASSWORD, mode).await.expect("anybody is believed");
    }
    let said = secured.refused("localhost", PASSWORD, "sslmode=disable").await;
    assert!(said.contains("28000"), "the server takes nobody without TLS: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_it_is_required_and_taken_where_it_is_preferred() {
    let Some(cluster) = Cluster::shared() else { return };
    drop(cluster.connect().await);
    let proxy = Proxy::to(cluster.folder()).await;
    let at = |mode: &str| format!("{} sslmode={mode}", proxy.address());
    let refused = PgLog::open(&at("require"), support::options()).await.err().expect("it is refused");
    assert!(refused.to_string().contains("TLS"), "{refused}");
    for mode in ["prefer", "disable"] {
        PgLog::open(&at(mode), support::options()).await.expect("it opens");
    }
}

#[tokio::test]
async fn no_line_and_no_error_has_the_password() {
    let Some(secured) = Secured::start().await else { return };
    let (lines, _listening) = Lines::listen();
    let log = secured.open_at("localhost", PASSWORD, "sslmode=require").await.expect("it opens");
    fill(&log, &code("ROOM"), 3).await;
    secured.cluster.crash();
    drop(secured.cluster.connect().await);
    log.close().await.expect("it closes");
    let wrong = format!("{PASSWORD}-no-longer");
    let mut said = secured.refused("localhost", &wrong, "sslmode=require").await;
    assert!(said.contains("28P01"), "{said}");
    said += &secured.refused("localhost", PASSWORD, "sslmode=verify-full&sslrootcert=%2Fnowhere").await;
    said += &secured.refused("db.invalid", PASSWORD, "").await;
    said += &secured.refused("db.invalid", PASSWORD, "sslmode=require").await;
    said += &secured.refused("localhost", PASSWORD, &format!("{PASSWORD}=1")).await;
    assert!(!lines.with("").is_empty() && lines.with(PASSWORD).is_empty(), "{:?}", lines.with(PASSWORD));
    assert!(!said.contains(PASSWORD), "{said}");
}
