//! What routes take in query and headers.

/// A query parameter or a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub place: Place,
    /// What it holds.
    pub kind: ParamKind,
    /// What it does.
    pub about: &'static str,
    /// Whether the request is refused without it.
    pub required: bool,
}

/// Where a parameter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the query.
    Query,
    /// Among the headers.
    Header,
}

/// What a parameter holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamKind {
    /// A timestamp: RFC 3339, or an integer of microseconds.
    Moment,
    /// A date as RFC 9110 has it, to the second.
    HttpDate,
    /// An epoch: 14 hexadecimal digits.
    Epoch,
    /// A whole number, from 0.
    Count,
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
}

const fn query(name: &'static str, kind: ParamKind, about: &'static str) -> Param {
    Param { name, place: Place::Query, kind, about, required: false }
}

const fn header(name: &'static str, kind: ParamKind, about: &'static str) -> Param {
    Param { name, place: Place::Header, kind, about, required: false }
}

impl Param {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

pub(super) const AS_OF: Param = query(
    "as_of",
    ParamKind::Moment,
    "The moment to read at; latest where it is not given, here or in a header",
);
pub(super) const EPOCH: Param = query(
    "epoch",
    ParamKind::Epoch,
    "Refuses the request where the store's epoch is another. With `as_of` it makes the answer \
     cacheable for ever",
);
pub(super) const WAIT: Param = query(
    "wait",
    ParamKind::Count,
    "How many milliseconds to wait, at most 60000, for a moment that is not closed yet",
);
pub(super) const PREVIEW: Param = query(
    "preview",
    ParamKind::Flag,
    "Reads at `as_of`, closed or not and capped or not, with the commits that are pending now. \
     The answer may still change and carries no validity. Takes a writer",
);
pub(super) const WAIT_FOR: Param =
    query("wait_for", ParamKind::Moment, "Waits until closed is at least this, or `wait` is over");
pub(super) const LIMIT: Param = query(
    "limit",
    ParamKind::Count,
    "Entries of the page at most, 1 to 10000; 1000 where it is not given",
);
pub(super) const PREFIX: Param = query("prefix", ParamKind::Text, "Only keys that begin with this");
pub(super) const AFTER_KEY: Param =
    query("after", ParamKind::Text, "Only keys after this one: the `next` of the page before");
pub(super) const VALUES: Param = query("values", ParamKind::Flag, "Whether to carry the values");
pub(super) const HISTORY_FROM: Param =
    query("from", ParamKind::Moment, "Only versions that are still true at this moment or later");
pub(super) const BEFORE: Param = query(
    "before",
    ParamKind::Moment,
    "Only versions written before this moment: the `next` of the page before",
);
pub(super) const DIFF_FROM: Param = query("from", ParamKind::Moment, "The first moment").required();
pub(super) const DIFF_TO: Param = query("to", ParamKind::Moment, "The second moment").required();
pub(super) const AFTER_CURSOR: Param = query(
    "after",
    ParamKind::Text,
    "Only what comes after this cursor; from the beginning where it is not given",
);
pub(super) const SPACES: Param = query(
    "spaces",
    ParamKind::Text,
    "Only commits that write into one of these spaces, separated by commas",
);
pub(super) const PENDING: Param = query(
    "pending",
    ParamKind::Flag,
    "Commits that are still to take effect, in place of those that have",
);
pub(super) const HEARTBEAT: Param = query(
    "heartbeat",
    ParamKind::Count,
    "How many milliseconds may pass without a message, 10 to 60000; 1000 where it is not given",
);
pub(super) const DRY_RUN: Param = query("dry_run", ParamKind::Flag, "Only says what would change");
pub(super) const ABOVE_CAP: Param = query(
    "above_cap",
    ParamKind::Flag,
    "Reads what the cap holds back, up to closed; at closed where no moment is given. Takes an \
     operator, and nobody keeps the answer",
);
pub(super) const CONFIRM: Param = query(
    "confirm",
    ParamKind::Text,
    "The second word where many keys are touched, as the refusal says it: `48213-keys`. It holds \
     while there are at most a tenth more",
);
pub(super) const CONFIRM_ERASURE: Param = query(
    "confirm",
    ParamKind::Text,
    "The second word, which every erasure takes, as the dry run says it: `12-versions`. It holds \
     while there are at most a tenth more",
);
pub(super) const EVEN_BAD: Param = query(
    "even_bad",
    ParamKind::Flag,
    "Does it even where readers would see commits again that are marked bad",
);
pub(super) const CAP_AT: Param = query(
    "at",
    ParamKind::Moment,
    "Only where the cap is at this moment; anywhere else is refused",
);
pub(super) const AFTER_NUMBER: Param =
    query("after", ParamKind::Count, "Only records after the one with this number");

pub(super) const KEEP_LATER: Param = query(
    "keep_later",
    ParamKind::Flag,
    "Keys that were written after the release keep that, and the others are rolled back; else \
     nothing is",
);
pub(super) const HELD: Param = query(
    "held",
    ParamKind::Flag,
    "Counts the bytes that each pin holds back, by walking the spaces whose retention waits for it",
);

pub(super) const H_AS_OF: Param =
    header("As-Of", ParamKind::Moment, "The moment to read at; `as_of` in the query wins");
pub(super) const H_ACCEPT_DATETIME: Param = header(
    "Accept-Datetime",
    ParamKind::HttpDate,
    "RFC 7089: the moment to read at, to the second; clamped to what can be read. `as_of` and \
     `As-Of` win",
);
pub(super) const H_TOKEN: Param = header(
    "Asof-Token",
    ParamKind::Text,
    "A session token, from the answer to a write: the read is of that moment or later",
);
pub(super) const H_IF_NONE_MATCH: Param = header(
    "If-None-Match",
    ParamKind::Text,
    "Entity tags; where the value's is among them the answer is 304, with its validity",
);
pub(super) const H_EFFECTIVE_AT: Param = header(
    "Effective-At",
    ParamKind::Moment,
    "The future moment at which it shall take effect; now where it is not given",
);
pub(super) const H_IF_MATCH: Param =
    header("If-Match", ParamKind::Text, "The entity tag that the value must have, or `*` for any");
pub(super) const H_IF_NONE_MATCH_ANY: Param =
    header("If-None-Match", ParamKind::Text, "Only `*`: the key must hold no value");
pub(super) const H_IF_UNCHANGED_SINCE: Param = header(
    "If-Unchanged-Since",
    ParamKind::Moment,
    "The key must not have been written after this moment",
);
pub(super) const H_IDEMPOTENCY_KEY: Param = header(
    "Idempotency-Key",
    ParamKind::Text,
    "The caller's name for the request, 1 to 255 bytes: repeated, it has no further effect and \
     gives the same answer, for 7 days",
);
pub(super) const H_AUTHOR: Param = header("Asof-Author", ParamKind::Text, "Who, as UTF-8");
pub(super) const H_MESSAGE: Param = header("Asof-Message", ParamKind::Text, "Why, as UTF-8");
pub(super) const H_REASON: Param = header("Asof-Reason", ParamKind::Text, "Why, as UTF-8");
pub(super) const H_LAST_EVENT_ID: Param = header(
    "Last-Event-ID",
    ParamKind::Text,
    "A cursor, as the browser's EventSource sends it; wins over `after`",
);
