//! Where batches go: into a space while it is importing, at their own times; into a live one as
//! commits at now.

use std::collections::BTreeMap;

use asof_api::body::{
    ImportBody, ImportLine, ImportWriteBody, SourceBody, SpaceBody, SpaceStateName, WriteBody,
    WriteRequest,
};
use asof_api::{ErrorName, Moment};
use asof_client::{Body, Client};
use asof_time::Timestamp;
use bytes::Bytes;

use super::batch::{Batch, Line};
use super::refusal::{invalid, refused};
use super::summary::SpaceSummary;
use crate::failure::Failure;

/// What becomes of an importing space once all is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It goes live.
    GoLive,
    /// It goes on importing.
    KeepImporting,
}

/// What a commit is called where it is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Naming {
    /// By its line.
    Lines,
    /// By its id.
    Ids,
}

/// Where batches go.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    client: &'a Client,
    ending: Ending,
    naming: Naming,
    targets: BTreeMap<String, Target>,
}

/// One space.
#[derive(Debug)]
struct Target {
    mode: Mode,
    summary: SpaceSummary,
}

/// How a space is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// At the times of the source. Lines without an id are known up to `resume_at`, how far an
    /// earlier run had come.
    Backfill { resume_at: Option<Timestamp> },
    /// At now. Until the first new commit is found it is looked for.
    Live(Search),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Search {
    ForNew,
    Over,
}

impl<'a> Sink<'a> {
    /// A sink that writes by way of `client`.
    pub(crate) fn new(client: &'a Client, ending: Ending, naming: Naming) -> Self {
        Self { client, ending, naming, targets: BTreeMap::new() }
    }

    /// The space `name`, created importing where there is none.
    pub(crate) fn open(&mut self, name: &str) -> Result<SpaceBody, Failure> {
        let space = match self.client.space(name) {
            Err(error) if error.name() == ErrorName::UnknownSpace => {
                let reason = "import";
                self.client.create_space(name, SpaceStateName::Importing, reason)
            }
            found => found,
        }?;
        let progress = space.import.as_ref();
        let mode = match space.state {
            SpaceStateName::Importing => Mode::Backfill {
                resume_at: progress.and_then(|progress| progress.last_at).map(Into::into),
            },
            SpaceStateName::Live => Mode::Live(Search::ForNew),
        };
        let summary = SpaceSummary {
            space: name.to_owned(),
            state: space.state,
            commits: 0,
            known: 0,
            writes: 0,
            value_bytes: 0,
            from: None,
            to: None,
        };
        self.targets.insert(name.to_owned(), Target { mode, summary });
        Ok(space)
    }

    /// Writes `batch`.
    ///
    /// # Errors
    ///
    /// Names the line at fault. Those before it are written.
    pub(crate) fn take(&mut self, batch: Batch) -> Result<(), Failure> {
        if !self.targets.contains_key(&batch.space) {
            self.open(&batch.space)?;
        }
        let (client, naming) = (self.client, self.naming);
        let Some(target) = self.targets.get_mut(&batch.space) else {
            unreachable!("it was opened just now");
        };
        target.summary.see(&batch);
        match target.mode {
            Mode::Backfill { resume_at } => target.backfill(batch, resume_at, client, naming),
            Mode::Live(search) => target.commit(&batch, search, client, naming),
        }
    }

    /// All is written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        for (name, target) in &mut self.targets {
            let importing = matches!(target.mode, Mode::Backfill { .. });
            if importing && self.ending == Ending::GoLive {
                self.client.go_live(name, "import complete")?;
                target.summary.state = SpaceStateName::Live;
            }
        }
        Ok(())
    }

    /// New commits so far.
    pub(crate) fn commits(&self) -> u64 {
        let targets = self.targets.values();
        targets.map(|target| target.summary.commits).sum()
    }

    /// What was done so far.
    pub(crate) fn summaries(&self) -> Vec<SpaceSummary> {
        let targets = self.targets.values();
        targets.map(|target| target.summary.clone()).collect()
    }

    /// `id` and the commits before it are there already, so that only the rest is looked at.
    pub(crate) fn begins_after_known(&mut self, name: &str, known: u64) {
        if let Some(target) = self.targets.get_mut(name) {
            target.summary.known += known;
            if let Mode::Live(search) = &mut target.mode {
                *search = Search::Over;
            }
        }
    }
}

impl Target {
    fn backfill(
        &mut self,
        batch: Batch,
        resume_at: Option<Timestamp>,
        client: &Client,
        naming: Naming,
    ) -> Result<(), Failure> {
        let before = batch.lines.len();
        let batch = batch.filtered(|line| line.source.is_some() || Some(line.at) > resume_at);
        self.summary.known += (before - batch.lines.len()) as u64;
        if batch.lines.is_empty() {
            return Ok(());
        }
        let Batch { space, lines, body, .. } = batch;
        match client.import(&space, Body::Bytes(Bytes::from(body))) {
            Ok(done) => {
                self.summary.count(&lines, done);
                Ok(())
            }
            Err(error) => Err(at_line(&error, &lines, naming)),
        }
    }

