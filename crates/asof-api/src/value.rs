//! Values within JSON.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The content type of `value`.
pub const JSON: &str = "application/json";
/// The content type of `value_text` unless given.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// The content type of `value_base64` unless given.
pub const BINARY: &str = "application/octet-stream";

/// What a write puts, as found in a request.
#[derive(Clone, Copy, Debug)]
pub struct ValueInput<'a> {
    /// The member `value`.
    pub value: Option<&'a RawValue>,
    /// The member `value_text`.
    pub value_text: Option<&'a str>,
    /// The member `value_base64`.
    pub value_base64: Option<&'a str>,
    /// The member `content_type`.
    pub content_type: Option<&'a str>,
    /// The member `delete`.
    pub delete: Option<bool>,
}

/// What a write does to its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueForm<'a> {
    /// It holds these bytes of this content type.
    Put {
        /// What the bytes are.
        content_type: &'a str,
        /// The bytes; of a JSON value its exact text.
        bytes: Vec<u8>,
    },
    /// It is absent.
    Delete,
}

/// Why the members of a write are not one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueFormError {
    /// None, or more than one, of the forms is given.
    NotOne,
    /// `value_base64` is not base64.
    Base64,
    /// A deletion has no content type.
    DeleteWithType,
}

impl fmt::Display for ValueFormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOne => {
                "a write has exactly one of `value`, `value_text`, `value_base64` and \
                 `\"delete\": true`"
            }
            Self::Base64 => "`value_base64` is not base64 with padding",
            Self::DeleteWithType => "a deletion has no `content_type`",
        })
    }
}

impl core::error::Error for ValueFormError {}

impl<'a> ValueInput<'a> {
    /// The one form that is given.
    ///
    /// # Errors
    ///
    /// Where there is none, or more than one, or it is not well formed.
    pub fn form(self) -> Result<ValueForm<'a>, ValueFormError> {
        let put = |default: &'a str, bytes: Vec<u8>| ValueForm::Put {
            content_type: self.content_type.unwrap_or(default),
            bytes,
        };
        match (self.value, self.value_text, self.value_base64, self.delete.unwrap_or(false)) {
            (Some(json), None, None, false) => Ok(put(JSON, json.get().as_bytes().to_vec())),
            (None, Some(text), None, false) => Ok(put(TEXT, text.as_bytes().to_vec())),
            (None, None, Some(base64), false) => STANDARD
                .decode(base64)
                .map(|bytes| put(BINARY, bytes))
                .map_err(|_| ValueFormError::Base64),
            (None, None, None, true) if self.content_type.is_some() => {
                Err(ValueFormError::DeleteWithType)
            }
            (None, None, None, true) => Ok(ValueForm::Delete),
            _ => Err(ValueFormError::NotOne),
        }
    }
}

/// A value in an answer: as JSON where it is JSON, else as base64.
#[derive(Clone, Debug)]
pub enum ValueOutput {
    /// The exact text of a JSON value.
    Json(Box<RawValue>),
    /// Any bytes.
    Base64(Base64),
}

impl ValueOutput {
    /// How `bytes` of `content_type` are shown. What calls itself JSON and is not is shown as
    /// base64, so that it cannot break the answer around it.
    pub fn new(content_type: &str, bytes: &[u8]) -> Self {
        if content_type == JSON
            && let Ok(text) = core::str::from_utf8(bytes)
            && let Ok(json) = RawValue::from_string(text.to_owned())
            // Surrounding white space is not part of a JSON value and would be lost.
            && json.get().len() == bytes.len()
        {
            return Self::Json(json);
        }
        Self::Base64(Base64(bytes.to_vec()))
    }

    /// The two members that an answer may have, of which one is present.
    pub fn members(self) -> (Option<Box<RawValue>>, Option<Base64>) {
        match self {
            Self::Json(json) => (Some(json), None),
            Self::Base64(base64) => (None, Some(base64)),
        }
    }
}

/// Bytes, as base64 with padding (RFC 4648, section 4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Base64 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Base64".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "contentEncoding": "base64" })
    }
}

/// Reads a member that is there, `null` included: a JSON `null` is a value like any other.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}
