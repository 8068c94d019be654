//! The command line of a chat server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use chat_core::Limits;
use chat_serve::{ClientAddress, Hosts, Network, Origins, ServeConfig, Tls, TlsError, TrustedProxies};
use transport_socketio::SocketIoConfig;
use transport_sse::SseConfig;
use transport_ws::WsConfig;

/// Flags that every example server takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Where to listen, for example `localhost:8080`, `[::1]:8080` or `0.0.0.0:8080`; a port alone (`8080` or `:8080`) listens on
    /// 127.0.0.1; port 0 takes any that is free
    ///
    /// Other programs take `:8080` for every network interface. Here a server is opened to others by what was written and never by what
    /// was left out: write `0.0.0.0:8080`, or `[::]:8080` for IPv6 too.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000", value_parser = parse_listen)]
    pub listen: SocketAddr,

    /// Messages that one session may send per second in the long run; 0 for no bound on what is said, asked and answered, in messages, bytes
    /// and commands, of a session and of an address
    #[arg(long, value_name = "N", default_value_t = Limits::default().session.send_per_second)]
    pub send_rate: u32,

    /// Clients that may be connected from one address at once, over twice as many connections or half of those that there are; 0 for no
    /// bound on connections, new sessions and rooms of an address
    #[arg(long, value_name = "N", default_value_t = Limits::default().engine.connections_per_address_max)]
    pub sessions_per_address: usize,

    /// Speak TLS with the certificate in this file, in PEM, followed by those that vouch for it; read again at SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Going down, tell clients to come back spread over so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub drain_spread: u64,

    /// Believe a proxy at this address, or in this network, about where clients come from (X-Forwarded-For) and which host they asked
    /// for (X-Forwarded-Host, Forwarded); may be given several times
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    pub trusted_proxies: Vec<Network>,

    /// Let pages of this origin connect, too, for example `https://www.example.org`; may be given several times
    ///
    /// Pages of the host that a request is sent to always may, and programs that are no browsers.
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = parse_origin)]
    pub origins: Vec<String>,

    /// Answer to this name, for example `chat.example.org`, beside literal addresses and `localhost`, and to no other; may be given several
    /// times
    ///
    /// Where the server listens on a loopback or private address and trusts no proxy, it answers to no other name without this flag
    /// either: a stranger's page may have a name of its own point here.
    #[arg(long = "host", value_name = "NAME", value_parser = parse_host)]
    pub hosts: Vec<String>,
}

impl Flags {
    /// The default bounds, with what the flags say.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.session.send_per_second = self.send_rate;
        limits.engine.connections_per_address_max = self.sessions_per_address;
        // What one session may, its address may.
        let of_address = &mut limits.engine.address_sends_per_second;
        *of_address = self.send_rate.max(*of_address);
        if self.send_rate == 0 {
            limits.lift_rates();
        }
        if self.sessions_per_address == 0 {
            limits.lift_addresses();
        }
        limits
    }

    /// WebSocket, with what the flags say.
    pub fn ws(&self) -> WsConfig {
        WsConfig { address: self.address(), origins: self.origins(), proxies: self.proxies(), ..WsConfig::default() }
    }

    /// SSE and POST, with what the flags say.
    pub fn sse(&self) -> SseConfig {
        SseConfig { address: self.address(), origins: self.origins(), proxies: self.proxies(), ..SseConfig::default() }
    }

    /// Socket.IO, with what the flags say.
    pub fn socketio(&self) -> SocketIoConfig {
        let (address, origins, proxies) = (self.address(), self.origins(), self.proxies());
        let connections_per_address_max = self.sessions_per_address.saturating_mul(2);
        SocketIoConfig { address, origins, proxies, connections_per_address_max, ..SocketIoConfig::default() }
    }

    /// The serving loop for so many connections, with what the flags say.
    pub fn serve(&self, connections_max: usize) -> ServeConfig {
        // A client of streams has a second connection for its requests. And nobody alone may have them all.
        let of_address = self.sessions_per_address.saturating_mul(2).min((connections_max / 2).max(1));
        ServeConfig {
            connections_max,
            connections_per_address_max: if self.sessions_per_address == 0 { 0 } else { of_address },
            proxies: self.proxies(),
            ..ServeConfig::default()
        }
    }

    /// The certificate that the flags name, if they name one.
    ///
    /// # Errors
    /// Where the files cannot be used.
    pub fn tls(&self) -> Result<Option<Tls>, TlsError> {
        let files = self.tls_cert.as_ref().zip(self.tls_key.as_ref());
        files.map(|(certificate, key)| Tls::load(certificate, key)).transpose()
    }

    /// What the addresses of pages begin with.
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    /// Whether the server can be reached from other machines without TLS, as far as the flags tell: a proxy may speak it.
    pub(crate) fn is_in_the_open(&self) -> bool {
        !self.listen.ip().is_loopback() && self.tls_cert.is_none() && self.trusted_proxies.is_empty()
    }

    fn proxies(&self) -> TrustedProxies {
        TrustedProxies::new(self.trusted_proxies.iter().copied())
    }

    fn address(&self) -> ClientAddress {
        self.proxies().into()
    }

    fn origins(&self) -> Origins {
        match &self.origins[..] {
            [] => Origins::SameHost,
            listed => Origins::Listed(listed.to_vec()),
        }
    }

    /// The routes, answering only to the names that they may be asked by.
    pub fn guard(&self, routes: Router) -> Router {
        self.names().guard(routes, self.proxies())
    }

    fn names(&self) -> Hosts {
        // What a proxy hands on comes under the name that everybody knows; whoever asks past it finds no more than that.
        let is_open = self.hosts.is_empty() && !self.trusted_proxies.is_empty();
        let is_listed = !self.hosts.is_empty() || is_of_this_place(self.listen.ip());
        if is_listed && !is_open { Hosts::Named(self.hosts.clone()) } else { Hosts::Any }
    }

    /// How far apart clients are told to come back.
    pub fn drain_spread(&self) -> Duration {
        Duration::from_secs(self.drain_spread)
    }
}

