//! A diff of lines, as people read it: what went, what came, and a little around it.

/// Lines of either side that are compared one by one; beyond it what differs is shown as a whole.
const COMPARED_MAX: usize = 1_000;

/// Lines shown around a change.
const AROUND: usize = 3;

/// Lines of one diff at most.
const LINES_MAX: usize = 2_000;

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    /// It is in both.
    Same,
    /// It is only in the earlier text.
    Gone,
    /// It is only in the later text.
    New,
    /// So many lines that are in both are left out.
    Cut,
}

impl Sign {
    /// What stands before the line.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::Gone => "−",
            Self::New => "+",
            Self::Cut => "⋯",
        }
    }

    /// For a style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Gone => "gone",
            Self::New => "new",
            Self::Cut => "cut",
        }
    }
}

/// A line of a diff.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What became of it.
    pub sign: Sign,
    /// The line, or for [`Sign::Cut`] what is left out.
    pub text: String,
}

/// The diff from `before` to `after`: at most so many lines, and time in proportion to the texts
/// once they differ in more than 1,000 lines.
pub fn lines(before: &str, after: &str) -> Vec<Line> {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (old, new) =
        (before.get(head..).unwrap_or_default(), after.get(head..).unwrap_or_default());
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let old = old.get(..old.len() - tail).unwrap_or_default();
    let new = new.get(..new.len() - tail).unwrap_or_default();
    let same = |line: &&str| (Sign::Same, (*line).to_owned());
    let mut all: Vec<(Sign, String)> = before.iter().take(head).map(same).collect();
    if old.len() <= COMPARED_MAX && new.len() <= COMPARED_MAX {
        all.extend(compared(old, new));
    } else {
        all.extend(old.iter().map(|line| (Sign::Gone, (*line).to_owned())));
        all.extend(new.iter().map(|line| (Sign::New, (*line).to_owned())));
    }
    all.extend(before.iter().skip(before.len() - tail).map(same));
    cut(all)
}

/// By the longest common subsequence, of which a table holds the lengths.
fn compared(old: &[&str], new: &[&str]) -> Vec<(Sign, String)> {
    let width = new.len() + 1;
    // `longest[i * width + j]`: of `old[i..]` and `new[j..]`.
    let mut longest = vec![0_u16; (old.len() + 1) * width];
    let at = |longest: &[u16], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = if line == other {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j, mut made) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (None, None) => return made,
            (Some(line), Some(other)) if line == other => {
                made.push((Sign::Same, (*line).to_owned()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(line), other)
                if other.is_none() || at(&longest, i + 1, j) >= at(&longest, i, j + 1) =>
            {
                made.push((Sign::Gone, (*line).to_owned()));
                i += 1;
            }
            (_, Some(other)) => {
                made.push((Sign::New, (*other).to_owned()));
                j += 1;
            }
            (Some(_), None) => unreachable!("the arm above takes what is left of the old text"),
        }
    }
}

/// Leaves out what is the same and far from any change.
fn cut(all: Vec<(Sign, String)>) -> Vec<Line> {
    let changed: Vec<bool> = all.iter().map(|(sign, _)| *sign != Sign::Same).collect();
    let near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        let until = (index + AROUND + 1).min(changed.len());
        changed.get(from..until).is_some_and(|around| around.contains(&true))
    };
    let mut kept = Vec::new();
    let mut left_out = 0_u64;
    let flush = |kept: &mut Vec<Line>, left_out: &mut u64| {
        if *left_out > 0 {
            let text = crate::text::counted(*left_out, "line", "lines");
            kept.push(Line { sign: Sign::Cut, text });
            *left_out = 0;
        }
    };
    for (index, (sign, text)) in all.into_iter().enumerate() {
        if near(index) && kept.len() < LINES_MAX {
            flush(&mut kept, &mut left_out);
            kept.push(Line { sign, text });
        } else {
            left_out += 1;
        }
    }
    flush(&mut kept, &mut left_out);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| format!("{}{}", line.sign.mark(), line.text)).collect()
    }

    #[test]
    fn a_changed_line_is_shown_with_a_little_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "a\nb\nc\nd\nE\nf\ng\nh\n";
        let shown = text(&lines(before, after));
        assert_eq!(shown, ["⋯1 line", " b", " c", " d", "−e", "+E", " f", " g", " h"]);
        assert_eq!(text(&lines("a", "a")), ["⋯1 line"]);
        assert_eq!(text(&lines("", "a")), ["+a"]);
        assert_eq!(text(&lines("a\nb", "b")), ["−a", " b"]);
        assert_eq!(text(&lines("a\nb", "a\nx\nb")), [" a", "+x", " b"]);
    }

    #[test]
    fn applying_a_diff_gives_the_later_text() {
        // Every pair of texts of up to four lines over two letters.
        let texts: Vec<String> = (0..16_u32)
            .flat_map(|bits| (0..=4).map(move |length| (bits, length)))
            .map(|(bits, length)| {
                let line = |at: u32| if bits >> at & 1 == 0 { "a\n" } else { "b\n" };
                (0..length).map(line).collect()
            })
            .collect();
        for before in &texts {
            for after in &texts {
                let diff = compared(
                    &before.lines().collect::<Vec<_>>(),
                    &after.lines().collect::<Vec<_>>(),
                );
                let side = |gone: Sign| -> String {
                    let kept = diff.iter().filter(|(sign, _)| *sign != gone);
                    kept.flat_map(|(_, line)| [line.as_str(), "\n"]).collect()
                };
                assert_eq!(&side(Sign::New), before);
                assert_eq!(&side(Sign::Gone), after);
            }
        }
    }

    #[test]
    fn large_texts_are_not_compared_line_by_line() {
        let before: Vec<_> = (0..50_000).map(|line| line.to_string()).collect();
        let after: Vec<_> = (1..50_001).map(|line| line.to_string()).collect();
        let diff = lines(&before.join("\n"), &after.join("\n"));
        assert!(diff.len() <= LINES_MAX + 1, "{}", diff.len());
    }
}
