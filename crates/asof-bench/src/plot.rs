//! Small plots as SVG: latency against the number of keys, and against the depth of history.

use core::fmt::Write as _;
use std::path::Path;

use crate::measure::{Result, Spread};
use crate::report::Report;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 56.0;
const COLOURS: [&str; 4] = ["#1f5fa8", "#c2571a", "#2d7a3e", "#7a3e8e"];

/// One line of a plot: its name, and points whose x is drawn on a logarithmic scale.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Writes the plots into the folder `benchmarks` beside the page; returns their names.
pub(crate) fn write_beside(page: &Path, report: &Report) -> Result<Vec<String>> {
    let dir = page.with_file_name("benchmarks");
    let mut names = Vec::new();
    let plots = [
        ("keys.svg", "keys", keys(report)),
        ("depth.svg", "versions of each key, at equal rows in all", depth(report)),
    ];
    for (name, axis, lines) in plots {
        if lines.iter().all(|line| line.points.len() < 2) {
            continue;
        }
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(name), draw(axis, &lines))?;
        names.push(name.to_owned());
    }
    Ok(names)
}

fn median(figures: &[f64]) -> f64 {
    Spread::of(figures.iter().copied()).median / 1e3
}

fn keys(report: &Report) -> Vec<Line> {
    let mut lines = Vec::new();
    for moment in ["latest", "history"] {
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        for comparison in &report.comparisons {
            let parts: Vec<&str> = comparison.name.split('/').collect();
            if let ["point", at, keys, "range"] = parts.as_slice()
                && *at == moment
                && let Ok(keys) = keys.parse::<f64>()
            {
                ours.push((keys, median(&comparison.series.ours)));
                bare.push((keys, median(&comparison.series.peer)));
            }
        }
        lines.push(Line { name: format!("asof, {moment}"), points: ours });
        lines.push(Line { name: format!("bare redb, {moment}"), points: bare });
    }
    lines
}

fn depth(report: &Report) -> Vec<Line> {
    let mut points = Vec::new();
    for comparison in &report.comparisons {
        if let Some(depth) = comparison.name.strip_prefix("depth/")
            && let Ok(depth) = depth.parse::<f64>()
        {
            if points.is_empty() {
                points.push((10.0, median(&comparison.series.peer)));
            }
            points.push((depth, median(&comparison.series.ours)));
        }
    }
    vec![Line { name: "asof, in history".to_owned(), points }]
}

fn draw(axis: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let xs = Spread::of(points().map(|point| point.0.log10()));
    let top = Spread::of(points().map(|point| point.1)).max.max(0.1).ceil();
    let x = |value: f64| {
        let share = (value.log10() - xs.min) / (xs.max - xs.min).max(0.1);
        MARGIN + share * (WIDTH - 2.0 * MARGIN)
    };
    let y = |value: f64| HEIGHT - MARGIN - value / top * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for step in 0..=4_u8 {
        let value = top * f64::from(step) / 4.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{MARGIN}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>",
            WIDTH - MARGIN,
            MARGIN - 6.0,
            y(value) + 4.0,
            at = y(value),
        );
    }
    let mut marks: Vec<f64> = points().map(|point| point.0).collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    for mark in marks {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>",
            x(mark),
            HEIGHT - MARGIN + 16.0
        );
    }
    for (index, (line, colour)) in lines.iter().zip(COLOURS).enumerate() {
        let path: Vec<String> = line
            .points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1)))
            .collect();
        let row = u8::try_from(index).map_or(0.0, f64::from);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            MARGIN + 8.0 + row * 136.0,
            MARGIN - 26.0,
            line.name
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{axis}</text>\
         <text x=\"8\" y=\"{}\">us a read</text>\n</svg>",
        WIDTH / 2.0,
        HEIGHT - 12.0,
        MARGIN - 8.0
    );
    svg
}