/// Whether an address is this machine's alone, or of a private network.
fn is_of_this_place(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// An origin as browsers write it: a scheme, a host, and a port where it is not the scheme's own.
fn parse_origin(text: &str) -> Result<String, String> {
    let example = "write it as browsers do: https://www.example.org, or http://localhost:3000";
    let Ok(uri) = text.parse::<Uri>() else { return Err(example.to_owned()) };
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) if text.eq_ignore_ascii_case(&format!("{scheme}://{authority}")) => {
            let own_port = matches!((scheme, authority.port_u16()), ("http", Some(80)) | ("https", Some(443)));
            match own_port {
                true => Err(format!("browsers leave a scheme's own port out: {scheme}://{}", authority.host())),
                false => Ok(text.to_owned()),
            }
        }
        _ => Err(example.to_owned()),
    }
}

/// A name without a scheme, a port or a path.
fn parse_host(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match !text.is_empty() && text.chars().all(is_name) {
        true => Ok(text.to_owned()),
        false => Err("write a name alone, without scheme, port or path: chat.example.org".to_owned()),
    }
}

/// Why a server cannot listen where it is told to, with what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadListen {
    /// An address, and nothing behind it.
    #[error("it has no port; write {0}:5000")]
    NoPort(String),
    /// What stands behind the last colon.
    #[error("{0:?} is not a port, which is a number from 0 to 65535; write 127.0.0.1:5000, or only 5000")]
    Port(String),
    /// What stands in front of it, and the port.
    #[error(
        "{0:?} is not an address; write 127.0.0.1:{1} for this machine only, 0.0.0.0:{1} for every network, or [::]:{1} for IPv6 too"
    )]
    Address(String, u16),
}

