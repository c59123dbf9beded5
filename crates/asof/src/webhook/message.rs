//! What is sent, and how it is signed: Standard Webhooks, specification 1.0.

use asof_api::body::ControlBody;
use asof_time::{Epoch, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;
use serde::Serialize;

/// What a secret begins with as text.
const SECRET_PREFIX: &str = "whsec_";

/// Bytes of a secret, as the specification bounds them.
const SECRET_BYTES: core::ops::RangeInclusive<usize> = 24..=64;

/// A message: the same bytes and id however often it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    /// By which whoever is told knows it again.
    pub(crate) id: String,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

#[derive(Serialize)]
struct Event<'a, T> {
    r#type: &'a str,
    timestamp: String,
    data: T,
}

#[derive(Serialize)]
struct Data<'a> {
    epoch: String,
    #[serde(flatten)]
    record: &'a ControlBody,
}

impl Message {
    /// About one control record of the timeline `epoch`.
    pub(crate) fn about(epoch: Epoch, record: &ControlBody) -> Self {
        let event = Event {
            r#type: &format!("control.{}", record.action),
            timestamp: record.at.0.to_string(),
            data: Data { epoch: epoch.to_string(), record },
        };
        Self::of(format!("asof_{epoch}_{}", record.sequence), &event)
    }

    /// One by which a receiver is tried out. It is about nothing.
    pub(crate) fn trial(now: Timestamp, drawn: u64) -> Self {
        let event = Event {
            r#type: "webhook.test",
            timestamp: now.to_string(),
            data: serde_json::json!({ "message": "asof webhook test" }),
        };
        Self::of(format!("asof_test_{drawn:016x}"), &event)
    }

    fn of<T: Serialize>(id: String, event: &Event<'_, T>) -> Self {
        let body = serde_json::to_vec(event).unwrap_or_else(|error| {
            unreachable!("texts and numbers are JSON: {error}");
        });
        Self { id, body }
    }
}

/// A secret shared with whoever is told.
pub(crate) struct Secret(Vec<u8>);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    ///
    /// What it should be; never what it is.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "a secret is `{SECRET_PREFIX}` and base64 of {} to {} bytes, such as \
                 `echo {SECRET_PREFIX}$(head -c 32 /dev/urandom | base64)` makes",
                SECRET_BYTES.start(),
                SECRET_BYTES.end()
            )
        };
        let encoded = text.trim().strip_prefix(SECRET_PREFIX).ok_or_else(wanted)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| wanted())?;
        if SECRET_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(wanted()) }
    }

    /// The value of `webhook-signature` for `message`, sent at `seconds` since 1970.
    pub(crate) fn sign(&self, message: &Message, seconds: u64) -> String {
        let mut hmac = Hmac::<Sha256>::new(&self.0);
        hmac.update(message.id.as_bytes());
        hmac.update(format!(".{seconds}.").as_bytes());
        hmac.update(&message.body);
        format!("v1,{}", STANDARD.encode(hmac.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    #[test]
    fn a_signature_is_the_one_that_the_specification_expects() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            body: br#"{"test": 2432232314}"#.to_vec(),
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret.sign(&message, 1_614_265_330), expected);
    }

    #[test]
    fn a_weak_or_misspelt_secret_is_refused_and_not_repeated() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_?"]
        {
            let why = Secret::parse(text).unwrap_err();
            assert!(why.contains("24 to 64 bytes") && !why.contains("c2hvcnQ"), "{why}");
        }
    }

    #[test]
    fn a_message_is_the_same_each_time_and_has_an_id_without_dots() {
        let at = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
        let record = ControlBody {
            sequence: 7,
            at: at.into(),
            by: "ada".to_owned(),
            reason: "prices".to_owned(),
            action: "cap-set".to_owned(),
            subject: "x".to_owned(),
            detail: "y".to_owned(),
        };
        let epoch: Epoch = "000000000000ab".parse().unwrap();
        let message = Message::about(epoch, &record);
        assert_eq!(message, Message::about(epoch, &record));
        assert!(!message.id.contains('.') && message.id.ends_with("_7"), "{}", message.id);
        let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(event["type"], "control.cap-set");
        assert_eq!(event["timestamp"], "2023-11-14T22:13:20Z");
        assert_eq!((&event["data"]["sequence"], &event["data"]["by"]), (&7.into(), &"ada".into()));
    }
}
