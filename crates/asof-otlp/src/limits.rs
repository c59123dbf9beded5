//! Every bound of what is told.

use core::time::Duration;

/// Spans that wait to be told; any more are lost, since requests wait for nobody here.
pub(crate) const QUEUE_MAX: usize = 2_048;
/// Spans in one message.
pub(crate) const BATCH_MAX: usize = 512;
/// How long a collector may be silent. As long as OpenTelemetry has a message take in all.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
pub(crate) const ANSWER_BYTES_MAX: u64 = 64 << 10;

const _: () = assert!(BATCH_MAX <= QUEUE_MAX);
