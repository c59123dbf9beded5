//! All that is printed goes through here: results to standard output, words about them to
//! standard error.

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;
use crate::table::Table;

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Tables and sentences for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Where results and words about them go.
pub(crate) struct Output {
    format: Format,
    results: Box<dyn Write>,
    notes: Box<dyn Write>,
}

impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Output").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Output {
    /// Output to the standard streams.
    pub(crate) fn standard(format: Format) -> Self {
        Self {
            format,
            results: Box::new(BufWriter::with_capacity(64 << 10, io::stdout())),
            notes: Box::new(io::stderr()),
        }
    }

    /// Output to writers of the caller's own.
    pub(crate) fn to(format: Format, results: Box<dyn Write>, notes: Box<dyn Write>) -> Self {
        Self { format, results, notes }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// One JSON object as one line.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.results, object).map_err(io::Error::from)?;
        self.results.write_all(b"\n")?;
        Ok(())
    }

    /// One line for people.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.results.write_all(line.as_bytes())?;
        self.results.write_all(b"\n")?;
        Ok(())
    }

    /// The page of a table.
    pub(crate) fn page<const N: usize>(&mut self, table: &mut Table<N>) -> Result<(), Failure> {
        for line in table.take_page() {
            self.line(&line)?;
        }
        self.flush()
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.results.write_all(bytes)?;
        Ok(())
    }

    /// Hands on what was printed so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.results.flush()?;
        Ok(())
    }

    /// A word about the results, for people. One that nobody can read is no failure.
    pub(crate) fn note(&mut self, note: &str) {
        let _ = writeln!(self.notes, "{note}");
    }

    /// A problem as one line of JSON on standard error.
    pub(crate) fn problem(&mut self, problem: &impl Serialize) {
        if serde_json::to_writer(&mut self.notes, problem).is_ok() {
            let _ = self.notes.write_all(b"\n");
        }
    }

    /// Whether somebody sits in front of standard output.
    pub(crate) fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Whether somebody reads the notes as they come, so that progress is worth showing.
    pub(crate) fn shows_progress(&self) -> bool {
        self.format == Format::Human && io::stderr().is_terminal()
    }
}

/// A word to whoever watches, from where no [`Output`] is at hand.
pub(crate) fn warn(warning: &str) {
    let _ = writeln!(io::stderr(), "{warning}");
}
