//! Where batches go: into a space while it is importing, at their own times; into a live one as
//! commits at now.
//!
//! Every source ends here, and only here it is known what a whole run does to a space: the store
//! sees a commit at a time, and cannot tell a deletion that is meant from one of a thousand that are
//! not. So what would take too much of a live space is held here.

use std::collections::BTreeMap;

use asof_api::body::{
    ImportBody, ImportLine, ImportWriteBody, SourceBody, SpaceBody, SpaceStateName, WriteBody,
    WriteRequest,
};
use asof_api::{ErrorName, Moment, Problem};
use asof_client::{Body, Client};
use asof_time::Timestamp;
use bytes::Bytes;

use super::batch::{Batch, Line};
use super::refusal::{invalid, refused};
use super::shrink::{Deletions, Ledger, Look, Shrinkage};
use super::spool::Spool;
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

/// What may be done to a live space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Leave {
    /// It is written, unless it would lose too many keys.
    #[default]
    Write,
    /// It is written even where it would lose this many keys.
    Confirmed(u64),
    /// Nothing is written anywhere; it is only told.
    DryRun,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// It is written, or was there already.
    Done,
    /// It is put by until the source has ended.
    PutBy,
}

/// Where batches go.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    client: &'a Client,
    ending: Ending,
    naming: Naming,
    leave: Leave,
    targets: BTreeMap<String, Target>,
    /// What goes into live spaces.
    put_by: Spool,
}

