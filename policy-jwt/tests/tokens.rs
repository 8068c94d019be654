//! Tokens, true and forged: which are good, and for what.

mod support;

use std::time::Duration;

use chat_core::{Admission, Identity, Nick, RejectCode, Role, RoomCode, Wall};
use policy_jwt::{JwtPolicy, Keys};
use serde_json::{Value, json};
use support::{
    Ed, NOW, RSA_PUBLIC, SECRET, base64url, claims, claims_with, config, hmac_of, hs256, policy, rs256, rsa_jwk, token,
    who,
};

const BAD: Result<String, RejectCode> = Err(RejectCode::BadToken);

fn ann() -> Result<String, RejectCode> {
    Ok("ann".to_owned())
}

#[test]
fn a_token_is_good_under_each_kind_of_key() {
    let ed = Ed::new();
    let (rs_header, ed_header) = (json!({"alg": "RS256"}), json!({"alg": "EdDSA"}));
    assert_eq!(who(&policy(SECRET), &hs256(SECRET, &claims())), ann());
    assert_eq!(who(&policy(&[SECRET, b"\n"].concat()), &hs256(SECRET, &claims())), ann(), "a line's end is none of it");
    assert_eq!(who(&policy(RSA_PUBLIC.as_bytes()), &rs256(&rs_header, &claims())), ann());
    assert_eq!(who(&policy(include_bytes!("rsa-public-pkcs1.pem")), &rs256(&rs_header, &claims())), ann());
    assert_eq!(who(&policy(ed.pem().as_bytes()), &ed.sign(&ed_header, &claims())), ann());
    assert_eq!(
        who(&policy(rsa_jwk("r").to_string().as_bytes()), &rs256(&rs_header, &claims())),
        ann(),
        "one key alone"
    );
    let set = json!({"keys": [rsa_jwk("r"), ed.jwk("e"), {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]});
    let set = policy(set.to_string().as_bytes());
    for kid in [json!("r"), Value::Null] {
        assert_eq!(who(&set, &rs256(&json!({"alg": "RS256", "kid": kid}), &claims())), ann());
    }
    assert_eq!(who(&set, &ed.sign(&json!({"alg": "EdDSA", "kid": "e"}), &claims())), ann());
    assert_eq!(who(&set, &ed.sign(&json!({"alg": "EdDSA", "kid": "other"}), &claims())), BAD);
    assert_eq!(who(&set, &Ed::new().sign(&json!({"alg": "EdDSA", "kid": "e"}), &claims())), BAD);
}

/// The oldest attack on these tokens: a public key, which everybody has, taken for a secret.
#[test]
fn a_public_key_is_never_a_secret() {
    let of_rsa = policy(RSA_PUBLIC.as_bytes());
    let der = pem::parse(RSA_PUBLIC).expect("PEM").into_contents();
    let pkcs1 = pem::parse(include_str!("rsa-public-pkcs1.pem")).expect("PEM").into_contents();
    let jwk = rsa_jwk("r");
    let texts = [jwk["n"].to_string(), jwk.to_string(), RSA_PUBLIC.trim().to_owned(), RSA_PUBLIC.to_owned()];
    for secret in texts.iter().map(String::as_bytes).chain([&der[..], &pkcs1[..]]) {
        assert_eq!(who(&of_rsa, &hs256(secret, &claims())), BAD);
        let wrong_name = token(&json!({"alg": "RS256"}), &claims(), |message| hmac_of(secret, message));
        assert_eq!(who(&of_rsa, &wrong_name), BAD);
    }
    let ed = Ed::new();
    let of_ed = policy(ed.pem().as_bytes());
    assert_eq!(who(&of_ed, &hs256(ed.pem().as_bytes(), &claims())), BAD);
    // And the other way round: what the secret has signed is no signature of another kind.
    let named_otherwise = |alg: &str| token(&json!({"alg": alg}), &claims(), |message| hmac_of(SECRET, message));
    for alg in ["RS256", "EdDSA", "HS384", "HS512", "ES256", "PS256", "hs256", "none", ""] {
        assert_eq!(who(&policy(SECRET), &named_otherwise(alg)), BAD, "{alg}");
    }
}

/// Nor is one in a form that is not read: whoever has the public key would sign.
#[test]
fn a_public_key_in_another_form_is_refused_and_not_taken_for_a_secret() {
    let der = pem::parse(RSA_PUBLIC).expect("PEM").into_contents();
    let ed = pem::parse(Ed::new().pem()).expect("PEM").into_contents();
    let list = json!([rsa_jwk("r")]).to_string();
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(RSA_PUBLIC.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let texts = [
        list,
        format!("\u{feff}{RSA_PUBLIC}"),
        format!("Public-Key: (2048 bit)\n{RSA_PUBLIC}"),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4n0 ann@example".to_owned(),
    ];
    for key in texts.iter().map(String::as_bytes).chain([&der[..], &ed[..], &utf16[..]]) {
        let read = policy_jwt::Keys::parse(key);
        assert!(matches!(read, Err(policy_jwt::KeyError::OtherForm)), "{read:?} of {}", String::from_utf8_lossy(key));
    }
}

#[test]
fn what_nobody_has_signed_is_good_for_nothing() {
    for alg in ["none", "None", "NONE", "HS256"] {
        let unsigned = token(&json!({"alg": alg}), &claims(), |_| Vec::new());
        assert_eq!(who(&policy(SECRET), &unsigned), BAD, "{alg}");
        assert_eq!(who(&policy(RSA_PUBLIC.as_bytes()), &unsigned), BAD, "{alg}");
    }
    let true_one = hs256(SECRET, &claims());
    let (head, signature) = true_one.rsplit_once('.').expect("three parts");
    let (header, _) = head.split_once('.').expect("three parts");
    let eve = base64url(claims_with("sub", "eve").to_string());
    for forged in [
        format!("{header}.{eve}.{signature}"),
        head.to_owned(),
        format!("{head}."),
        format!("{true_one}.{signature}"),
        format!("{true_one}="),
        "x".repeat(9_000),
        "..".to_owned(),
        "\u{1F98A}.a.b".to_owned(),
        String::new(),
    ] {
        assert_eq!(who(&policy(SECRET), &forged), BAD, "{forged}");
    }
}

/// A header is the attacker's to write, like all of a token before it is verified.
#[test]
fn a_token_brings_no_key_of_its_own() {
    let (ours, theirs) = (Ed::new(), Ed::new());
    let of_ours = policy(json!({"keys": [ours.jwk("e")]}).to_string().as_bytes());
    for header in [
        json!({"alg": "EdDSA", "jwk": theirs.jwk("e")}),
        json!({"alg": "EdDSA", "kid": "e", "jwk": theirs.jwk("e")}),
        json!({"alg": "EdDSA", "kid": "e", "jku": "https://evil.example.org/jwks.json"}),
        json!({"alg": "EdDSA", "kid": "../../dev/null", "x5u": "https://evil.example.org/"}),
    ] {
        assert_eq!(who(&of_ours, &theirs.sign(&header, &claims())), BAD, "{header}");
    }
    // What has to be understood and is not.
    assert_eq!(who(&of_ours, &ours.sign(&json!({"alg": "EdDSA", "crit": ["exp"], "exp": 1}), &claims())), BAD);
    assert_eq!(who(&of_ours, &ours.sign(&json!({"alg": "EdDSA", "kid": "e"}), &claims())), ann());
}

#[test]
fn a_token_is_good_in_its_time_and_half_a_minute_around_it() {
    let of = |claims: Value| who(&policy(SECRET), &hs256(SECRET, &claims));
    assert_eq!(of(claims_with("exp", NOW + 1)), ann());
    assert_eq!(of(claims_with("exp", NOW - 29)), ann());
    assert_eq!(of(claims_with("exp", NOW - 30)), Err(RejectCode::AuthExpired));
    assert_eq!(of(claims_with("exp", 0)), Err(RejectCode::AuthExpired));
    assert_eq!(of(claims_with("exp", NOW as f64 + 0.5)), ann());
    assert_eq!(of(claims_with("nbf", NOW + 30)), ann());
    assert_eq!(of(claims_with("nbf", NOW + 31)), BAD);
    // A time in words counted as none, once.
    for wrong in [json!("4102444800"), json!(null), json!(-1), json!(1e300), json!([NOW + 60]), json!(true)] {
        assert_eq!(of(claims_with("exp", wrong.clone())), BAD, "{wrong}");
    }
    for wrong in [json!("0"), json!(-1), json!({})] {
        assert_eq!(of(claims_with("nbf", wrong.clone())), BAD, "{wrong}");
    }
    assert_eq!(of(json!({"sub": "ann"})), BAD, "one that is good for ever");
    assert_eq!(of(json!({"exp": NOW + 60})), BAD, "one of nobody");
    for nobody in [json!(""), json!(17), json!("x".repeat(129))] {
        assert_eq!(of(claims_with("sub", nobody.clone())), BAD, "{nobody}");
    }
    let early = policy(SECRET).verify(&hs256(SECRET, &claims_with("nbf", NOW + 60))).expect_err("not good yet");
    assert_eq!(early.retry_after, Some(Duration::from_secs(60)));
}

#[test]
fn a_token_is_for_whom_and_of_whom_it_says() {
    let keys = || Keys::secret(SECRET).expect("a secret");
    let of = |policy: &JwtPolicy, claims: Value| who(policy, &hs256(SECRET, &claims));
    let open = JwtPolicy::new(keys(), config());
    assert_eq!(of(&open, claims_with("aud", "chat")), BAD, "whom it is for nobody here has said to be");
    assert_eq!(of(&open, claims_with("iss", "anybody")), ann());
    let chat = JwtPolicy::new(keys(), config().with_audience("chat").with_audience("talk"));
    assert_eq!(of(&chat, claims_with("aud", "chat")), ann());
    assert_eq!(of(&chat, claims_with("aud", json!(["mail", "talk"]))), ann());
    for other in [json!("mail"), json!(["mail"]), json!([]), json!(7), json!(null)] {
        assert_eq!(of(&chat, claims_with("aud", other.clone())), BAD, "{other}");
    }
    assert_eq!(of(&chat, claims()), BAD);
    let ours = JwtPolicy::new(keys(), config().with_issuer("https://id.example.org"));
    assert_eq!(of(&ours, claims_with("iss", "https://id.example.org")), ann());
    for other in [json!("https://id.example.org/"), json!(7), json!(null)] {
        assert_eq!(of(&ours, claims_with("iss", other.clone())), BAD, "{other}");
    }
    assert_eq!(of(&ours, claims()), BAD);
}

#[test]
fn claims_say_what_a_person_is_called_and_may() {
    let of = |claims: Value| policy(SECRET).verify(&hs256(SECRET, &claims)).map_err(|reject| reject.code);
    let admission = || Admission::of(Identity::new("ann")).with_expiry(Wall((NOW + 3_630) * 1_000));
    assert_eq!(of(claims()), Ok(admission()));
    let called = |nick: &str| Ok(admission().with_nick(Nick::parse(nick).expect("a nick")));
    assert_eq!(of(claims_with("name", "Ann")), called("Ann"));
    assert_eq!(
        of(claims_with("name", "Ann of the very long and winding name")),
        called("Ann of the very long and winding")
    );
    for none in [json!(""), json!("  "), json!(null)] {
        assert_eq!(of(claims_with("name", none.clone())), Ok(admission()), "{none}");
    }
    // Whoever may choose their name elsewhere does not get out of having one.
    assert_eq!(of(claims_with("name", "\u{202e}evil")), called("evil"));
    assert_eq!(of(claims_with("name", "a\nb")), called("ab"));
    for wrong in [json!("\u{200b}"), json!("\n"), json!(7), json!(["Ann"])] {
        assert_eq!(of(claims_with("name", wrong.clone())), Err(RejectCode::BadToken), "{wrong}");
    }
    for (said, role) in [("owner", Role::Owner), ("moderator", Role::Moderator), ("member", Role::Member)] {
        assert_eq!(of(claims_with("chat_role", said)), Ok(admission().with_role(role)));
    }
    let rooms = ["LUNCH", "TEA"].map(|code| RoomCode::parse(code).expect("a code"));
    assert_eq!(of(claims_with("chat_rooms", json!(["lunch", "TEA"]))), Ok(admission().with_rooms(rooms)));
    assert_eq!(of(claims_with("chat_rooms", json!([]))), Ok(admission().with_rooms([])), "none at all");
    // What is misspelt must not open everything.
    for wrong in [json!("LUNCH"), json!(["a b"]), json!([7]), json!({}), json!(vec!["A-ROOM"; 1_025])] {
        assert_eq!(of(claims_with("chat_rooms", wrong.clone())).expect_err("no list of rooms"), RejectCode::BadToken);
    }
    for wrong in [json!("admin"), json!("Owner"), json!(1), json!([])] {
        assert_eq!(of(claims_with("chat_role", wrong.clone())).expect_err("no role"), RejectCode::BadToken, "{wrong}");
    }
}
