use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;
use graviola::signing::ecdsa::{P256, SigningKey};
use graviola::signing::{eddsa, rsa};
use serde_json::json;

use super::*;

const SECRET: &str = "a secret of more than thirty-two bytes";

fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_500_000).expect("a timestamp")
}

fn token(alg: &str, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let head = json!({ "alg": alg, "typ": "JWT" }).to_string();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(&head), part(&claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn by_secret(message: &[u8]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new(SECRET);
    hmac.update(message);
    hmac.finish().as_ref().to_vec()
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

fn good() -> Value {
    json!({ "exp": 1_700_000_001, "role": "admin", "age": 7, "list": ["no"] })
}

#[test]
fn each_kind_of_key_has_its_algorithm() {
    let mut space = [0; 1024];
    let rsa = rsa::SigningKey::generate(rsa::KeySize::Rsa2048).expect("a key");
    let rsa_pem = pem(rsa.public_key().to_spki_der(&mut space).expect("fits"));
    let p256 = SigningKey::<P256>::generate().expect("a key");
    let p256_pem = pem(p256.to_spki_der(&mut space).expect("fits"));
    let edwards = eddsa::Ed25519SigningKey::generate().expect("a key");
    let edwards_pem = pem(edwards.public_key().to_spki_der(&mut space).expect("fits"));
    let by_rsa = |message: &[u8]| {
        let mut space = [0; 512];
        rsa.sign_pkcs1_sha256(&mut space, message).expect("signs").to_vec()
    };
    let by_p256 = |message: &[u8]| {
        let mut space = [0; 64];
        p256.sign::<Sha256>(&[message], &mut space).expect("signs").to_vec()
    };
    let tokens = [
        ("HS256", SECRET.to_owned(), token("HS256", &good(), by_secret)),
        ("RS256", rsa_pem, token("RS256", &good(), by_rsa)),
        ("ES256", p256_pem, token("ES256", &good(), by_p256)),
        ("EdDSA", edwards_pem, token("EdDSA", &good(), |message| edwards.sign(message).to_vec())),
    ];
    for (algorithm, key, _) in &tokens {
        let jwt = Jwt::new(key, None, None).expect("the key is good");
        assert_eq!(jwt.key.algorithm(), *algorithm);
        for (other, _, token) in &tokens {
            let claims = jwt.claims(token, now());
            assert_eq!(claims.is_ok(), algorithm == other, "{algorithm} {other}");
            assert!(claims.is_err() || claims.is_ok_and(|claims| claims["role"] == "admin"));
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // Whoever holds the public key could sign by it, if a token might choose the algorithm.
    let edwards = eddsa::Ed25519SigningKey::generate().expect("a key");
    let mut space = [0; 128];
    let key = pem(edwards.public_key().to_spki_der(&mut space).expect("fits"));
    let jwt = Jwt::new(&key, None, None).expect("the key is good");
    let forged = token("HS256", &good(), |message| {
        let mut hmac = Hmac::<Sha256>::new(&key);
        hmac.update(message);
        hmac.finish().as_ref().to_vec()
    });
    assert!(jwt.claims(&forged, now()).is_err());
    for alg in ["none", "None", "EdDSA"] {
        assert!(jwt.claims(&token(alg, &good(), |_| Vec::new()), now()).is_err(), "{alg}");
    }
}

#[test]
fn a_token_is_good_for_a_time_an_issuer_and_an_audience() {
    let strict = Jwt::new(SECRET, Some("us".into()), Some("shop".into())).expect("good");
    let loose = Jwt::new(SECRET, None, None).expect("good");
    let try_it =
        |jwt: &Jwt, claims: Value| jwt.claims(&token("HS256", &claims, by_secret), now()).is_ok();
    let (ends, ended) = (1_700_000_001, 1_700_000_000);
    assert!(try_it(&loose, json!({ "exp": ends })));
    assert!(!try_it(&loose, json!({ "exp": ended })));
    assert!(!try_it(&loose, json!({})));
    assert!(!try_it(&loose, json!({ "exp": "1800000000" })));
    assert!(try_it(&loose, json!({ "exp": ends, "nbf": ended })));
    assert!(!try_it(&loose, json!({ "exp": ends + 99, "nbf": ends + 60 })));
    assert!(!try_it(&loose, json!({ "exp": ends, "aud": "shop" })));
    assert!(try_it(&strict, json!({ "exp": ends, "iss": "us", "aud": ["x", "shop"] })));
    assert!(!try_it(&strict, json!({ "exp": ends, "iss": "us" })));
    assert!(!try_it(&strict, json!({ "exp": ends, "iss": "them", "aud": "shop" })));
    assert!(!try_it(&strict, json!({ "exp": ends, "aud": "shop" })));
}

#[test]
fn what_was_changed_or_is_no_token_is_refused() {
    let jwt = Jwt::new(SECRET, None, None).expect("good");
    let token = token("HS256", &good(), by_secret);
    let (head, rest) = token.split_once('.').expect("three parts");
    let (_, signature) = rest.split_once('.').expect("three parts");
    let other = URL_SAFE_NO_PAD.encode(json!({ "exp": 1_800_000_000 }).to_string());
    for wrong in
        [format!("{head}.{other}.{signature}"), format!("{token}.x"), "..".into(), String::new()]
    {
        assert!(jwt.claims(&wrong, now()).is_err(), "{wrong}");
    }
    let claims = jwt.claims(&token, now()).expect("it is good");
    assert_eq!(claims.get("age").map(String::as_str), Some("7"));
    assert_eq!(claims.get("list"), None, "a list is no value");
}

#[test]
fn keys_that_are_none_are_refused() {
    for (text, part) in [
        ("short", "32 bytes"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "private"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "PUBLIC KEY"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no key"),
    ] {
        let refused = Jwt::new(text, None, None).expect_err(text);
        assert!(refused.contains(part), "{refused}");
    }
}
