//! TLS in front of HTTP: a certificate and its key from files, which can be read again while the server runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server;

/// Bytes that a connection may hold encrypted, or waiting for that, before its socket takes them. 16 KiB: one record of TLS.
const BUFFER_BYTES_MAX: usize = 16 << 10;

/// A certificate with its key, for [`ServeConfig::tls`](crate::ServeConfig::tls). Clones are one: what is reloaded is so for all.
#[derive(Clone)]
pub struct Tls(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

/// A certificate and a key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds no such thing.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// They are not of each other, or of a kind that is not known.
    #[error("{} and {}: {source}", .certificate.display(), .key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate, followed by those that vouch for it, and its private key, both in PEM.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let config = RwLock::new(Arc::new(read(&certificate, &key)?));
        Ok(Self(Arc::new(Files { certificate, key, config })))
    }

    /// Reads the files again. Connections from now on are shown the new certificate; those that are there keep theirs.
    ///
    /// # Errors
    /// See [`TlsError`]; then everything stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(read(&self.0.certificate, &self.0.key)?);
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Agrees with a client on keys, and on the version of HTTP.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let config = Arc::clone(&self.0.config.read().unwrap_or_else(PoisonError::into_inner));
        let mut stream = TlsAcceptor::from(config).accept(stream).await?;
        stream.get_mut().1.set_buffer_limit(Some(BUFFER_BYTES_MAX));
        Ok(TlsStream { stream, unflushed: None })
    }
}

impl PartialEq for Tls {
    /// Whether they are clones of each other.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.0.certificate).field("key", &self.0.key).finish()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(file(certificate))?;
    if chain.is_empty() {
        return Err(file(certificate)(pem::Error::NoItemsFound));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
    let mut config =
        config.map_err(|source| TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Where the cryptography comes from; never whatever another crate has made the process's default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A connection over TLS. It sends what it has taken whether or not it is flushed: whoever writes to a bare socket need not flush that.
#[derive(Debug)]
pub struct TlsStream<S> {
    stream: server::TlsStream<S>,
    /// Who wrote last, while not all of it is out.
    unflushed: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Sends what was taken. Waits with the waker of whoever wrote.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unflushed = flushed.is_pending().then(|| cx.waker().clone());
        flushed
    }

    fn note(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            // An error shows with the next write.
            let _ = self.poll_out(cx);
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A task that reads and writes is woken when the socket takes more, and may have nothing to write then. Of two tasks the one that
        // writes flushes; here its waker would be lost.
        if self.unflushed.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            let _ = self.poll_out(cx);
        }
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unflushed.is_some() {
            std::task::ready!(self.poll_out(cx))?;
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.unflushed.is_some() {
            std::task::ready!(self.poll_out(cx))?;
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