/// Reads an address and port, or a port alone, which is of 127.0.0.1. No name but `localhost` is looked up: it may stand for an address of another
/// machine, or for several.
///
/// # Errors
/// See [`BadListen`].
pub fn parse_listen(text: &str) -> Result<SocketAddr, BadListen> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
        return Err(BadListen::NoPort(match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }));
    }
    let is_local = |host: &str| host.eq_ignore_ascii_case("localhost");
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = match text.rsplit_once(':') {
        Some(parts) => parts,
        None if is_number(text) => ("", text),
        None if is_local(text) => return Err(BadListen::NoPort(text.to_owned())),
        None => return Err(BadListen::Address(text.to_owned(), 5000)),
    };
    let port = port.parse().ok().filter(|_| is_number(port)).ok_or_else(|| BadListen::Port(port.to_owned()))?;
    if host.is_empty() || is_local(host) {
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    } else {
        Err(BadListen::Address(host.to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ConnectInfo;
    use axum::http::Request;
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        flags: Flags,
    }

    fn parse(arguments: &[&str]) -> Result<Flags, String> {
        let named = ["server"].iter().chain(arguments);
        Arguments::try_parse_from(named).map(|arguments| arguments.flags).map_err(|error| error.to_string())
    }

    #[test]
    fn proxies_are_trusted_that_were_named_and_no_others() {
        let find = |arguments: &[&str]| {
            let peer = SocketAddr::from(([10, 0, 0, 1], 1234));
            let request = Request::get("/ws").header("x-forwarded-for", "203.0.113.7, 192.0.2.1");
            let request = request.extension(ConnectInfo(peer)).body(()).expect("a request");
            let flags = parse(arguments).expect("they are right");
            let request = request.into_parts().0;
            let found = [flags.ws().address, flags.sse().address, flags.socketio().address];
            let found = found.map(|address| address.find(&request).expect("a peer").to_string());
            assert!(found.iter().all(|address| *address == found[0]), "{found:?}");
            found[0].clone()
        };
        assert_eq!(find(&[]), "10.0.0.1");
        assert_eq!(find(&["--trusted-proxy", "10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(find(&["--trusted-proxy", "192.0.2.1", "--trusted-proxy", "10.0.0.0/8"]), "203.0.113.7");
    }

    #[test]
    fn pages_of_listed_origins_may_connect_by_every_transport() {
        let flags = parse(&["--origin", "https://www.example.org", "--origin", "http://localhost:3000"]);
        let flags = flags.expect("they are right");
        let listed = Origins::Listed(vec!["https://www.example.org".to_owned(), "http://localhost:3000".to_owned()]);
        assert_eq!(
            [flags.ws().origins, flags.sse().origins, flags.socketio().origins].map(|it| it == listed),
            [true; 3]
        );
        assert_eq!(parse(&[]).expect("nothing is wrong").ws().origins, Origins::SameHost);
        for (origin, words) in [
            ("*", "https://www.example.org"),
            ("www.example.org", "https://www.example.org"),
            ("https://www.example.org/", "https://www.example.org"),
            ("https://www.example.org:443", "leave a scheme's own port out: https://www.example.org"),
            ("null", "https://www.example.org"),
        ] {
            let error = parse(&["--origin", origin]).expect_err(origin);
            assert!(error.contains(words), "{origin}: {error}");
        }
    }

    #[test]
    fn a_server_of_this_place_answers_to_addresses_alone_and_any_other_to_what_is_listed() {
        let names = |arguments: &[&str]| parse(arguments).expect("they are right").names();
        let named = |names: &[&str]| Hosts::Named(names.iter().map(|name| name.to_string()).collect());
        for listen in ["127.0.0.1:80", "192.168.1.7:80", "10.0.0.1:80", "[::1]:80", "[fd00::1]:80", "169.254.0.1:80"] {
            assert_eq!(names(&["--listen", listen]), named(&[]), "{listen}");
        }
        for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
            assert_eq!(names(&["--listen", listen]), Hosts::Any, "{listen}");
        }
        assert_eq!(names(&["--listen", "[::]:80", "--host", "a.example", "--host", "b"]), named(&["a.example", "b"]));
        assert_eq!(names(&["--trusted-proxy", "127.0.0.1"]), Hosts::Any);
        assert_eq!(names(&["--trusted-proxy", "127.0.0.1", "--host", "a.example"]), named(&["a.example"]));
        for host in ["https://a.example", "a.example:80", "", "a b"] {
            assert!(parse(&["--host", host]).expect_err(host).contains("chat.example.org"));
        }
    }

    #[test]
    fn a_zero_lifts_all_bounds_of_its_kind_and_none_of_the_other() {
        let limits = |arguments: &[&str]| parse(arguments).expect("they are right").limits();
        let (mut rates, mut addresses) = (Limits::default(), Limits::default());
        rates.lift_rates();
        addresses.lift_addresses();
        assert_eq!(limits(&[]), Limits::default());
        assert_eq!(limits(&["--send-rate", "0"]), rates);
        assert_eq!(limits(&["--sessions-per-address", "0"]), addresses);
        let of_address =
            |arguments: &[&str], all| parse(arguments).expect("they are right").serve(all).connections_per_address_max;
        assert_eq!(of_address(&[], 100_000), 512);
        assert_eq!(of_address(&[], 300), 150, "half of all");
        assert_eq!(of_address(&["--sessions-per-address", "0"], 300), 0);
        let fast = limits(&["--send-rate", "80"]);
        assert_eq!((fast.session.send_per_second, fast.engine.address_sends_per_second), (80, 80));
    }

    #[test]
    fn an_address_is_listened_on_as_it_is_written() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:8080", "0.0.0.0:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::]:0", "[::]:0"),
        ] {
            assert_eq!(parse_listen(text), Ok(address.parse().expect("an address")), "{text}");
        }
        assert_eq!(parse(&[]).expect("nothing is wrong").listen, SocketAddr::from(([127, 0, 0, 1], 5000)));
    }

    #[test]
    fn what_names_no_address_stays_on_this_machine() {
        for text in ["8080", ":8080", "localhost:8080", "LocalHost:8080"] {
            assert_eq!(parse_listen(text), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused_with_what_to_write() {
        for (text, advice) in [
            ("127.0.0.1", "write 127.0.0.1:5000"),
            ("::1", "write [::1]:5000"),
            ("[::1]", "write [::1]:5000"),
            ("localhost", "write localhost:5000"),
            ("localhost:", r#""" is not a port"#),
            ("", r#""" is not a port"#),
            ("example.org", r#""example.org" is not an address; write 127.0.0.1:5000"#),
            (":65536", r#""65536" is not a port"#),
            (":+80", r#""+80" is not a port"#),
            ("http://localhost:8080", r#""http://localhost" is not an address; write 127.0.0.1:8080"#),
            ("example.org:8080", r#""example.org" is not an address"#),
            ("*:8080", "0.0.0.0:8080 for every network"),
            ("::1:8080:x", r#""x" is not a port"#),
        ] {
            let error = parse_listen(text).map_err(|error| error.to_string()).expect_err(text);
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_with_what_one_looks_like() {
        for (value, words) in
            [("proxy.example.org", "192.0.2.1"), ("10.1.2.3/8", "10.0.0.0/8"), ("10.0.0.0/33", "fd00::/8")]
        {
            let error = parse(&["--trusted-proxy", value]).expect_err("no network");
            assert!(error.contains("--trusted-proxy <CIDR>") && error.contains(words), "{error}");
        }
    }
}
