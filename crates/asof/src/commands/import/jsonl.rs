//! `asof import jsonl`

use std::path::PathBuf;

use clap::Args;

use super::{SinkArgs, conclude};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::import::jsonl::{Input, JsonlBatches};
use crate::import::meter::{Meter, Total};
use crate::import::pipeline;
use crate::import::shrink;
use crate::import::sink::Naming;
use crate::import::stop::Stop;

/// Import a file of commits, one JSON object a line
///
/// Values keep their exact text. The file may be compressed by Zstandard. A line that cannot be
/// imported ends the import; what comes before it stays, and once it is mended the import goes
/// on. A file may grow at its end and be imported again; its lines must have source ids for that.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof import jsonl history.jsonl
  asof import jsonl history.jsonl.zst --space prices
  make-history | asof import jsonl - --keep-importing
  asof import jsonl history.jsonl --dry-run
  asof import jsonl history.jsonl --confirm 48213-keys

A line:
  {\"at\": 1707081397000000, \"space\": \"prices\", \"source\": \"some id\",
   \"writes\": [{\"key\": \"usd\", \"value\": {\"eur\": 1.09}}, {\"key\": \"gbp\", \"delete\": true}]}

`at` is in microseconds since 1970, or RFC 3339, and goes up from line to line. In place of
`value` there may be `value_text` or `value_base64`, with a `content_type`; a line may have an
`author` and a `message`.")]
pub(crate) struct ImportJsonl {
    /// The file; `-` for standard input
    file: PathBuf,
    /// The space it fills, whatever the lines say
    #[arg(long, value_name = "NAME")]
    space: Option<String>,
    #[command(flatten)]
    to: SinkArgs,
}

impl ImportJsonl {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = self.to.client(context)?;
        let (input, bytes) = Input::open(&self.file)?;
        let now = client.time()?.closed.0;
        let stop = Stop::on_signals()?;
        let mut sink = self.to.sink(&client, Naming::Lines);
        let batches = JsonlBatches::new(input, self.space.clone(), now);
        let mut meter = Meter::start(Total::Bytes(bytes), &context.out);
        pipeline::run(batches, &mut sink, &mut meter, &stop, &mut context.out)?;
        if sink.is_untouched() {
            shrink::refuse_empty(&client, self.space.as_deref())?;
        }
        conclude(&mut sink, &self.to, &meter, 0, context)
    }
}
