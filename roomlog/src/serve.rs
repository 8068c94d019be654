//! The serving loop, and what every transport asks about a request: where it comes from, and whether its page may connect.

#[doc(inline)]
pub use chat_serve::{
    BadCredentials, BadNetwork, ClientAddress, Credentials, Hosts, Network, OVERFLOW_MAX, Origins, ServeConfig, Shown,
    TrustedProxies, bearer, serve,
};
#[cfg(feature = "tls")]
#[doc(inline)]
pub use chat_serve::{Tls, TlsError, TlsStream};
