//! Pages of the console over many keys, beside the same pages over a thousand.

use core::cell::Cell;

use asof_server::{Access, Body, Router, Settings, router};
use asof_store::{Options, Store};
use http::Request;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::data::{self, Shape};
use crate::measure::{Result, alternate, nanos_each, timed};
use crate::report::{Bound, Comparison, Report, Unit};

/// Keys of the small store.
const FEW: u64 = 1_000;

/// Writes in one commit: few, so that the small store fills a page of the log as well.
const COMMIT_WRITES: u64 = 10;

/// Times that a page is asked for in one round.
const ASKED: usize = 20;

/// A console over a store of so many keys.
struct Console {
    router: Router,
    runtime: Runtime,
    middle: String,
    last: u64,
    _dir: TempDir,
}

impl Console {
    fn over(keys: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let commits = keys / COMMIT_WRITES;
        data::fill_store(dir.path(), Shape { keys, commits, writes: COMMIT_WRITES })?;
        let store = Store::open(dir.path(), Options::default())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let router = router(store, Access::InProcess, Settings::default());
        let middle = data::key(keys / 2)?.to_string();
        let last = data::moment(commits - 1).as_micros();
        let console = Self { router, runtime, middle, last, _dir: dir };
        // What is counted in the background is counted once the first page was asked for.
        while !console.ask("/console/density.json?window=all")?.contains("\"whole\":true")
            || console.ask("/")?.contains("being counted")
        {}
        Ok(console)
    }

    fn ask(&self, path: &str) -> Result<String> {
        let request = Request::get(path).header("accept", "text/html").body(Body::empty())?;
        let (parts, bytes) = self.runtime.block_on(async {
            let (parts, body) = self.router.answer(request).await.into_parts();
            (parts, body.collect().await.map(http_body_util::Collected::to_bytes))
        });
        if parts.status.is_success() {
            return Ok(String::from_utf8(bytes?.into())?);
        }
        Err(format!("{path}: {}", parts.status).into())
    }

    /// The pages, by name.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let (middle, last) = (&self.middle, self.last);
        let before = last - 1;
        vec![
            ("overview", "/".to_owned()),
            ("space", "/console/space?space=bench".to_owned()),
            ("space-middle", format!("/console/space?space=bench&after={middle}")),
            ("key", format!("/console/key?space=bench&key={middle}")),
            ("diff-all", "/console/diff?space=bench&from=1700000000000000".to_owned()),
            ("diff-last", format!("/console/diff?space=bench&from={before}")),
            ("log", "/console/log".to_owned()),
            ("log-back", "/console/log?before=1700000000005000.0.0".to_owned()),
            ("commit", "/console/commit?id=5".to_owned()),
            ("density", "/console/density.svg?window=all".to_owned()),
        ]
    }
}

/// Compares the pages over `keys` keys with those over a thousand.
pub(crate) fn run(report: &mut Report, keys: u64, rounds: usize) -> Result<()> {
    let (many, few) = (Console::over(keys)?, Console::over(FEW)?);
    let bytes = Cell::new(0);
    let ask = |console: &Console, path: &str| {
        let (span, ()) = timed(|| {
            for _ in 0..ASKED {
                bytes.set(bytes.get() + console.ask(path)?.len());
            }
            Ok(())
        })?;
        Ok(nanos_each(span, ASKED))
    };
    for ((name, ours), (_, theirs)) in many.pages().iter().zip(few.pages()) {
        let series = alternate(rounds, || ask(&many, ours), || ask(&few, &theirs))?;
        report.comparisons.push(Comparison {
            name: format!("console/{name}/{keys}"),
            what: format!("the page over {keys} keys / over {FEW}"),
            bound: Bound::AtMost(2.0),
            unit: Unit::Nanos,
            series,
        });
    }
    Ok(())
}
