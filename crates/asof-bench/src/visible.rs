//! From an acknowledged write to the first answer of another edge that shows it.

use core::time::Duration;

use crate::measure::{Result, Series, Spread, float, now};
use crate::page::{Line, System, page};
use crate::report::{Bound, Comparison, Report, Unit};

/// Longest wait for a write to be seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes to the store `writes` times, each time asking the edge until it shows what was written.
pub(crate) fn run(report: &mut Report, writes: usize) -> Result<()> {
    let system = System::start()?;
    let (store, edge) = (&system.store, &system.edge);
    let (mut writer, mut reader) = (Line::open(store.address)?, Line::open(edge.address)?);
    let ask = page("k");
    let (mut took, mut answering) = (Vec::new(), Vec::new());
    for number in 0..=writes {
        let value = number.to_string();
        let length = value.len();
        let put = format!(
            "PUT /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
             content-length: {length}\r\n\r\n{value}"
        );
        let (status, _) = writer.ask(&put)?;
        if !status.starts_with("http/1.1 20") {
            return Err(format!("a write was refused: {status}").into());
        }
        let acknowledged = now();
        loop {
            let asked = now();
            let (_, body) = reader.ask(&ask)?;
            let shown = now();
            if body == value.as_bytes() {
                // The first one also waits for the edge to hear of the store.
                if number > 0 {
                    took.push(shown.since(acknowledged).as_secs_f64() * 1e9);
                    answering.push(shown.since(asked).as_secs_f64() * 1e9);
                }
                break;
            }
            if shown.since(acknowledged) > PATIENCE {
                return Err("a write was not seen at the edge".into());
            }
        }
    }
    let p99 = percentile(&took, 99);
    let waited = took.iter().zip(&answering).map(|(took, answering)| (took - answering) / took);
    let share = Spread::of(waited).median * 100.0;
    report.figure("edge/visible/p99", format!("{:.2} ms of {writes} writes", p99 / 1e6));
    report.figure(
        "edge/visible/ours",
        format!("{share:.0} % of the time is spent before the request that shows the write"),
    );
    report.comparisons.push(Comparison {
        name: "edge/visible".to_owned(),
        what:
            "from an acknowledged write to an answer of another edge that shows it / making that \
               answer"
                .to_owned(),
        bound: Bound::None,
        unit: Unit::Nanos,
        series: Series { ours: took, peer: answering },
    });
    Ok(())
}

pub(crate) fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(float(0))
}
