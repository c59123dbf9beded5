//! Imports: history, a commit a line.

use asof_api::body::{ImportBody, ImportLine};
use asof_store::{Backfill, ImportReceipt, Key, SpaceName, Store};
use bytes::Bytes;

use crate::convert;
use crate::dispatch::Call;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn import(call: &Call<'_>, space: SpaceName, body: Bytes) -> Answer {
    let receipt = call.app.walk(move |store| import_lines(store, &space, &body)).await?;
    Ok(reply::json(&ImportBody { imported: receipt.imported, known: receipt.known }))
}

/// Imports the lines up to the first bad one, which the refusal names.
fn import_lines(store: &Store, space: &SpaceName, body: &[u8]) -> Result<ImportReceipt, Refusal> {
    let mut commits = Vec::new();
    let mut lines = Vec::new();
    let mut bad = None;
    for (number, line) in (1u64..).zip(body.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match backfill(space, line) {
            Ok(commit) => {
                commits.push(commit);
                lines.push((number, line));
            }
            Err(refusal) => {
                bad = Some((number, refusal));
                break;
            }
        }
    }
    let receipt = match store.import(space, commits) {
        Ok(receipt) => receipt,
        // Nothing of it is there. Once more, each by itself, finds the line at fault and keeps
        // what comes before it.
        Err(error) if lines.len() > 1 => {
            return one_by_one(store, space, &lines).and_then(|_| Err(error.into()));
        }
        Err(error) => {
            let line = lines.first().map(|(number, _)| *number);
            return Err(at_line(error.into(), line, ImportReceipt::default()));
        }
    };
    match bad {
        None => Ok(receipt),
        Some((number, refusal)) => Err(at_line(refusal, Some(number), receipt)),
    }
}

/// Reads the lines again, so that an import that goes well need not keep a copy of itself.
fn one_by_one(
    store: &Store,
    space: &SpaceName,
    lines: &[(u64, &[u8])],
) -> Result<ImportReceipt, Refusal> {
    let mut sum = ImportReceipt::default();
    for (number, line) in lines {
        let imported = backfill(space, line)
            .and_then(|commit| Ok(store.import(space, vec![commit])?))
            .map_err(|refusal| at_line(refusal, Some(*number), sum))?;
        sum.imported += imported.imported;
        sum.known += imported.known;
    }
    Ok(sum)
}

fn at_line(mut refusal: Refusal, line: Option<u64>, receipt: ImportReceipt) -> Refusal {
    let problem = refusal.problem_mut();
    problem.line = line;
    problem.imported = Some(receipt.imported);
    problem.known = Some(receipt.known);
    if let Some(line) = line {
        problem.detail = format!("line {line}: {}", problem.detail);
    }
    refusal
}

fn backfill(space: &SpaceName, line: &[u8]) -> Result<Backfill, Refusal> {
    let line: ImportLine =
        serde_json::from_slice(line).map_err(|error| Refusal::invalid(error.to_string()))?;
    if let Some(named) = &line.space
        && named != space.as_str()
    {
        return Err(Refusal::invalid(format!(
            "space is `{}`, but the lines go into `{space}`",
            named.escape_debug()
        )));
    }
    let writes = line
        .writes
        .iter()
        .map(|write| Ok((Key::new(&write.key)?, convert::op(write.input())?)))
        .collect::<Result<_, Refusal>>()?;
    Ok(Backfill {
        source_id: line.source.unwrap_or_default(),
        at: line.at.into(),
        author: line.author.unwrap_or_default(),
        message: line.message.unwrap_or_default(),
        writes,
    })
}
