//! `asof origin check`

use asof_api::headers as wire;
use asof_time::{Timestamp, Validity};
use clap::Args;
use http::{StatusCode, Uri, header};
use serde::Serialize;

use super::probe::{Probe, Said};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Test whether a resource takes part: whether it answers as of a moment, and says where that is
/// true
///
/// The protocol is a handful of headers. Whoever speaks it can be cached by the edge as a store
/// is. Each check is printed; the first ones must hold for the others to be made.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof origin check http://127.0.0.1:7400/v1/spaces/prices/keys/usd
  asof origin check http://rates.internal/eur --json

Exit codes:
  0 every check passed   1 one did not   2 wrong usage   4 it does not answer")]
pub(crate) struct Check {
    /// Address of a resource
    url: Uri,
    /// Bearer token for it
    #[arg(long, value_name = "SECRET")]
    bearer: Option<String>,
}

/// How a check ended.
#[derive(Serialize, Debug)]
struct Checked {
    check: &'static str,
    passed: bool,
    /// What was found instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

type Found = Result<(), String>;

impl Check {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let probe = Probe::new(&self.url, self.bearer.as_deref())?;
        let checked = check(&probe)?;
        let out = &mut context.out;
        for checked in &checked {
            if out.is_json() {
                out.json(checked)?;
                continue;
            }
            let word = if checked.passed { "pass" } else { "FAIL" };
            out.line(&format!("{word}  {}", checked.check))?;
            if let Some(found) = &checked.found {
                out.line(&format!("      {found}"))?;
            }
        }
        let all = checked.iter().all(|checked| checked.passed);
        Ok(if all { Exit::Done } else { Exit::Absent })
    }
}

/// Makes the checks, in order.
fn check(probe: &Probe) -> Result<Vec<Checked>, Failure> {
    let mut all = Vec::new();
    let mut add = |check, found: Found| {
        all.push(Checked { check, passed: found.is_ok(), found: found.err() });
    };
    let latest = probe.ask(&[])?;
    add("latest says As-Of, As-Of-Epoch, and an As-Of-Valid that holds it", said(&latest, None));
    let (Some(at), Some(validity)) = (latest.as_of(), latest.validity()) else { return Ok(all) };
    let then = probe.at(at)?;
    add("As-Of with that moment, in microseconds, gives the same", same(&latest, &then, at));
    let text = probe.ask(&[(&wire::AS_OF, &at.to_string())])?;
    add("As-Of with that moment, in RFC 3339, gives the same", same(&latest, &text, at));
    add("asked again it gives the same", same(&latest, &probe.at(at)?, at));
    add("where it says it is true it gives the same", begins(probe, &latest, validity)?);
    add("what it says of the time before does not contradict it", before(probe, &latest, at)?);
    add("a moment that is not closed is refused", refused(&probe.at(Timestamp::MAX)?));
    let nonsense = probe.ask(&[(&wire::AS_OF, "yesterday")])?;
    add("a moment that is none is refused with 400", malformed(&nonsense));
    if latest.status == StatusCode::OK {
        add(
            "If-None-Match with its ETag gives 304 and an As-Of-Valid",
            unchanged(probe, &then, at)?,
        );
        add("If-None-Match with another ETag gives the whole answer", other(probe, &then, at)?);
    }
    add("nobody may keep it by its address alone", kept(&then));
    add("it sets no cookie", cookie(&then));
    Ok(all)
}

/// An answer that says what it must, at the moment that was asked for.
fn said(said: &Said, at: Option<Timestamp>) -> Found {
    if !said.is_answer() {
        return Err(format!("the answer is {}", said.status));
    }
    times(said, at)
}

