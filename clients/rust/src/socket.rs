//! A WebSocket to a server: over TCP or TLS, upgraded, and then read and written at once.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, Stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::error::Error;
use crate::session::Outbound;

/// Where systems keep the certificates that they trust.
const ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];
/// The subprotocol that names the wire protocol and its version.
const SUBPROTOCOL: &str = "chat.v1";

/// Where a server is.
pub(crate) struct Server {
    host: String,
    port: u16,
    uri: Uri,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    headers: HeaderMap,
}

impl Server {
    /// `https://chat.example.org`, or `wss://`, or either without TLS; the path of the chat is `/ws` below it.
    pub(crate) fn new(url: &str, roots_file: Option<&Path>, named: &[(String, String)]) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        for (name, value) in named {
            let name: HeaderName = name.parse().map_err(|_| Error::Header)?;
            headers.append(name, value.parse().map_err(|_| Error::Header)?);
        }
        let uri: Uri = url.parse().map_err(|_| Error::Url)?;
        let authority = uri.authority().filter(|at| !at.as_str().contains('@')).ok_or(Error::Url)?;
        let (scheme, port) = match uri.scheme_str() {
            Some("https" | "wss") => ("wss", 443),
            Some("http" | "ws") => ("ws", 80),
            _ => return Err(Error::Url),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(port);
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/ws").unwrap_or(path);
        let full = format!("{scheme}://{authority}{path}/ws").parse().map_err(|_| Error::Url)?;
        let tls = match scheme {
            "wss" => {
                let name = ServerName::try_from(host.clone()).map_err(|_| Error::Url)?;
                let config = ClientConfig::builder().with_root_certificates(roots(roots_file)?).with_no_client_auth();
                Some((Arc::new(config), name))
            }
            _ => None,
        };
        Ok(Self { host, port, uri: full, tls, headers })
    }

    /// A connection that was upgraded; it reads no frame of more than so many bytes.
    pub(crate) async fn connect(&self, frame_bytes_max: usize) -> Result<Socket, Lost> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Io> = match &self.tls {
            Some((config, name)) => Box::new(TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp).await?),
            None => Box::new(tcp),
        };
        let mut request = self.uri.clone().into_client_request()?;
        request.headers_mut().extend(self.headers.clone());
        let config = WebSocketConfig::default()
            .max_message_size(Some(frame_bytes_max))
            .max_frame_size(Some(frame_bytes_max))
            .read_buffer_size(16 << 10)
            .write_buffer_size(0);
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
        Ok(Socket { stream, writing: None, is_flushed: true })
    }
}

/// The certificates that servers are trusted by.
fn roots(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let file = file.map(Path::to_owned).or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    let file = file.or_else(|| ROOTS.iter().map(PathBuf::from).find(|file| file.exists()));
    let file = file.unwrap_or_else(|| PathBuf::from(ROOTS[0]));
    let refused = |why: String| Error::Roots { name: file.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| refused(error.to_string()))? {
        // Systems have some that are of no use.
        let _ = roots.add(certificate.map_err(|error| refused(error.to_string()))?);
    }
    if roots.is_empty() { Err(refused("there is none".to_owned())) } else { Ok(roots) }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How a connection was lost.
pub(crate) struct Lost {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl From<WsError> for Lost {
    fn from(error: WsError) -> Self {
        Self { code: crate::error::ABNORMAL, reason: error.to_string() }
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self { code: crate::error::ABNORMAL, reason: error.to_string() }
    }
}

/// What has come over a socket.
pub(crate) enum Inbound {
    Text(Message),
    /// Something that says only that the server lives.
    Sign,
}

/// An open connection.
pub(crate) struct Socket {
    stream: WebSocketStream<Box<dyn Io>>,
    writing: Option<Message>,
    is_flushed: bool,
}

impl Socket {
    /// Writes what `next` gives, as far as the socket takes it, and reads one thing. Neither waits for the other: a server that takes nothing until
    /// it is read is read.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut next: impl FnMut() -> Option<Outbound>,
    ) -> Poll<Result<Inbound, Lost>> {
        if let Poll::Ready(written) = self.poll_write(cx, &mut next) {
            written?;
        }
        match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(text @ Message::Text(_))) => Poll::Ready(Ok(Inbound::Text(text))),
            Some(Ok(Message::Close(frame))) => Poll::Ready(Err(match frame {
                Some(frame) => Lost { code: frame.code.into(), reason: frame.reason.to_string() },
                None => Lost { code: 1005, reason: String::new() },
            })),
            Some(Ok(_)) => {
                // A pong is on its way: it is flushed with what comes next, which is now.
                self.is_flushed = false;
                Poll::Ready(Ok(Inbound::Sign))
            }
            Some(Err(error)) => Poll::Ready(Err(error.into())),
            None => Poll::Ready(Err(Lost { code: crate::error::ABNORMAL, reason: "cut off".to_owned() })),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        next: &mut impl FnMut() -> Option<Outbound>,
    ) -> Poll<Result<(), WsError>> {
        let mut stream = Pin::new(&mut self.stream);
        loop {
            if self.writing.is_none() {
                self.writing = next().map(|outbound| match outbound {
                    Outbound::Text(text) => Message::text(String::from_utf8(text).expect("a frame is JSON in UTF-8")),
                    Outbound::Ping => Message::Ping(Default::default()),
                });
            }
            if self.writing.is_none() {
                break;
            }
            ready!(stream.as_mut().poll_ready(cx))?;
            if let Some(message) = self.writing.take() {
                self.is_flushed = false;
                stream.as_mut().start_send(message)?;
            }
        }
        if !self.is_flushed {
            ready!(stream.as_mut().poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the server that this is the end of the connection, and waits for no answer.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }
}