/// One space.
#[derive(Debug)]
struct Target {
    mode: Mode,
    summary: SpaceSummary,
    deletions: Deletions,
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
        let (leave, targets) = (Leave::default(), BTreeMap::new());
        Self { client, ending, naming, leave, targets, put_by: Spool::new() }
    }

    /// One that has `leave`.
    #[must_use]
    pub(crate) fn with_leave(self, leave: Leave) -> Self {
        Self { leave, ..self }
    }

    /// The space `name`, created importing where there is none; `None` where there is none and a
    /// dry run makes none.
    pub(crate) fn open(&mut self, name: &str) -> Result<Option<SpaceBody>, Failure> {
        let space = match self.client.space(name) {
            Err(error) if error.name() == ErrorName::UnknownSpace => match self.leave {
                Leave::DryRun => None,
                Leave::Write | Leave::Confirmed(_) => {
                    let reason = "import";
                    Some(self.client.create_space(name, SpaceStateName::Importing, reason)?)
                }
            },
            found => Some(found?),
        };
        let progress = space.as_ref().and_then(|space| space.import.as_ref());
        let state = space.as_ref().map_or(SpaceStateName::Importing, |space| space.state);
        let mode = match state {
            SpaceStateName::Importing => Mode::Backfill {
                resume_at: progress.and_then(|progress| progress.last_at).map(Into::into),
            },
            SpaceStateName::Live => Mode::Live(Search::ForNew),
        };
        let summary = SpaceSummary {
            space: name.to_owned(),
            state,
            is_new: space.is_none(),
            commits: 0,
            known: 0,
            writes: 0,
            value_bytes: 0,
            from: None,
            to: None,
            shrinks: None,
        };
        let target = Target { mode, summary, deletions: Deletions::default() };
        self.targets.insert(name.to_owned(), target);
        Ok(space)
    }

    /// Writes `batch` into a space that is importing; puts it by where the space is live.
    ///
    /// # Errors
    ///
    /// Names the line at fault. Those before it are written, unless the space is live.
    pub(crate) fn take(&mut self, batch: Batch) -> Result<Taken, Failure> {
        if !self.targets.contains_key(&batch.space) {
            self.open(&batch.space)?;
        }
        let (client, naming) = (self.client, self.naming);
        let Some(target) = self.targets.get_mut(&batch.space) else {
            unreachable!("it was opened just now");
        };
        target.summary.see(&batch);
        match target.mode {
            Mode::Backfill { resume_at } => {
                let batch = target.without_known_times(batch, resume_at);
                if self.leave == Leave::DryRun {
                    target.count_new(&batch, client)?;
                } else {
                    target.backfill(batch, client, naming)?;
                }
                Ok(Taken::Done)
            }
            Mode::Live(search) => {
                let batch = target.without_known_ids(batch, search, client)?;
                for (line, text) in batch.texts() {
                    target.deletions.add(text).map_err(|error| {
                        invalid(format!("{}: {error}; nothing was written", name(line, naming)))
                    })?;
                }
                if !batch.lines.is_empty() {
                    self.put_by.push(&batch)?;
                }
                Ok(Taken::PutBy)
            }
        }
    }

    /// The source has ended: writes what was put by, and tells `reached` how far it has come after
    /// each batch.
    ///
    /// # Errors
    ///
    /// `Unconfirmed` where a live space would lose too many keys, before anything is written into a
    /// live space; else the line at fault, those before it being written.
    pub(crate) fn settle(
        &mut self,
        mut reached: impl FnMut(u64, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.weigh()?;
        if self.leave != Leave::DryRun {
            self.check_held()?;
        }
        let mut commits = self.commits();
        for batch in self.put_by.read()? {
            let batch = batch?;
            let Some(target) = self.targets.get_mut(&batch.space) else {
                unreachable!("what was put by was taken for a target");
            };
            let before = target.summary.commits;
            if self.leave == Leave::DryRun {
                target.summary.count_all(&batch);
            } else {
                target.commit(&batch, self.client, self.naming)?;
            }
            commits += target.summary.commits - before;
            reached(batch.position, commits)?;
        }
        Ok(())
    }

    /// Finds what the live spaces would lose.
    fn weigh(&mut self) -> Result<(), Failure> {
        let look = if self.leave == Leave::DryRun { Look::Whole } else { Look::Enough };
        let mut ledgers = BTreeMap::new();
        for (space, target) in &mut self.targets {
            let deletions = core::mem::take(&mut target.deletions);
            if let Some(ledger) = Ledger::open(self.client, space, &deletions, look)? {
                ledgers.insert(space.clone(), ledger);
            }
        }
        if ledgers.is_empty() {
            return Ok(());
        }
        for batch in self.put_by.read()? {
            let batch = batch?;
            let Some(ledger) = ledgers.get_mut(&batch.space) else {
                continue;
            };
            for (line, text) in batch.texts() {
                let name = name(line, self.naming);
                ledger
                    .apply(&name, text)
                    .map_err(|error| invalid(format!("{name}: {error}; nothing was written")))?;
            }
        }
        for (space, ledger) in ledgers {
            if let Some(target) = self.targets.get_mut(&space) {
                target.summary.shrinks = ledger.close();
            }
        }
        Ok(())
    }

    /// What the live spaces would lose that takes a second word.
    fn held(&self) -> impl Iterator<Item = (&str, &Shrinkage)> {
        let targets = self.targets.iter();
        targets.filter_map(|(name, target)| {
            let shrinks = target.summary.shrinks.as_ref()?;
            shrinks.held.then_some((name.as_str(), shrinks))
        })
    }

    /// The word that it takes, where it takes one.
    pub(crate) fn confirm(&self) -> Option<String> {
        let gone: u64 = self.held().map(|(_, shrinks)| shrinks.gone).sum();
        (gone > 0).then(|| format!("{gone}-keys"))
    }

    fn check_held(&self) -> Result<(), Failure> {
        let Some(word) = self.confirm() else {
            return Ok(());
        };
        let gone: u64 = self.held().map(|(_, shrinks)| shrinks.gone).sum();
        let confirmed = match self.leave {
            // Writers go on in the meantime, as with the store's own second words.
            Leave::Confirmed(keys) => keys.saturating_add(keys / 10),
            Leave::Write | Leave::DryRun => 0,
        };
        if gone <= confirmed {
            return Ok(());
        }
        let told: Vec<_> = self.held().map(|(space, shrinks)| shrinks.tell(space)).collect();
        let mut problem = Problem::new(
            ErrorName::Unconfirmed,
            format!(
                "{}; the import is held, and nothing of it is in a live space. That takes a second \
                 word: `{word}`",
                told.join("; ")
            ),
        );
        problem.confirm = Some(word);
        Err(asof_client::Error::refused(problem).into())
    }

    /// All is written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        if self.leave == Leave::DryRun {
            return Ok(());
        }
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

    /// Whether no space was ever meant.
    pub(crate) fn is_untouched(&self) -> bool {
        self.targets.is_empty()
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
    /// Without the lines that have no id and are not after `resume_at`.
    fn without_known_times(&mut self, batch: Batch, resume_at: Option<Timestamp>) -> Batch {
        let before = batch.lines.len();
        let batch = batch.filtered(|line| line.source.is_some() || Some(line.at) > resume_at);
        self.summary.known += (before - batch.lines.len()) as u64;
        batch
    }

    /// Without the lines at the front that the live space has.
    fn without_known_ids(
        &mut self,
        batch: Batch,
        search: Search,
        client: &Client,
    ) -> Result<Batch, Failure> {
        if search == Search::Over {
            return Ok(batch);
        }
        let known = count_known(&batch, client)?;
        self.summary.known += known as u64;
        let Some(first) = batch.lines.get(known).map(|line| line.number) else {
            return Ok(batch.filtered(|_| false));
        };
        self.mode = Mode::Live(Search::Over);
        Ok(batch.filtered(|line| line.number >= first))
    }

    /// Counts what a dry run does not write into a space that is importing.
    fn count_new(&mut self, batch: &Batch, client: &Client) -> Result<(), Failure> {
        let has_ids = batch.lines.iter().all(|line| line.source.is_some());
        let known = if self.summary.is_new || !has_ids { 0 } else { count_known(batch, client)? };
        let new = batch.lines.len().saturating_sub(known);
        let done = ImportBody { imported: new as u64, known: known as u64 };
        self.summary.count(&batch.lines, done);
        Ok(())
    }

    fn backfill(&mut self, batch: Batch, client: &Client, naming: Naming) -> Result<(), Failure> {
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

    fn commit(&mut self, batch: &Batch, client: &Client, naming: Naming) -> Result<(), Failure> {
        for (line, text) in batch.texts() {
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

    /// All of `batch` is new.
    fn count_all(&mut self, batch: &Batch) {
        self.count(&batch.lines, ImportBody { imported: batch.lines.len() as u64, known: 0 });
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