fn times(said: &Said, at: Option<Timestamp>) -> Found {
    let quoted = |name| said.text(name).unwrap_or("nothing").to_owned();
    let as_of = said.as_of().ok_or_else(|| format!("As-Of is {}", quoted(&wire::AS_OF)))?;
    if at.is_some_and(|at| at != as_of) {
        return Err(format!("As-Of is {as_of}"));
    }
    let valid = said.validity();
    let valid = valid.ok_or_else(|| format!("As-Of-Valid is {}", quoted(&wire::AS_OF_VALID)))?;
    if !valid.contains(as_of) {
        return Err(format!("As-Of-Valid is {valid}, which does not hold {as_of}"));
    }
    said.epoch().map(drop).ok_or_else(|| "there is no As-Of-Epoch".to_owned())
}

fn same(first: &Said, second: &Said, at: Timestamp) -> Found {
    said(second, Some(at))?;
    if first.epoch() != second.epoch() {
        return Err("As-Of-Epoch is another".to_owned());
    }
    if first.agrees(second) { Ok(()) } else { Err(format!("at {at} it says two things")) }
}

fn begins(probe: &Probe, latest: &Said, validity: Validity) -> Result<Found, Failure> {
    let first = validity.from();
    Ok(same(latest, &probe.at(first)?, first))
}

/// The moment before it began: another answer, or the same one that had not been looked for; and
/// whatever it is, it must not claim the moments of this one.
fn before(probe: &Probe, latest: &Said, at: Timestamp) -> Result<Found, Failure> {
    let begun = latest.validity().and_then(|validity| validity.from().prev());
    let Some(earlier) = begun else { return Ok(Ok(())) };
    let past = probe.at(earlier)?;
    if !past.is_answer() {
        // It does not go back so far.
        return Ok(refused(&past));
    }
    if past.validity().is_none() && past.status == StatusCode::NOT_FOUND {
        // Nothing is said of it, so nothing is kept of it.
        return Ok(Ok(()));
    }
    let overlaps = past.validity().is_some_and(|past| past.contains(at));
    let contradicts = overlaps && !past.agrees(latest);
    let found = said(&past, Some(earlier));
    Ok(if contradicts { Err(format!("at {earlier} it says another, true at {at}")) } else { found })
}

fn refused(said: &Said) -> Found {
    if said.status.is_client_error() && said.status != StatusCode::NOT_FOUND {
        return Ok(());
    }
    Err(format!("the answer is {}", said.status))
}

fn malformed(said: &Said) -> Found {
    let refused = said.status == StatusCode::BAD_REQUEST;
    if refused { Ok(()) } else { Err(format!("the answer is {}", said.status)) }
}

fn unchanged(probe: &Probe, then: &Said, at: Timestamp) -> Result<Found, Failure> {
    let Some(tag) = then.text(&header::ETAG) else { return Ok(Err("there is no ETag".to_owned())) };
    let asked = at.as_micros().to_string();
    let answer = probe.ask(&[(&wire::AS_OF, &asked), (&header::IF_NONE_MATCH, tag)])?;
    if answer.status != StatusCode::NOT_MODIFIED {
        return Ok(Err(format!("the answer is {}", answer.status)));
    }
    Ok(times(&answer, Some(at)))
}

fn other(probe: &Probe, then: &Said, at: Timestamp) -> Result<Found, Failure> {
    let asked = at.as_micros().to_string();
    let headers = [(&wire::AS_OF, asked.as_str()), (&header::IF_NONE_MATCH, "\"another\"")];
    Ok(same(then, &probe.ask(&headers)?, at))
}

/// The moment is in a header: a cache that goes by the address must ask again, or look at it.
fn kept(said: &Said) -> Found {
    let words = |name| said.text(name).unwrap_or_default().to_ascii_lowercase();
    let (caching, vary) = (words(&header::CACHE_CONTROL), words(&header::VARY));
    let good = ["no-store", "no-cache"].iter().any(|word| caching.contains(word))
        || vary.split(',').any(|name| matches!(name.trim(), "as-of" | "*"));
    if good { Ok(()) } else { Err(format!("Cache-Control is `{caching}`, Vary is `{vary}`")) }
}

fn cookie(said: &Said) -> Found {
    let sets = said.headers.contains_key(header::SET_COOKIE);
    if sets { Err("it sets one".to_owned()) } else { Ok(()) }
}
