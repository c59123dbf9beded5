//! Guessing what a value is from the path it is found under.

/// Bytes about which nothing is known.
pub(crate) const BINARY: &str = "application/octet-stream";

/// Text about which nothing more is known.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// The content type of `value` found under `path`.
///
/// The extension decides where it names a format (case does not matter). Text formats are
/// claimed for UTF-8 only: a wrong charset shows as garbage, `application/octet-stream` as a
/// download. Without a telling extension, UTF-8 without NUL bytes is plain text, which is what
/// `LICENSE`, `Makefile` and the source files of most languages are.
pub(crate) fn guess(path: &str, value: &[u8]) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match format_of(&extension.to_ascii_lowercase()) {
        Some(Format::Bytes(content_type)) => content_type,
        Some(Format::Utf8(content_type)) if is_text(value) => content_type,
        None if is_text(value) => TEXT,
        Some(Format::Utf8(_)) | None => BINARY,
    }
}

/// The content type of a symbolic link, whose value is the path it points to.
pub(crate) fn of_link(target: &[u8]) -> &'static str {
    if is_text(target) { TEXT } else { BINARY }
}

enum Format {
    /// Holds whatever the bytes are.
    Bytes(&'static str),
    /// Holds only if the bytes are UTF-8.
    Utf8(&'static str),
}

/// The formats a browser or an editor treats differently from plain text or a download.
fn format_of(extension: &str) -> Option<Format> {
    Some(match extension {
        "css" => Format::Utf8("text/css; charset=utf-8"),
        "csv" => Format::Utf8("text/csv; charset=utf-8"),
        "htm" | "html" => Format::Utf8("text/html; charset=utf-8"),
        "js" | "mjs" => Format::Utf8("text/javascript; charset=utf-8"),
        "json" => Format::Utf8("application/json"),
        "markdown" | "md" => Format::Utf8("text/markdown; charset=utf-8"),
        "svg" => Format::Utf8("image/svg+xml"),
        "toml" => Format::Utf8("application/toml"),
        "xml" => Format::Utf8("application/xml"),
        "yaml" | "yml" => Format::Utf8("application/yaml"),
        "avif" => Format::Bytes("image/avif"),
        "gif" => Format::Bytes("image/gif"),
        "gz" => Format::Bytes("application/gzip"),
        "ico" => Format::Bytes("image/vnd.microsoft.icon"),
        "jpeg" | "jpg" => Format::Bytes("image/jpeg"),
        "mp3" => Format::Bytes("audio/mpeg"),
        "mp4" => Format::Bytes("video/mp4"),
        "otf" => Format::Bytes("font/otf"),
        "pdf" => Format::Bytes("application/pdf"),
        "png" => Format::Bytes("image/png"),
        "ttf" => Format::Bytes("font/ttf"),
        "wasm" => Format::Bytes("application/wasm"),
        "webp" => Format::Bytes("image/webp"),
        "woff" => Format::Bytes("font/woff"),
        "woff2" => Format::Bytes("font/woff2"),
        "zip" => Format::Bytes("application/zip"),
        "zst" => Format::Bytes("application/zstd"),
        _ => return None,
    })
}

/// NUL is valid UTF-8, yet no text has it.
fn is_text(value: &[u8]) -> bool {
    !value.contains(&0) && core::str::from_utf8(value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{BINARY, TEXT, guess, of_link};

    #[test]
    fn the_extension_decides_where_it_names_a_format() {
        assert_eq!(guess("a/b.json", b"{}"), "application/json");
        assert_eq!(guess("README.MD", b"# A"), "text/markdown; charset=utf-8");
        assert_eq!(guess("logo.png", b"\x89PNG"), "image/png");
        assert_eq!(guess("empty.png", b""), "image/png");
    }

    #[test]
    fn text_is_claimed_for_utf8_only() {
        assert_eq!(guess("page.html", b"caf\xe9"), BINARY);
        assert_eq!(guess("data.json", b"{\0}"), BINARY);
        assert_eq!(guess("notes.txt", b"caf\xe9"), BINARY);
    }

    #[test]
    fn without_a_telling_extension_the_bytes_decide() {
        for path in ["LICENSE", "src/main.rs", "v1.json/LICENSE", ".gitignore", "a."] {
            assert_eq!(guess(path, "Grüße".as_bytes()), TEXT, "{path}");
            assert_eq!(guess(path, b"\0\x01"), BINARY, "{path}");
        }
        assert_eq!(guess("empty", b""), TEXT);
    }

    #[test]
    fn a_link_is_its_target_whatever_its_name() {
        assert_eq!(of_link(b"images/logo.png"), TEXT);
        assert_eq!(of_link(b"caf\xe9"), BINARY);
    }
}
