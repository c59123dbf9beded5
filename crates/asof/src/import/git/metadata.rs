//! Author and message of a commit, out of the commit object itself.

use asof_time::limits::{AUTHOR_BYTES_MAX, MESSAGE_BYTES_MAX};

/// Who made a commit and why, within the limits of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) author: String,
    pub(super) message: String,
}

/// Longest note about a message that was cut, in bytes.
const NOTE_BYTES_MAX: usize = 64;

const _: () = assert!(NOTE_BYTES_MAX < MESSAGE_BYTES_MAX);

/// Reads a commit object: header lines, an empty line, the message.
///
/// Nothing is refused, since nobody can mend an old commit: bytes that are not UTF-8 are replaced,
/// a missing author is empty, and what is too long is cut. The line feeds that end a message are
/// the editor's and are dropped.
pub(super) fn parse(commit: &[u8]) -> Metadata {
    let mut rest = commit;
    let mut author: &[u8] = b"";
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if let Some(ident) = line.strip_prefix(b"author ") {
            author = ident;
        }
    }
    Metadata {
        author: author_of(&String::from_utf8_lossy(author)),
        message: message_of(String::from_utf8_lossy(rest).trim_end_matches('\n')),
    }
}

/// `Name <email>` of `Name <email> seconds zone`.
fn author_of(ident: &str) -> String {
    let person = match ident.rfind('>') {
        Some(end) => ident.get(..=end).unwrap_or(ident),
        None => ident,
    };
    let person = person.trim();
    person[..person.floor_char_boundary(AUTHOR_BYTES_MAX)].to_owned()
}

fn message_of(message: &str) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let note = format!("\n\n[cut: the whole message has {} bytes]", message.len());
    assert!(note.len() <= NOTE_BYTES_MAX, "the note holds one number");
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX - note.len());
    format!("{}{note}", &message[..end])
}

#[cfg(test)]
mod tests {
    use asof_time::limits::{AUTHOR_BYTES_MAX, MESSAGE_BYTES_MAX};

    use super::parse;

    #[test]
    fn author_and_message_are_found() {
        let commit = b"tree 0\nparent 1\nauthor A U Thor <a@b.example> 12 +0100\n\
            committer C <c@d> 13 +0000\ngpgsig -----BEGIN\n author X <x@y> 1 +0000\n\
            \nSubject\n\nauthor B <b@b> 1 +0000\n\n";
        let metadata = parse(commit);
        assert_eq!(metadata.author, "A U Thor <a@b.example>");
        assert_eq!(metadata.message, "Subject\n\nauthor B <b@b> 1 +0000");
    }

    #[test]
    fn what_is_missing_is_empty() {
        for commit in [&b""[..], b"tree 0", b"tree 0\n", b"tree 0\n\n", b"\n"] {
            let metadata = parse(commit);
            assert_eq!((metadata.author.as_str(), metadata.message.as_str()), ("", ""));
        }
        assert_eq!(parse(b"author  <> 1 +0000\n\nx").author, "<>");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let metadata = parse(b"author J\xfcrgen <j@x> 1 +0000\n\ncaf\xe9");
        assert_eq!(metadata.author, "J\u{fffd}rgen <j@x>");
        assert_eq!(metadata.message, "caf\u{fffd}");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let commit = format!("author {} <a@b> 1 +0000\n\nx{}", "é".repeat(200), "é".repeat(40_000));
        let metadata = parse(commit.as_bytes());
        assert_eq!(metadata.author, "é".repeat(AUTHOR_BYTES_MAX / 2));
        assert!(metadata.message.len() <= MESSAGE_BYTES_MAX);
        assert!(metadata.message.len() > MESSAGE_BYTES_MAX - 4);
        assert!(metadata.message.ends_with("é\n\n[cut: the whole message has 80001 bytes]"));
        let exact = format!("\n{}", "x".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(parse(exact.as_bytes()).message.len(), MESSAGE_BYTES_MAX);
    }
}
