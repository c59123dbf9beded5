//! `asof put`

use std::path::{Path, PathBuf};

use asof_time::limits::VALUE_BYTES_MAX;
use clap::Args;

use super::write_args::WriteArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::{files, show};

/// Write the value of a key
///
/// The value is a file, standard input, or the text given by --value; its bytes are kept as they
/// are. A space that does not exist is created. Nothing is overwritten: what the key held before
/// stays readable at its own time.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof put prices usd rate.json
  echo '{\"eur\": 1.09}' | asof put prices usd
  asof put users 42/name --value 'Ada' --content-type 'text/plain; charset=utf-8'
  asof put prices usd new.json --effective-at 2027-01-01T00:00:00Z -m 'new year prices'
  asof put locks nightly --value '\"host-1\"' --if-absent

Without --content-type it is taken from the file's extension, else from the bytes: what parses
as JSON is application/json, other UTF-8 is text/plain, all else application/octet-stream.")]
pub(crate) struct Put {
    /// The space
    space: String,
    /// The key
    key: String,
    /// The file with the value; `-` or nothing for standard input
    file: Option<PathBuf>,
    /// The value itself
    #[arg(long, value_name = "TEXT", conflicts_with = "file", allow_hyphen_values = true)]
    value: Option<String>,
    /// What the bytes are
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

impl Put {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client_of_new()?;
        let file = self.file.as_deref();
        let bytes = match self.value {
            Some(text) => text.into_bytes(),
            None => files::read_input(file.unwrap_or(Path::new("-")), VALUE_BYTES_MAX as u64)?,
        };
        let content_type = match &self.content_type {
            Some(given) => given,
            None => guess_type(file, &bytes),
        };
        let when = show::When::of(self.write.effective_at);
        let options = self.write.into_options();
        let receipt = client.put(&self.space, &self.key, content_type, bytes.into(), &options)?;
        show::receipt(&mut context.out, &receipt, when)?;
        Ok(Exit::Done)
    }
}

/// The content type of `bytes` out of `file`.
fn guess_type(file: Option<&Path>, bytes: &[u8]) -> &'static str {
    let extension =
        file.and_then(Path::extension).and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "json" => return asof_api::JSON,
        "txt" => return asof_api::TEXT,
        "csv" => return "text/csv; charset=utf-8",
        "md" => return "text/markdown; charset=utf-8",
        "html" => return "text/html; charset=utf-8",
        "xml" => return "application/xml",
        "yaml" | "yml" => return "application/yaml",
        "toml" => return "application/toml",
        "png" => return "image/png",
        "jpg" | "jpeg" => return "image/jpeg",
        "pdf" => return "application/pdf",
        "bin" => return asof_api::BINARY,
        _ => {}
    }
    match core::str::from_utf8(bytes) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => asof_api::JSON,
        Ok(_) => asof_api::TEXT,
        Err(_) => asof_api::BINARY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_from_the_extension_else_from_the_bytes() {
        assert_eq!(guess_type(Some(Path::new("a.json")), b"{"), asof_api::JSON);
        assert_eq!(guess_type(Some(Path::new("a")), b"{}\n"), asof_api::JSON);
        assert_eq!(guess_type(None, b"1.5"), asof_api::JSON);
        assert_eq!(guess_type(None, b"hello"), asof_api::TEXT);
        assert_eq!(guess_type(None, b""), asof_api::TEXT);
        assert_eq!(guess_type(None, b"\xff"), asof_api::BINARY);
    }
}
