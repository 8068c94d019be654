//! One URL of a backend that requests go to: where it is, by which certificates it is trusted, and a connection to it.
//!
//! ```no_run
//! # use bytes::Bytes;
//! # use chat_http::Endpoint;
//! # use http_body_util::Full;
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::new("https://backend.example/hook", None)?;
//! let mut connection = endpoint.connect().await?;
//! let request = endpoint.post("application/1.0").body(Full::new(Bytes::from("{}")))?;
//! let answer = connection.send_request(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! It follows no redirects, uses no proxy, and keeps no connections: who asks knows how many there may be, and for how long.

mod addresses;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::request::Builder;
use hyper::rt::{Read, Write};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use self::addresses::connect_to;

/// Where systems keep the certificates that they trust.
const ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];
/// The most bytes of an answer's head, and of its body in one piece. 64 KiB: far more than a backend says of itself.
const READ_BYTES_MAX: usize = 64 << 10;

/// Why nothing can be sent to a URL at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The URL is none that something can be sent to. It is not repeated: it may have a password in it.
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

/// A URL, and how it is reached.
#[derive(Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// The `host` of requests.
    authority: HeaderValue,
    path: Uri,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A connection: one request after another.
pub type Connection = SendRequest<Full<Bytes>>;

impl Endpoint {
    /// A URL that begins with `https://` or `http://`; servers are trusted by the certificates in this PEM file, and without one by those that
    /// `SSL_CERT_FILE` names, or that the system has.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn new(url: &str, roots_file: Option<&Path>) -> Result<Self, EndpointError> {
        let bad = || EndpointError::Url;
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
                let client = ClientConfig::builder().with_root_certificates(roots(roots_file)?).with_no_client_auth();
                Some((Arc::new(client), name))
            }
            false => None,
        };
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
        Ok(Self { host, port, authority, path, tls })
    }

    /// A POST of JSON to the URL, by this agent.
    pub fn post(&self, agent: &'static str) -> Builder {
        Request::post(self.path.clone())
            .header(HOST, &self.authority)
            .header(USER_AGENT, agent)
            .header(CONTENT_TYPE, "application/json")
    }

    /// A new connection, whose reading and writing is a task of its own until it is dropped.
    ///
    /// # Errors
    /// Where nobody listens, or who does shows no certificate that is trusted.
    pub async fn connect(&self) -> io::Result<Connection> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let socket = connect_to(addresses).await?;
        socket.set_nodelay(true)?;
        match &self.tls {
            Some((config, name)) => {
                drive(TlsConnector::from(Arc::clone(config)).connect(name.clone(), socket).await?).await
            }
            None => drive(socket).await,
        }
    }
}

async fn drive<S>(socket: S) -> io::Result<Connection>
where
    TokioIo<S>: Read + Write + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(READ_BYTES_MAX).handshake(TokioIo::new(socket));
    let (sender, driver) = handshake.await.map_err(io::Error::other)?;
    tokio::spawn(driver);
    Ok(sender)
}

/// The certificates that servers are trusted by.
fn roots(file: Option<&Path>) -> Result<RootCertStore, EndpointError> {
    let file = file.map(Path::to_owned).or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    let file = file.or_else(|| ROOTS.iter().map(PathBuf::from).find(|file| file.exists()));
    let file = file.unwrap_or_else(|| PathBuf::from(ROOTS[0]));
    let refused = |why: String| EndpointError::Roots { name: file.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| refused(error.to_string()))? {
        // Systems have some that are of no use.
        let _ = roots.add(certificate.map_err(|error| refused(error.to_string()))?);
    }
    if roots.is_empty() { Err(refused("there is none".to_owned())) } else { Ok(roots) }
}
