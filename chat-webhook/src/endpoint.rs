//! Where deliveries go: one URL, over TCP or TLS, one connection that is kept for the next request.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::Config;

/// How long an address has before the next is asked as well. 250 ms, as RFC 8305 advises.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// Where systems keep the certificates that they trust.
const ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Why deliveries cannot be made at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The URL is none that something can be sent to.
    #[error("this is no URL that begins with https:// or http:// and has no password in it")]
    Url,
    /// The certificates that servers are trusted by cannot be read.
    #[error("no certificates in {name}: {why}")]
    Roots {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

/// An attempt that was not confirmed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("it does not answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the connection was lost: {0}")]
    Http(#[from] hyper::Error),
    #[error("it answers {status}")]
    Status { status: StatusCode, retry_after: Option<Duration> },
}

/// A URL, and how it is reached.
#[derive(Debug)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    /// The `host` of requests.
    authority: HeaderValue,
    path: Uri,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// What a delivery says of itself.
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: u64,
    pub(crate) signature: &'a str,
}

/// A connection that is there, or will be when it is needed.
pub(crate) type Connection = Option<SendRequest<Full<Bytes>>>;

impl Endpoint {
    pub(crate) fn new(url: &str, config: &Config) -> Result<Self, WebhookError> {
        // Not repeated: it may have a password in it.
        let bad = || WebhookError::Url;
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|_| bad())?;
        let tls = match is_secure {
            true => {
                let name = ServerName::try_from(host.clone()).map_err(|_| bad())?;
                let roots = roots(config.roots.as_deref())?;
                let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                Some((Arc::new(client), name))
            }
            false => None,
        };
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
        Ok(Self { host, port, authority, path, tls })
    }

    /// One attempt: on the connection that there is, and where it has been closed meanwhile, on a new one.
    pub(crate) async fn post(
        &self,
        connection: &mut Connection,
        head: &Head<'_>,
        body: &Bytes,
        timeout: Duration,
    ) -> Result<(), Failed> {
        let attempt = async {
            if let Some(kept) = connection.as_mut()
                && kept.ready().await.is_ok()
            {
                match self.ask(connection, head, body).await {
                    // It was closed while nothing was under way. Whether the request was read nobody knows: it may come twice.
                    Err(Failed::Http(error)) if !error.is_timeout() => {}
                    asked => return asked,
                }
            }
            *connection = Some(self.connect().await?);
            self.ask(connection, head, body).await
        };
        let asked = tokio::time::timeout(timeout, attempt).await.unwrap_or(Err(Failed::Late));
        if matches!(asked, Err(Failed::Late | Failed::Http(_))) {
            *connection = None;
        }
        asked
    }

    async fn ask(&self, connection: &mut Connection, head: &Head<'_>, body: &Bytes) -> Result<(), Failed> {
        let connection = connection.as_mut().expect("it was made before");
        let request = Request::post(self.path.clone())
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("chat-webhook/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", head.id)
            .header("webhook-timestamp", head.timestamp)
            .header("webhook-signature", head.signature)
            .body(Full::new(body.clone()))
            .expect("all of them are valid");
        let answer = connection.send_request(request).await?;
        let (status, headers) = (answer.status(), answer.headers());
        let retry_after = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        // What it says is not read: hyper closes a connection on which more comes than it has read already.
        if status.is_success() { Ok(()) } else { Err(Failed::Status { status, retry_after }) }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failed> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let socket = connect_to(addresses).await?;
        socket.set_nodelay(true)?;
        match &self.tls {
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let (sender, driver) =
                    http1::handshake(TokioIo::new(connector.connect(name.clone(), socket).await?)).await?;
                tokio::spawn(driver);
                Ok(sender)
            }
            None => {
                let (sender, driver) = http1::handshake(TokioIo::new(socket)).await?;
                tokio::spawn(driver);
                Ok(sender)
            }
        }
    }
}

/// A connection to whichever address answers first: each is asked a little after the one before, or once that has failed, so that one that is mute
/// holds up nothing (Happy Eyeballs, RFC 8305, in the order that the system's resolver gives).
async fn connect_to(addresses: impl IntoIterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut connecting = FuturesUnordered::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    connecting.extend(left.next().map(TcpStream::connect));
    loop {
        match tokio::time::timeout(NEXT_ADDRESS_AFTER, connecting.next()).await {
            Ok(Some(Ok(socket))) => return Ok(socket),
            Ok(Some(Err(refused))) => error = refused,
            Ok(None) => return Err(error),
            Err(_) => {}
        }
        connecting.extend(left.next().map(TcpStream::connect));
    }
}

/// The certificates that servers are trusted by.
fn roots(file: Option<&Path>) -> Result<RootCertStore, WebhookError> {
    let file = file.map(Path::to_owned).or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    let file = file.or_else(|| ROOTS.iter().map(PathBuf::from).find(|file| file.exists()));
    let file = file.unwrap_or_else(|| PathBuf::from(ROOTS[0]));
    let refused = |why: String| WebhookError::Roots { name: file.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| refused(error.to_string()))? {
        // Systems have some that are of no use.
        let _ = roots.add(certificate.map_err(|error| refused(error.to_string()))?);
    }
    if roots.is_empty() { Err(refused("there is none".to_owned())) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A listener that answers nobody: its queue is full, and the system drops what comes.
    async fn mute() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let listener = socket.listen(1).expect("it listens");
        let at = listener.local_addr().expect("it listens");
        let mut waiting = Vec::new();
        while let Ok(connected) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(at)).await {
            waiting.push(connected.expect("there is a place"));
        }
        (listener, at, waiting)
    }

    #[tokio::test]
    async fn an_address_that_is_mute_or_refuses_is_passed_over() {
        let (_listener, mute, _waiting) = mute().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let there = listener.local_addr().expect("it listens");
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let closed_at = closed.local_addr().expect("it listens");
        drop(closed);
        let connected = tokio::time::timeout(Duration::from_secs(60), connect_to([closed_at, mute, there])).await;
        let socket = connected.expect("the next one is asked").expect("it answers");
        assert_eq!(socket.peer_addr().expect("it is connected"), there);
        assert_eq!(
            connect_to([closed_at]).await.expect_err("nobody is there").kind(),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(connect_to([]).await.expect_err("nobody is there").kind(), io::ErrorKind::NotFound);
    }
}
