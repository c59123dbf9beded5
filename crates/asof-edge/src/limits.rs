//! Every bound of the edge that is not in its configuration, and the bounds of what is.

use core::ops::RangeInclusive;
use core::time::Duration;

/// Bytes of a configuration file.
pub(crate) const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a token file.
pub(crate) const TOKEN_BYTES_MAX: u64 = 4096;

/// Characters of the name of a service, a store or a state value.
pub(crate) const NAME_LENGTH_MAX: usize = 64;

/// Services, stores, state values: of each, in one configuration.
pub(crate) const NAMED_MAX: usize = 1024;

/// Entries of any list in a configuration.
pub(crate) const LIST_MAX: usize = 1024;

/// Steps from a request to a state value: the first reads the request, the others look up.
pub(crate) const STATE_STEPS_MAX: usize = 8;

/// The share of requests that a collector of spans is told of, unless configured.
pub(crate) const SAMPLE_DEFAULT: f64 = 0.01;

/// Connections of clients at once, and as many of services.
pub(crate) const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
/// Requests from clients at once.
pub(crate) const REQUESTS_IN_FLIGHT: RangeInclusive<u64> = 1..=1_000_000;
/// Bytes of a request head. The least is what the HTTP library needs.
pub(crate) const HEADER_BYTES: RangeInclusive<u64> = 8_192..=1 << 20;
/// Bytes of a body that may be stored or be a call.
pub(crate) const BODY_BYTES: RangeInclusive<u64> = 0..=1 << 30;
/// Bytes of memory for results.
pub(crate) const MEMORY: RangeInclusive<u64> = 1 << 20..=1 << 40;
/// Calls within calls.
pub(crate) const CALL_DEPTH: RangeInclusive<u64> = 1..=256;
/// Agreeing observations before a route serves what it holds.
pub(crate) const OBSERVED_MIN: RangeInclusive<u64> = 0..=1_000_000_000;

/// Least and most of a time-out.
pub(crate) const TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_hours(1);
/// Least and most of a time between two looks at something.
pub(crate) const INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_hours(1);
/// Least and most of the rollback window, and of how long a frozen moment is served.
pub(crate) const WINDOW: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24 * 366);

/// Calls of services at once, for each request of a client that may be under way: what has begun
/// is let end before something new begins.
pub(crate) const EGRESS_PER_REQUEST: usize = 8;

/// Requests at once to one upstream.
pub(crate) const UPSTREAM_IN_FLIGHT_MAX: usize = 4096;
/// Connections that wait for their next request, for each upstream.
pub(crate) const IDLE_CONNECTIONS_MAX: usize = 256;
/// How long a connection to an upstream waits for its next request. Below what servers usually
/// allow, so that it is seldom they who close.
pub(crate) const IDLE_CONNECTION_AGE_MAX: Duration = Duration::from_secs(50);
/// How long a connection may take to be ready for its next request once an answer was read.
pub(crate) const REUSE_WAIT: Duration = Duration::from_secs(1);
/// Connect failures in a row after which an upstream is left alone for a while.
pub(crate) const FAILURES_TO_EJECT: u32 = 3;
/// How long, the first time; each further time it is twice as long.
pub(crate) const EJECTION_MIN: Duration = Duration::from_secs(1);
/// How long at most.
pub(crate) const EJECTION_MAX: Duration = Duration::from_secs(30);
/// How often the name of an upstream is resolved anew.
pub(crate) const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a resolution may take before a request goes without it.
pub(crate) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of one name that are used.
pub(crate) const ADDRESSES_MAX: usize = 16;
/// Health checks in a row that must agree before an upstream changes its state.
pub(crate) const HEALTH_CHECKS_TO_TURN: u32 = 2;
/// Bytes of the answer to a health check that are read.
pub(crate) const HEALTH_BODY_BYTES_MAX: usize = 64 << 10;

/// Time-out of a whole answer head, unless configured.
pub(crate) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// Time-out of a connect, unless configured.
pub(crate) const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);

/// Tunnels (upgraded connections) at once.
pub(crate) const TUNNELS_MAX: usize = 1024;
/// How long a tunnel may be without a byte in either direction.
pub(crate) const TUNNEL_IDLE: Duration = Duration::from_mins(10);
/// Bytes that a tunnel moves at once.
pub(crate) const TUNNEL_BUFFER_BYTES: usize = 16 << 10;

