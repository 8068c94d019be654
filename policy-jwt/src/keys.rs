//! The keys that tokens are verified with, out of a file: each with the one algorithm that it is good for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use super::der::{self, PublicKey};

/// The longest file read: a key set of 32 keys has less.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// The most keys of a set: some are tried one after the other.
const KEYS_MAX: usize = 32;
/// The shortest secret: as long as what HS256 makes of it (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// The shortest modulus.
const RSA_BITS_MIN: usize = 2_048;

/// What tokens are verified with.
pub struct Keys(pub(crate) Vec<Key>);

pub(crate) struct Key {
    /// The name under which tokens ask for it, where it has one.
    pub(crate) id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

/// Why keys cannot be used. Shows nothing of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is longer than any key set.
    #[error("it is longer than 64 KiB")]
    TooLong,
    /// A private key, which a server that verifies does not need.
    #[error("it holds a private key: give the public one, as `openssl pkey -pubout` writes it")]
    Private,
    /// Something else in PEM.
    #[error("it holds {0:?} in PEM; write a PUBLIC KEY, of RSA or Ed25519")]
    OtherPem(String),
    /// A public key that cannot be read, or of another kind.
    #[error("its public key is none of RSA or Ed25519 that can be read")]
    OtherKey,
    /// What looks like a public key in a form that is not read here. Taken for a secret it would be one that everybody knows.
    #[error(
        "it looks like a public key or a key set in another form: write PEM (`openssl pkey -pubout`) or a JSON Web Key Set, in UTF-8 alone"
    )]
    OtherForm,
    /// An RSA key that is too short.
    #[error("its RSA key has less than 2048 bits")]
    ShortRsa,
    /// A secret that could be guessed.
    #[error("its secret has less than 32 bytes; `openssl rand -base64 48` makes one")]
    ShortSecret,
    /// JSON that is no key set.
    #[error("it is no JSON Web Key Set")]
    NoSet,
    /// A secret in a key set, which others can read: whoever has seen the set would sign.
    #[error("its key set holds a secret (kty oct), and whoever reads the set could sign: write the secret alone")]
    SecretInSet,
    /// Two keys under one name.
    #[error("its key set has two keys of one kid")]
    Twice,
    /// No key that is of use.
    #[error("its key set holds no key for RS256 or EdDSA")]
    NoKey,
    /// More keys than are ever needed.
    #[error("its key set holds more than 32 keys")]
    TooMany,
    /// Keys that came from no file.
    #[error("these keys came from no file that could be read again")]
    NoFile,
}

impl Keys {
    /// Reads a file, which holds a public key in PEM, a key set in JSON, or a secret.
    ///
    /// # Errors
    /// Where it cannot be used, and why.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > FILE_BYTES_MAX {
            true => Err(KeyError::TooLong),
            false => Self::parse(&bytes),
        }
    }

    /// The same, of what is in such a file.
    ///
    /// # Errors
    /// Where it cannot be used, and why.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let start = bytes.trim_ascii_start();
        if start.starts_with(b"{") {
            return key_set(start);
        }
        if start.starts_with(b"-----BEGIN ") {
            return Ok(Self(vec![of_pem(start)?]));
        }
        if is_public(start) {
            return Err(KeyError::OtherForm);
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Self::secret(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// A secret, for HS256.
    ///
    /// # Errors
    /// Where it has less than 32 bytes.
    pub fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret);
        }
        let key = DecodingKey::from_secret(secret).map_err(|_| KeyError::ShortSecret)?;
        Ok(Self(vec![Key { id: None, algorithm: Algorithm::HS256, key }]))
    }

    /// Those that may have signed a token with this header: of its algorithm, and of the name that it gives, where both have one.
    pub(crate) fn of<'a>(&'a self, algorithm: Algorithm, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        let may_be = move |key: &&Key| match (&key.id, id) {
            (Some(known), Some(asked)) => known == asked,
            _ => true,
        };
        self.0.iter().filter(move |key| key.algorithm == algorithm).filter(may_be)
    }
}