    fn commit(
        &mut self,
        batch: &Batch,
        search: Search,
        client: &Client,
        naming: Naming,
    ) -> Result<(), Failure> {
        let mut known = 0;
        if search == Search::ForNew {
            known = count_known(batch, client)?;
            self.summary.known += known as u64;
            if known < batch.lines.len() {
                self.mode = Mode::Live(Search::Over);
            }
        }
        for (line, text) in batch.texts().skip(known) {
            let name = name(line, naming);
            let request = request(&batch.space, line, text)
                .map_err(|why| invalid(format!("{name}: {why}")))?;
            let receipt = client.commit(&request, None).map_err(|error| {
                let mut problem = error.problem().clone();
                problem.detail = format!("{name}: {}", problem.detail);
                Failure::from(asof_client::Error::refused(problem))
            })?;
            self.summary.count(
                core::slice::from_ref(line),
                ImportBody {
                    imported: u64::from(!receipt.replayed),
                    known: u64::from(receipt.replayed),
                },
            );
            self.summary.to = self.summary.to.max(Some(receipt.effective));
        }
        Ok(())
    }
}

impl SpaceSummary {
    /// Of what `lines` hold, the last `done.imported` are new.
    fn count(&mut self, lines: &[Line], done: ImportBody) {
        self.commits += done.imported;
        self.known += done.known;
        let new = usize::try_from(done.imported).unwrap_or(usize::MAX);
        for line in lines.iter().rev().take(new) {
            self.writes += line.writes;
            self.value_bytes += line.value_bytes;
        }
    }

    fn see(&mut self, batch: &Batch) {
        let from = batch.lines.first().map(|line| Moment(line.at));
        let to = batch.lines.last().map(|line| Moment(line.at));
        self.from = self.from.or(from);
        self.to = self.to.max(to);
    }
}

/// How many lines at the front of `batch` the live space has. Sources only grow at their end, and
/// are imported in order.
fn count_known(batch: &Batch, client: &Client) -> Result<usize, Failure> {
    let is_known = |index: usize| -> Result<bool, Failure> {
        let Some(line) = batch.lines.get(index) else {
            return Ok(false);
        };
        let Some(id) = &line.source else {
            return Err(refused(format!(
                "line {} has no source id, and space `{}` is live: nothing tells whether it was \
                 imported before",
                line.number, batch.space
            )));
        };
        Ok(client.source(&batch.space, id)?.is_some())
    };
    let (mut known, mut new) = (0, batch.lines.len());
    if new > 0 && is_known(new - 1)? {
        return Ok(new);
    }
    while known < new {
        let middle = known.midpoint(new);
        if is_known(middle)? {
            known = middle + 1;
        } else {
            new = middle;
        }
    }
    Ok(known)
}

/// The commit of `line` at now.
fn request(space: &str, line: &Line, text: &[u8]) -> Result<WriteRequest, String> {
    let parsed: ImportLine = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let Some(id) = parsed.source else {
        return Err("it has no source id, which it must have once its space is live".to_owned());
    };
    let writes = parsed.writes.into_iter().map(|write| {
        let ImportWriteBody { key, value, value_text, value_base64, content_type, delete } = write;
        WriteBody {
            space: space.to_owned(),
            key,
            value,
            value_text,
            value_base64,
            content_type,
            delete,
            precondition: None,
        }
    });
    Ok(WriteRequest {
        writes: writes.collect(),
        effective_at: None,
        author: parsed.author,
        message: parsed.message,
        source: Some(SourceBody { space: space.to_owned(), id, at: line.at.into() }),
    })
}

/// The problem with the line of the source in place of that of the request.
fn at_line(error: &asof_client::Error, lines: &[Line], naming: Naming) -> Failure {
    let mut problem = error.problem().clone();
    let index = problem.line.and_then(|line| usize::try_from(line).ok());
    let Some((number, line)) =
        problem.line.zip(index.and_then(|index| lines.get(index.checked_sub(1)?)))
    else {
        return error.clone().into();
    };
    let detail = problem.detail.strip_prefix(&format!("line {number}: "));
    let detail = detail.unwrap_or(&problem.detail);
    problem.detail = format!("{}: {detail}; what comes before it is imported", name(line, naming));
    problem.line = Some(line.number);
    asof_client::Error::refused(problem).into()
}

fn name(line: &Line, naming: Naming) -> String {
    match (naming, &line.source) {
        (Naming::Ids, Some(id)) => format!("commit {id}"),
        _ => format!("line {}", line.number),
    }
}
