//! Aligned columns for people.

/// Where a column's text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Align {
    /// At the left.
    Left,
    /// At the right, for numbers.
    Right,
}

/// Lines up rows page by page, so that a listing of any length needs the memory of one page. A
/// column grows with the widest text so far and never shrinks again.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    widths: [usize; N],
    rows: Vec<[String; N]>,
    headed: bool,
}

impl<const N: usize> Table<N> {
    /// A table with these headings.
    pub(crate) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self {
            columns,
            widths: columns.map(|(heading, _)| heading.chars().count()),
            rows: Vec::new(),
            headed: false,
        }
    }

    /// Adds a row to the page.
    pub(crate) fn row(&mut self, row: [String; N]) {
        for (width, text) in self.widths.iter_mut().zip(&row) {
            *width = text.chars().count().max(*width);
        }
        self.rows.push(row);
    }

    /// The lines of the page, with the headings above the first one. A table without rows has no
    /// lines.
    pub(crate) fn take_page(&mut self) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if !self.headed {
            self.headed = true;
            lines.push(self.line(&self.columns.map(|(heading, _)| heading.to_owned())));
        }
        for row in core::mem::take(&mut self.rows) {
            lines.push(self.line(&row));
        }
        lines
    }

    fn line(&self, row: &[String; N]) -> String {
        let mut line = String::new();
        for ((text, (_, align)), width) in row.iter().zip(self.columns).zip(self.widths) {
            let gap = " ".repeat(width.saturating_sub(text.chars().count()));
            if !line.is_empty() {
                line.push_str("  ");
            }
            match align {
                Align::Left => line.extend([text.as_str(), &gap]),
                Align::Right => line.extend([&gap, text.as_str()]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_within_a_page_and_never_shrink() {
        let mut table = Table::new([("KEY", Align::Left), ("SIZE", Align::Right)]);
        table.row(["a".into(), "512 B".into()]);
        table.row(["größer".into(), "1 B".into()]);
        assert_eq!(table.take_page(), ["KEY      SIZE", "a       512 B", "größer    1 B"]);
        table.row(["b".into(), "2 B".into()]);
        assert_eq!(table.take_page(), ["b         2 B"]);
        assert!(table.take_page().is_empty());
    }
}
