//! Who makes tokens, honest or not: keys of the tests' own, and a clock that stands.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its part")]

use std::sync::Arc;

use chat_core::{Clock, Mono, Now, RejectCode, Wall};
use policy_jwt::{JwtConfig, JwtPolicy, Keys};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{hmac, signature};
use serde_json::{Value, json};

/// What time it is in these tests, in seconds.
pub const NOW: u64 = 1_790_000_000;

pub const SECRET: &[u8] = b"a secret of the tests, and long enough";
pub const RSA_PUBLIC: &str = include_str!("../rsa-public.pem");
const RSA_PRIVATE: &str = include_str!("../rsa.pem");

/// One that stands still.
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> Now {
        Now { wall: Wall(NOW * 1_000), mono: Mono(0) }
    }

    fn instant(&self, _: Mono) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}

pub fn config() -> JwtConfig {
    JwtConfig::default().with_clock(Arc::new(Noon))
}

pub fn policy(keys: &[u8]) -> JwtPolicy {
    JwtPolicy::new(Keys::parse(keys).expect("keys"), config())
}

/// Ann's, good for an hour.
pub fn claims() -> Value {
    json!({"sub": "ann", "exp": NOW + 3_600})
}

/// With one claim more, or another one.
pub fn claims_with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

/// A token of this header, signed by whatever this makes of it.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64url(signature))
}

pub fn hs256(secret: &[u8], claims: &Value) -> String {
    token(&json!({"alg": "HS256", "typ": "JWT"}), claims, |message| hmac_of(secret, message))
}

pub fn hmac_of(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

pub fn rs256(header: &Value, claims: &Value) -> String {
    let key = RsaKeyPair::from_pkcs8(pem::parse(RSA_PRIVATE).expect("PEM").contents()).expect("a key");
    token(header, claims, |message| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("signed");
        signature
    })
}

/// The numbers of the RSA key, as a key set says them.
pub fn rsa_jwk(id: &str) -> Value {
    let key = RsaKeyPair::from_pkcs8(pem::parse(RSA_PRIVATE).expect("PEM").contents()).expect("a key");
    let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
    json!({"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": base64url(public.n), "e": base64url(public.e)})
}

/// A key of Ed25519, drawn for one test.
pub struct Ed(Ed25519KeyPair);

impl Ed {
    pub fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("drawn");
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        token(header, claims, |message| self.0.sign(message).as_ref().to_vec())
    }

    pub fn jwk(&self, id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": base64url(self.0.public_key())})
    }

    pub fn pem(&self) -> String {
        let start = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        pem::encode(&pem::Pem::new("PUBLIC KEY", [&start, self.0.public_key().as_ref()].concat()))
    }
}

/// Who comes in by a token, or the code that it is refused with; the token is in no refusal.
pub fn who(policy: &JwtPolicy, token: &str) -> Result<String, RejectCode> {
    match policy.verify(token) {
        Ok(admission) => Ok(admission.identity.expect("a person").as_str().to_owned()),
        Err(reject) => {
            assert!(token.split('.').all(|part| part.len() < 8 || !reject.to_string().contains(part)), "{reject}");
            Err(reject.code)
        }
    }
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |bytes: &[u8]| {
        let bits = bytes.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        (0..=bytes.len()).map(move |at| char::from(SIGNS[(bits >> (18 - 6 * at)) as usize & 63])).collect::<String>()
    };
    bytes.as_ref().chunks(3).map(group).collect()
}
