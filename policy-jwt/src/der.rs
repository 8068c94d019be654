//! The few bytes of DER around a public key: what kind it is of, and its numbers.

/// A public key, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// The modulus and the exponent, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// Its 32 bytes.
    Ed25519(Vec<u8>),
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1, rsaEncryption.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.3.101.112, Ed25519.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A `SubjectPublicKeyInfo` (RFC 5280), of which one of these two kinds is known.
pub(crate) fn subject_public_key(der: &[u8]) -> Option<PublicKey> {
    let (whole, []) = read(der, SEQUENCE)? else { return None };
    let (algorithm, rest) = read(whole, SEQUENCE)?;
    let (kind, _) = read(algorithm, OBJECT)?;
    let (bits, []) = read(rest, BIT_STRING)? else { return None };
    // How many bits of the last byte are none of it: none.
    let (0, key) = bits.split_first().map(|(unused, key)| (*unused, key))? else { return None };
    match kind {
        RSA => rsa_public_key(key),
        ED25519 => (key.len() == 32).then(|| PublicKey::Ed25519(key.to_vec())),
        _ => None,
    }
}

/// An `RSAPublicKey` (RFC 8017).
pub(crate) fn rsa_public_key(der: &[u8]) -> Option<PublicKey> {
    let (whole, []) = read(der, SEQUENCE)? else { return None };
    let (n, rest) = read(whole, INTEGER)?;
    let (e, []) = read(rest, INTEGER)? else { return None };
    Some(PublicKey::Rsa { n: without_zeros(n), e: without_zeros(e) })
}

pub(crate) fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// Whether this is one sequence and nothing else, as a public key is.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    matches!(read(bytes, SEQUENCE), Some((_, [])))
}

/// What a value of this tag holds, and what follows it.
fn read(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_cut_off_or_has_more_behind_it_is_none() {
        let key: Vec<u8> = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03], ED25519, &[0x03, 0x21, 0x00], &[7; 32]].concat();
        assert_eq!(subject_public_key(&key), Some(PublicKey::Ed25519(vec![7; 32])));
        for end in 0..key.len() {
            assert_eq!(subject_public_key(&key[..end]), None, "{end}");
        }
        assert_eq!(subject_public_key(&[&key[..], &[0]].concat()), None);
        let rsa = [0x30, 0x08, 0x02, 0x03, 0x00, 0xc1, 0x05, 0x02, 0x01, 0x03];
        assert_eq!(rsa_public_key(&rsa), Some(PublicKey::Rsa { n: vec![0xc1, 0x05], e: vec![3] }));
        assert_eq!(rsa_public_key(&[0x30, 0x84, 0, 0, 0, 0]), None);
    }
}
