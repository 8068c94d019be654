//! The address of a database, as `libpq` has it: what of it says how a connection is encrypted is read here, all else by the driver.

use std::net::IpAddr;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::{OpenError, words};

/// How far a connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Not at all.
    Plain,
    /// Encrypted, and whoever answers may be anybody.
    Encrypted,
    /// Encrypted, and whoever answers is whom the address names, by a certificate of one of the authorities in this file.
    Verified(PathBuf),
}

/// What an address says.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) protection: Protection,
}

/// Reads an address. No error of it has a word of it that may be a part of the password.
pub(crate) fn parse(text: &str) -> Result<Address, OpenError> {
    let refused = |why: &str| OpenError::Address(why.to_owned());
    let (rest, modes) = take(text, "sslmode");
    let (rest, roots) = take(&rest, "sslrootcert");
    let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        match may_have_password(text) {
            true => refused("it is no `postgres://USER:PASSWORD@HOST/DATABASE` with every special letter as `%` and two digits, and none of \
                             libpq's key words"),
            false => OpenError::Address(words(&error)),
        }
    })?;
    let roots = roots.last().map(PathBuf::from);
    let is_here = config.get_hosts().iter().all(is_on_this_machine);
    let (mode, protection) = match (modes.last().map(String::as_str), roots) {
        (Some("verify-full"), Some(roots)) => (SslMode::Require, Protection::Verified(roots)),
        (Some("verify-full"), None) => {
            return Err(refused(
                "sslmode=verify-full needs sslrootcert=FILE, the authorities that are believed; those of the system are in \
                 /etc/ssl/certs/ca-certificates.crt or the like",
            ));
        }
        (_, Some(_)) => {
            return Err(refused("sslrootcert is for sslmode=verify-full: nothing else looks at certificates"));
        }
        (Some("disable"), None) => (SslMode::Disable, Protection::Plain),
        (Some("prefer"), None) => (SslMode::Prefer, Protection::Encrypted),
        (Some("require"), None) => (SslMode::Require, Protection::Encrypted),
        (None, None) if is_here => (SslMode::Prefer, Protection::Encrypted),
        (None, None) => {
            return Err(refused(
                "a database on another machine needs a word on TLS: sslmode=verify-full with sslrootcert=FILE; or require, which does not \
                 look at who answers; prefer, which does without where the other side does not know it; or disable",
            ));
        }
        (Some(_), None) => return Err(refused("sslmode is one of disable, prefer, require and verify-full")),
    };
    // Who reads what goes through a socket of this machine can read the memory of both ends.
    let is_socket =
        !config.get_hosts().is_empty() && config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
    let (mode, protection) = if is_socket { (SslMode::Disable, Protection::Plain) } else { (mode, protection) };
    config.ssl_mode(mode);
    Ok(Address { config, protection })
}

/// Whether a database is on this machine, as far as its address tells.
///
/// # Errors
/// [`OpenError::Address`].
pub fn is_local(address: &str) -> Result<bool, OpenError> {
    Ok(parse(address)?.config.get_hosts().iter().all(is_on_this_machine))
}

fn may_have_password(text: &str) -> bool {
    text.contains("password") || text.contains('@')
}

fn is_on_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(path) => path.is_absolute(),
    }
}

/// The address without an option, and the values that it gives it.
fn take(text: &str, name: &str) -> (String, Vec<String>) {
    match ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        true => take_from_url(text, name),
        false => take_from_words(text, name),
    }
}

fn take_from_url(text: &str, name: &str) -> (String, Vec<String>) {
    let Some((base, query)) = text.split_once('?') else { return (text.to_owned(), Vec::new()) };
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    for option in query.split('&') {
        match option.split_once('=') {
            Some((key, value)) if key == name => taken.push(decoded(value)),
            _ => kept.push(option),
        }
    }
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    (rest, taken)
}

