//! The maxima of the service, with unit and reason.

use core::time::Duration;

use asof_time::limits::WAIT_MAX;

/// Connections at once, unless configured otherwise: each costs a task and its buffers.
pub(crate) const CONNECTIONS_DEFAULT: usize = 4_096;

/// Threads that speak with clients: one a core, up to this many.
pub(crate) const LANES_MAX: usize = 64;

/// Bytes that are parsed or hashed on a lane, while its other connections wait: a fraction of a
/// millisecond.
pub(crate) const ON_LANE_BYTES_MAX: usize = 64 << 10;

/// Feed followers at once, unless configured otherwise.
pub(crate) const FOLLOWERS_DEFAULT: usize = 1_024;

/// Requests that walk the store at once: each occupies a thread.
pub(crate) const WALKS_MAX: usize = 32;

/// Asks of the feed at once: each is a page, so they take turns quickly.
pub(crate) const FEED_ASKS_MAX: usize = 16;

/// Requests with a large body at once: each is in memory while it is worked on.
pub(crate) const LARGE_BODIES_MAX: usize = 8;

/// Backups at once: each holds a snapshot of the engine.
pub(crate) const BACKUPS_MAX: usize = 2;

/// Messages of the feed between the store and a slow reader.
pub(crate) const FEED_CHUNKS_MAX: usize = 8;

/// Items of one page of the feed.
pub(crate) const FEED_PAGE_ITEMS: usize = 256;

/// How long a follower is without a message, unless it asks otherwise.
pub(crate) const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(1);

/// The shortest it may ask for: the idle tick of the store.
pub(crate) const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// The longest it may ask for: a silent connection is cut by what lies between.
pub(crate) const HEARTBEAT_MAX: Duration = Duration::from_mins(1);

/// How long a follower may take to receive the last message.
pub(crate) const END_WAIT: Duration = Duration::from_secs(1);

/// Bytes of a backup that are sent at once.
pub(crate) const BACKUP_CHUNK_BYTES: usize = 256 << 10;

/// Chunks of a backup between the store and a slow reader.
pub(crate) const BACKUP_CHUNKS_MAX: usize = 4;

/// How long a request waits for its turn before it is refused as unavailable.
pub(crate) const TURN_WAIT: Duration = Duration::from_secs(10);

/// How long a read waits for the moment of its session token, unless it says otherwise: the
/// token was handed out closed, so only a lagging replica makes it wait at all.
pub(crate) const SESSION_WAIT: Duration = Duration::from_secs(2);

/// How long a request body may take to arrive, unless configured otherwise.
pub(crate) const BODY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a client may take nothing of its answer, unless configured otherwise.
pub(crate) const WRITE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a request head may take to arrive, and a connection be idle between two, unless
/// configured otherwise.
pub(crate) const HEADER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// How long a connection may be without a new request, unless configured otherwise.
pub(crate) const IDLE_TIMEOUT_DEFAULT: Duration = Duration::from_mins(2);

/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests under way may take to end when the service stops, unless configured
/// otherwise.
pub(crate) const DRAIN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Bytes of a request head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Requests at once on one HTTP/2 connection.
pub(crate) const STREAMS_MAX: u32 = 256;

/// Keys that a control action may touch without a second word, unless configured otherwise: more
/// than a slip of one team's data, less than a shop's.
pub(crate) const CONFIRM_ABOVE_KEYS_DEFAULT: u64 = 10_000;

/// Sessions of the console at once: past it the one that was longest without a request ends.
pub(crate) const SESSIONS_MAX: usize = 1_024;

/// How long a session of the console lives without a request.
pub(crate) const SESSION_IDLE: Duration = Duration::from_hours(1);

/// How long it lives at all.
pub(crate) const SESSION_LIFE: Duration = Duration::from_hours(12);

/// Bytes of a form of the console: its fields are keys, names and reasons.
pub(crate) const FORM_BYTES_MAX: usize = 32 << 10;

/// Bytes of the form in which a release is planned. Half of what is typed is percent-encoded, and
/// it is sent back with the page that says what it would do.
pub(crate) const PLAN_FORM_BYTES_MAX: usize = 1 << 20;

/// Writes of a plan that are compared with what is read now, each a read.
pub(crate) const PLANNED_COMPARED_MAX: usize = 1_000;

/// Writes of a plan that are shown.
pub(crate) const PLANNED_ROWS: usize = 20;

/// Lines that are shown of what differs in one of them.
pub(crate) const PLANNED_LINES_MAX: usize = 60;

/// Fields of one form or query of the console.
pub(crate) const FIELDS_MAX: usize = 32;

/// How long a page waits for what is counted in the background before it goes without.
pub(crate) const COUNT_WAIT: Duration = Duration::from_millis(50);

/// A space is not counted anew before so many times of what counting took.
pub(crate) const COUNT_REST: u32 = 20;

/// And never before this.
pub(crate) const COUNT_REST_MIN: Duration = Duration::from_secs(2);

/// Webhooks at most: each has a thread of its own.
pub(crate) const WEBHOOKS_MAX: usize = 8;

/// Letters of the name of one.
pub(crate) const WEBHOOK_NAME_MAX: usize = 64;

/// Edges that may tell how they stand at once.
pub(crate) const EDGES_MAX: usize = 64;

/// Bytes of what one of them tells.
pub(crate) const EDGE_REPORT_BYTES_MAX: usize = 256 << 10;

/// Routes of it.
pub(crate) const EDGE_ROUTES_MAX: usize = 256;

/// Releases of services that it reads.
pub(crate) const EDGE_RELEASES_MAX: usize = 256;

/// Bytes of its name.
pub(crate) const EDGE_NAME_BYTES_MAX: usize = 128;

/// Reports of which the outcomes are kept: ten minutes of them.
pub(crate) const EDGE_SAMPLES: usize = 61;

/// Silence after which an edge is late: it tells every ten seconds.
pub(crate) const EDGE_LATE: Duration = Duration::from_secs(30);

/// Silence after which it is forgotten.
pub(crate) const EDGE_GONE: Duration = Duration::from_hours(1);

/// Commits read at once to count them.
pub(crate) const COUNT_PAGE_COMMITS: usize = 500;

/// Keys of one page of the console.
pub(crate) const CONSOLE_KEYS: usize = 100;

/// Commits, versions or records of one page of the console.
pub(crate) const CONSOLE_ROWS: usize = 50;

/// Keys written between two moments up to which the log says what differs, each looked at; past it
/// the keys are walked.
pub(crate) const DIFF_KEYS_MAX: usize = 500;

/// Commits that are read at once to find them.
pub(crate) const DIFF_PAGE_COMMITS: usize = 8;

/// How often.
pub(crate) const DIFF_PAGES_MAX: usize = 32;

/// Bytes of a value that are read for its beginning in a list.
pub(crate) const EXCERPT_BYTES_MAX: u64 = 16 << 10;

/// Characters of a value that are shown in a list.
pub(crate) const EXCERPT_CHARS_MAX: usize = 160;

/// Bytes of a value that are shown on its page, and compared with another one.
pub(crate) const SHOWN_BYTES_MAX: usize = 128 << 10;

const _: () = assert!(SESSION_IDLE.as_secs() <= SESSION_LIFE.as_secs());
const _: () = assert!(HEARTBEAT_MIN.as_millis() <= HEARTBEAT_DEFAULT.as_millis());
const _: () = assert!(HEARTBEAT_DEFAULT.as_millis() <= HEARTBEAT_MAX.as_millis());
const _: () = assert!(SESSION_WAIT.as_millis() <= WAIT_MAX.as_millis());