/// Whether this looks like a key that others know, and not like a secret: DER, OpenSSH, a list of keys, or a text with something before its
/// beginning, a mark of its encoding or what `openssl -text` says.
fn is_public(bytes: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [b"[", b"ssh-", b"ecdsa-", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    let has = |part: &[u8]| bytes.windows(part.len()).any(|found| found == part);
    let begins = BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning));
    begins || has(b"-----BEGIN ") || has(b"\"kty\"") || der::is_whole(bytes)
}

impl fmt::Debug for Keys {
    /// Without the keys, of which one may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.algorithm)).finish()
    }
}

fn of_pem(bytes: &[u8]) -> Result<Key, KeyError> {
    let pem = pem::parse(bytes).map_err(|_| KeyError::OtherKey)?;
    let key = match pem.tag() {
        "PUBLIC KEY" => der::subject_public_key(pem.contents()),
        "RSA PUBLIC KEY" => der::rsa_public_key(pem.contents()),
        private if private.ends_with("PRIVATE KEY") => return Err(KeyError::Private),
        other => return Err(KeyError::OtherPem(other.to_owned())),
    };
    match key.ok_or(KeyError::OtherKey)? {
        PublicKey::Rsa { n, e } => rsa(None, &n, &e),
        PublicKey::Ed25519(key) => {
            Ok(Key { id: None, algorithm: Algorithm::EdDSA, key: DecodingKey::from_ed_der(&key) })
        }
    }
}

fn rsa(id: Option<String>, n: &[u8], e: &[u8]) -> Result<Key, KeyError> {
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    match bits < RSA_BITS_MIN {
        true => Err(KeyError::ShortRsa),
        false => Ok(Key { id, algorithm: Algorithm::RS256, key: DecodingKey::from_rsa_raw_components(n, e) }),
    }
}

fn key_set(json: &[u8]) -> Result<Keys, KeyError> {
    let value: serde_json::Value = serde_json::from_slice(json).map_err(|_| KeyError::NoSet)?;
    let set = match value.get("keys") {
        Some(_) => serde_json::from_value::<JwkSet>(value).map_err(|_| KeyError::NoSet)?.keys,
        None => vec![serde_json::from_value::<Jwk>(value).map_err(|_| KeyError::NoSet)?],
    };
    if set.len() > KEYS_MAX {
        return Err(KeyError::TooMany);
    }
    let mut keys: Vec<Key> = Vec::new();
    for jwk in &set {
        let Some(key) = of_set(jwk)? else { continue };
        if key.id.is_some() && keys.iter().any(|known| known.id == key.id) {
            return Err(KeyError::Twice);
        }
        keys.push(key);
    }
    match keys.is_empty() {
        true => Err(KeyError::NoKey),
        false => Ok(Keys(keys)),
    }
}

/// `None` for a key that is for something else.
fn of_set(jwk: &Jwk) -> Result<Option<Key>, KeyError> {
    let common = &jwk.common;
    let is_for = |algorithm| common.key_algorithm.is_none_or(|said| said == algorithm);
    if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return Ok(None);
    }
    let id = common.key_id.clone();
    match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => Err(KeyError::SecretInSet),
        AlgorithmParameters::RSA(said) if is_for(KeyAlgorithm::RS256) => {
            let key = DecodingKey::from_rsa_components(&said.n, &said.e).map_err(|_| KeyError::OtherKey)?;
            let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return Err(KeyError::OtherKey) };
            rsa(id, &der::without_zeros(n), &der::without_zeros(e)).map(Some)
        }
        AlgorithmParameters::OctetKeyPair(said)
            if said.curve == EllipticCurve::Ed25519 && is_for(KeyAlgorithm::EdDSA) =>
        {
            let key = DecodingKey::from_ed_components(&said.x).map_err(|_| KeyError::OtherKey)?;
            let is_whole = key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == 32);
            is_whole.then(|| Some(Key { id, algorithm: Algorithm::EdDSA, key })).ok_or(KeyError::OtherKey)
        }
        _ => Ok(None),
    }
}
