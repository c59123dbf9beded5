//! Every maximum that more than one crate must agree on, with its unit and its reason.

use core::time::Duration;

/// Longest key, in bytes of UTF-8. Long enough for a path or a URL, short enough that an
/// index page holds several.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Longest space name, in bytes. A name appears in URLs, metrics and file names.
pub const SPACE_NAME_BYTES_MAX: usize = 64;

/// Most spaces in one store: each costs a little memory for ever.
pub const SPACES_MAX: usize = 4_096;

/// Largest value unless configured otherwise, in bytes.
pub const VALUE_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// Largest value that can be configured, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

/// Longest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 255;

/// Longest author, in bytes.
pub const AUTHOR_BYTES_MAX: usize = 256;

/// Longest message, in bytes. Longer ones of imported commits are cut, and say so.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Longest source id of an imported commit, in bytes: a SHA-256 in hex has 64.
pub const SOURCE_ID_BYTES_MAX: usize = 128;

/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// How long the outcome of an idempotency key is remembered.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_hours(7 * 24);

/// Most writes in one commit.
pub const COMMIT_WRITES_MAX: usize = 262_144;

/// Largest commit, all keys and values together, in bytes. It is in memory while it is made.
pub const COMMIT_BYTES_MAX: usize = 256 << 20;

/// Most entries of one page of a listing.
pub const PAGE_ENTRIES_MAX: usize = 10_000;

/// Entries of one page of a listing unless asked otherwise.
pub const PAGE_ENTRIES_DEFAULT: usize = 1_000;

/// Most keys of one multi-key read.
pub const MULTI_KEYS_MAX: usize = 1_000;

/// Longest name, or reason, of who does something to the control state, in bytes.
pub const ACTOR_TEXT_BYTES_MAX: usize = 4 << 10;

/// Longest pin name, owner or reason, in bytes.
pub const PIN_TEXT_BYTES_MAX: usize = 1_024;

/// Most live pins: each one is looked at whenever the floor moves.
pub const PINS_MAX: usize = 10_000;

/// Longest life of a pin before it must be renewed.
pub const PIN_TTL_MAX: Duration = Duration::from_hours(366 * 24);

/// Longest life of a cap that ends by itself: one that is forgotten for longer is no incident.
pub const CAP_TTL_MAX: Duration = Duration::from_hours(366 * 24);

/// Most commits marked bad at a time: each is looked at whenever something becomes visible again.
pub const BAD_COMMITS_MAX: usize = 1_000;

/// Longest name of a release, in bytes.
pub const RELEASE_NAME_BYTES_MAX: usize = 128;

/// Most releases, past ones too: their names and what happened to them are in memory. One a day
/// for 27 years.
pub const RELEASES_MAX: usize = 10_000;

/// Most events of one release before it must be cancelled and planned anew.
pub const RELEASE_EVENTS_MAX: usize = 100;

/// How far ahead a commit may be scheduled, unless configured otherwise.
pub const SCHEDULE_LIMIT_DEFAULT: Duration = Duration::from_hours(400 * 24);

/// How far the durable ceiling runs ahead of closed at most.
pub const CEILING_AHEAD: Duration = Duration::from_secs(1);

/// How often closed moves when nothing is written, unless configured otherwise.
pub const IDLE_TICK_DEFAULT: Duration = Duration::from_millis(10);

/// A jump of the wall clock against the boot-time clock past which a running store turns
/// read-only, unless configured otherwise.
pub const CLOCK_JUMP_LIMIT_DEFAULT: Duration = Duration::from_hours(1);

/// A distance between the wall clock and the stored ceiling past which a store does not start
/// to write. Larger than the running limit, since the machine may have been off.
pub const CLOCK_START_LIMIT_DEFAULT: Duration = Duration::from_hours(366 * 24);

/// Most commits that share one durable write.
pub const GROUP_COMMITS_MAX: usize = 1_024;

/// Bytes after which a group of commits is closed and written.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// Requests that may wait for the writer before new ones are refused as unavailable.
pub const WRITE_QUEUE_MAX: usize = 4_096;

/// Longest wait of a read for a moment that is not yet closed.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

const _: () = assert!(VALUE_BYTES_MAX_DEFAULT <= VALUE_BYTES_MAX);
const _: () = assert!(VALUE_BYTES_MAX <= COMMIT_BYTES_MAX);
const _: () = assert!(PAGE_ENTRIES_DEFAULT <= PAGE_ENTRIES_MAX);
const _: () = assert!(CLOCK_JUMP_LIMIT_DEFAULT.as_secs() < CLOCK_START_LIMIT_DEFAULT.as_secs());
const _: () = assert!(CEILING_AHEAD.as_micros() < CLOCK_JUMP_LIMIT_DEFAULT.as_micros());
const _: () = assert!(IDLE_TICK_DEFAULT.as_micros() < CEILING_AHEAD.as_micros());
const _: () = assert!(SPACES_MAX <= u32::MAX as usize);