/// `%` and two digits are a byte. What is none stays as it is.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Of `key = value` words, whose values may be quoted with `'`, and in which `\` takes the next letter as it is.
fn take_from_words(text: &str, name: &str) -> (String, Vec<String>) {
    let (mut kept, mut taken) = (String::new(), Vec::new());
    let mut letters = text.char_indices().peekable();
    while let Some(&(start, first)) = letters.peek() {
        if first.is_whitespace() {
            letters.next();
            continue;
        }
        let (mut key, mut value) = (String::new(), String::new());
        while let Some((_, letter)) = letters.next_if(|(_, letter)| *letter != '=') {
            key.push(letter);
        }
        letters.next();
        while letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {}
        let is_quoted = letters.next_if(|(_, letter)| *letter == '\'').is_some();
        while let Some((_, letter)) = letters.next() {
            match letter {
                '\'' if is_quoted => break,
                '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                letter => value.push(letter),
            }
            if !is_quoted && letters.peek().is_some_and(|(_, next)| next.is_whitespace()) {
                break;
            }
        }
        if key.trim() == name {
            taken.push(value);
        } else {
            let end = letters.peek().map_or(text.len(), |(end, _)| *end);
            kept.push_str(&text[start..end]);
            kept.push(' ');
        }
    }
    (kept.trim_end().to_owned(), taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> (SslMode, Protection) {
        let address = parse(text).expect("a good address");
        (address.config.get_ssl_mode(), address.protection)
    }

    fn refused(text: &str) -> String {
        parse(text).map(|address| address.protection).expect_err("a bad address").to_string()
    }

    #[test]
    fn the_mode_is_read_from_both_forms_of_an_address() {
        let verified = (SslMode::Require, Protection::Verified("/a b/root.crt".into()));
        assert_eq!(
            mode("postgres://u:p@db.example.com/chat?sslmode=verify-full&sslrootcert=%2Fa%20b/root.crt"),
            verified
        );
        assert_eq!(mode("host=db sslmode = verify-full user='a b' sslrootcert='/a b/root.crt'"), verified);
        assert_eq!(
            mode("postgresql://db/chat?sslmode=require&connect_timeout=3"),
            (SslMode::Require, Protection::Encrypted)
        );
        assert_eq!(mode("postgres://db/chat?sslmode=prefer"), (SslMode::Prefer, Protection::Encrypted));
        assert_eq!(mode("postgres://db/chat?sslmode=disable"), (SslMode::Disable, Protection::Plain));
        assert_eq!(mode("postgres://127.0.0.1/chat"), (SslMode::Prefer, Protection::Encrypted));
        assert_eq!(mode("host=/run/postgresql user=u sslmode=require"), (SslMode::Disable, Protection::Plain));
    }

    #[test]
    fn what_is_left_is_the_drivers() {
        let text = r"host=db password='it\'s sslmode=x' sslmode=disable user=a\ b connect_timeout=7";
        let config = parse(text).expect("a good address").config;
        assert_eq!(config.get_password(), Some(b"it's sslmode=x".as_slice()));
        assert_eq!((config.get_user(), config.get_ssl_mode()), (Some("a b"), SslMode::Disable));
        let config =
            parse("postgres://u:p%3F@db/chat?sslmode=disable&application_name=x").expect("a good address").config;
        assert_eq!((config.get_password(), config.get_dbname()), (Some(b"p?".as_slice()), Some("chat")));
    }

    #[test]
    fn another_machine_needs_a_word_on_tls_and_half_of_one_is_refused() {
        assert!(refused("postgres://db.example.com/chat").contains("needs a word on TLS"));
        assert!(refused("postgres://db/chat?sslmode=verify-full").contains("sslrootcert=FILE"));
        assert!(refused("postgres://db/chat?sslmode=require&sslrootcert=/a").contains("verify-full"));
        assert!(refused("postgres://db/chat?sslmode=verify-ca").contains("is one of"));
        assert!(refused("postgres://db/chat?sslmode=disable&no_such=1").contains("no_such"));
    }

    #[test]
    fn no_error_says_a_part_of_the_password() {
        for text in [
            "postgres://u:changeme@db/chat?sslmode=disable&changeme=1",
            "host=db sslmode=disable password=or changeme=1",
            "host=db sslmode=disable password='changeme",
            "postgres://u:changeme@db:changeme/chat?sslmode=disable",
            "postgres://u:changeme@db/chat",
            "postgres://u:changeme@db/chat?sslmode=changeme",
        ] {
            assert!(!refused(text).contains("changeme"), "{}", refused(text));
        }
    }
}
