//! The picture of the density of changes: the ground that the slider moves over.
//!
//! It is a document of its own, since it changes while a page about a closed moment does not.
//! Places are in percent, so that it fits any width without its texts being stretched; its colours
//! are readable on light and on dark.

use askama::Template;
use asof_time::Timestamp;

use crate::density::Bar;
use crate::page::Outcome;

/// Height of the bars, in pixels.
const HEIGHT: u64 = 44;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// The moment that is shown.
    pub shown: Timestamp,
    /// The cap, where there is one.
    pub cap: Option<Timestamp>,
    /// Changes over time.
    pub bars: Vec<Bar>,
}

#[derive(Template)]
#[template(path = "density.svg", escape = "html")]
struct Svg<'a> {
    bars: Vec<Drawn>,
    shown: Option<String>,
    cap: Option<String>,
    picture: &'a Picture,
}

struct Drawn {
    x: String,
    width: String,
    y: u64,
    height: u64,
}

impl Picture {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let most = self.bars.iter().map(|bar| bar.changes).max().unwrap_or(1).max(1);
        let bars = self.bars.iter().filter_map(|bar| self.bar(bar, most)).collect();
        let place =
            |at: Timestamp| (self.from..=self.to).contains(&at).then(|| percent(self.place(at)));
        let svg =
            Svg { bars, shown: place(self.shown), cap: self.cap.and_then(place), picture: self };
        crate::render(&svg)
    }

    fn bar(&self, bar: &Bar, most: u64) -> Option<Drawn> {
        let (from, to) = (bar.from.max(self.from), bar.to.min(self.to));
        if from >= to {
            return None;
        }
        let (begin, end) = (self.place(from), self.place(to));
        // By the root, so that one large import does not hide all else.
        let height = (bar.changes.isqrt() * HEIGHT / most.isqrt().max(1)).clamp(2, HEIGHT);
        Some(Drawn {
            x: percent(begin),
            width: percent((end - begin).max(250)),
            y: HEIGHT - height,
            height,
        })
    }

    /// Where `at` lies, in thousandths of a percent.
    fn place(&self, at: Timestamp) -> u64 {
        let whole = self.to.since(self.from).as_micros().max(1);
        let part = at.since(self.from).as_micros();
        u64::try_from(part * 100_000 / whole).unwrap_or(100_000).min(100_000)
    }
}

fn percent(thousandths: u64) -> String {
    format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000)
}

/// A moment as short as the stretch allows: the day, or the minute of it.
impl Picture {
    fn label(&self, at: Timestamp) -> String {
        let text = at.to_string();
        let (from, to) = match self.to.since(self.from).as_secs() {
            0..=900 => (11, 19),
            901..=172_800 => (5, 16),
            _ => (0, 10),
        };
        text.get(from..to).unwrap_or_default().replace('T', " ")
    }

    fn middle(&self) -> String {
        self.label(self.from.saturating_add(self.to.since(self.from) / 2))
    }

    fn begin(&self) -> String {
        self.label(self.from)
    }

    fn end(&self) -> String {
        self.label(self.to)
    }
}

/// Height of the columns of a route, in pixels.
const COLUMN_HEIGHT: u64 = 18;

/// Columns at most; so wide that they fit 120 pixels.
const COLUMNS: usize = 60;

/// What a route answered with, in columns: what was held below, executions on top.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns {
    /// Oldest first, as wide as two pixels each.
    pub columns: Vec<Column>,
}

/// One column, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "they are where its two parts are")]
pub struct Column {
    pub x: u64,
    pub width: u64,
    pub held_y: u64,
    pub held: u64,
    pub executed_y: u64,
    pub executed: u64,
}

/// The last of the outcomes, as columns that end at the right.
pub(crate) fn columns(outcomes: &[Outcome]) -> Columns {
    let shown = outcomes.get(outcomes.len().saturating_sub(COLUMNS)..).unwrap_or_default();
    let all = |outcome: &Outcome| outcome.held.saturating_add(outcome.executed);
    let most = shown.iter().map(all).max().unwrap_or(1).max(1);
    let scaled = |part: u64| {
        u64::try_from(u128::from(part) * u128::from(COLUMN_HEIGHT) / u128::from(most)).unwrap_or(0)
    };
    let first = (COLUMNS - shown.len()) as u64;
    let columns = (first..).zip(shown).map(|(place, outcome)| {
        let held = scaled(outcome.held);
        // What there is of it is seen, however little.
        let executed = scaled(outcome.executed).max(u64::from(outcome.executed > 0));
        let executed = executed.min(COLUMN_HEIGHT);
        let held = held.min(COLUMN_HEIGHT - executed);
        let held_y = COLUMN_HEIGHT - held;
        Column { x: place * 2, width: 2, held_y, held, executed_y: held_y - executed, executed }
    });
    Columns { columns: columns.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_show_what_was_held_and_what_was_not() {
        let outcome = |held, executed| Outcome { held, executed };
        let drawn = columns(&[outcome(0, 0), outcome(90, 10), outcome(1_000_000, 1)]).columns;
        let parts: Vec<_> = drawn.iter().map(|column| (column.held, column.executed)).collect();
        assert_eq!(parts, [(0, 0), (0, 1), (17, 1)]);
        assert!(drawn.iter().all(|column| column.executed_y + column.executed + column.held == 18));
        assert_eq!(drawn.last().map(|column| column.x + column.width), Some(120));
        let many = vec![outcome(u64::MAX, u64::MAX); 500];
        assert_eq!(columns(&many).columns.len(), COLUMNS);
    }

    #[test]
    fn bars_lie_where_their_time_is() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let picture = Picture {
            from: at(1_000),
            to: at(2_000),
            shown: at(1_500),
            cap: Some(at(1_250)),
            bars: vec![
                Bar { from: at(900), to: at(1_100), changes: 100 },
                Bar { from: at(1_500), to: at(1_600), changes: 1 },
            ],
        };
        let svg = picture.svg();
        assert!(svg.contains(r#"x="0.000%" y="0" width="10.000%" height="44""#), "{svg}");
        assert!(svg.contains(r#"x="50.000%" y="40" width="10.000%" height="4""#), "{svg}");
        assert!(svg.contains(r#"x1="25.000%""#), "{svg}");
        assert!(!svg.contains("style"), "{svg}");
        let empty = Picture { to: at(1_000), bars: Vec::new(), ..picture };
        assert!(empty.svg().contains("</svg>"));
    }
}