/// How long a request head may take to arrive.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a connection that waits is looked at, so that its time-outs are noticed.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(3_750);
/// How long a client may send nothing of its body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take nothing of its answer.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Most threads that speak with clients and services. More cores than this do not make it faster.
pub(crate) const LANES_MAX: usize = 64;

/// How long a connection may be without a new request.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what is under way may take to end when the edge stops.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests at once on one HTTP/2 connection.
pub(crate) const STREAMS_MAX: u32 = 256;
/// Connections of the admin listener at once: apart, so that it answers in a flood.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;
/// What a client is told to wait for where load is shed, in seconds.
pub(crate) const RETRY_AFTER_S: u32 = 1;

const _: () = assert!(EJECTION_MIN.as_millis() <= EJECTION_MAX.as_millis());
const _: () = assert!(RESOLVE_TIMEOUT.as_millis() <= RESOLVE_INTERVAL.as_millis());
const _: () = assert!(IDLE_CONNECTIONS_MAX <= UPSTREAM_IN_FLIGHT_MAX);

/// How long a request waits for the edge to come to its session's last write.
pub(crate) const SESSION_WAIT: Duration = Duration::from_secs(2);

/// How often another edge is asked how it stands.
pub(crate) const PEER_INTERVAL: Duration = Duration::from_millis(500);
/// How long another edge may take to be connected to.
pub(crate) const PEER_CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long another edge may take to answer.
pub(crate) const PEER_TIMEOUT: Duration = Duration::from_secs(1);
/// For how long the word of another edge counts. Without it nothing new is kept: that edge may have
/// refused a call of a service whose execution is recorded here.
pub(crate) const PEER_LEASE: Duration = Duration::from_secs(3);
/// How long a call is held back before it is refused because another edge cannot be reached: by then
/// that edge knows that it was not heard of.
pub(crate) const PEER_HOLD: Duration = Duration::from_millis(3_500);
/// How long a call whose tree another edge records waits for another's execution before it has its
/// own: a circle of such waits over several edges is not seen, so none is long.
pub(crate) const PEER_LEADER_WAIT: Duration = Duration::from_secs(2);
/// The shortest time between two rounds of asking all edges that something unknown may start.
pub(crate) const PEER_REFRESH_MIN: Duration = Duration::from_millis(200);
/// Bytes of a message between edges.
pub(crate) const PEER_BYTES_MAX: u64 = 4 << 20;
/// Inputs that one edge tells another of one call; beyond, it tells whole spaces.
pub(crate) const PEER_INPUTS_MAX: usize = 4_096;

const _: () = assert!(PEER_LEASE.as_millis() < PEER_HOLD.as_millis());
const _: () = assert!(
    2 * (PEER_INTERVAL.as_millis() + PEER_TIMEOUT.as_millis()) <= PEER_LEASE.as_millis(),
    "an edge of which one word is lost still counts as heard of"
);

/// Bytes of a file of tokens, or of a key.
pub(crate) const AUTH_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a JSON web token: it comes with every request.
pub(crate) const JWT_BYTES_MAX: usize = 16 << 10;

/// How long whoever judges a request may take: it comes before every answer.
pub(crate) const JUDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of the text that names a version.
pub(crate) const VERSION_LENGTH_MAX: usize = 128;
/// Least and most of the time over which an edge warms up.
pub(crate) const WARM_UP: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(1);
/// Executions for clients at once when an edge starts.
pub(crate) const WARM_UP_LEAST: usize = 32;
/// How long a request waits for a place among them.
pub(crate) const WARM_UP_WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether more are allowed.
pub(crate) const WARM_UP_STEP: Duration = Duration::from_millis(50);

/// How long a request waits for another's execution of the same call before it has its own.
pub(crate) const LEADER_WAIT: Duration = Duration::from_secs(30);

/// Longest shadow executions under way: beyond, hits are not compared.
pub(crate) const SHADOWS_MAX: usize = 16;

/// Answers that are kept to be given again while nothing moves, and the largest of them in bytes:
/// together at most 16 MiB.
pub(crate) const REPEATS_MAX: usize = 2_048;
pub(crate) const REPEAT_BYTES_MAX: usize = 8 << 10;
