//! Walking rows as they will be.

use core::ops::{Bound, ControlFlow};

use super::Stage;
use crate::Result;
use crate::engine::Direction;

/// Looks at one row, key and value, and says whether to go on.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + 'a;

impl Stage<'_> {
    /// Visits the rows in `[from, end)`, with what is staged over what is stored.
    pub(super) fn each_row(&self, from: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        let range = (Bound::Included(from), Bound::Excluded(end));
        let mut staged = self.rows.range::<[u8], _>(range).peekable();
        let (mut outcome, mut stopped) = (Ok(()), false);
        let mut show = |row: &[u8], value: &[u8], outcome: &mut Result<()>| match visit(row, value)
        {
            Ok(flow) => flow,
            Err(error) => {
                *outcome = Err(error);
                ControlFlow::Break(())
            }
        };
        self.base.scan(range, Direction::Forward, &mut |row, value| {
            while let Some((over, put)) = staged.next_if(|(over, _)| over.as_slice() < row) {
                if let Some(put) = put
                    && show(over, put, &mut outcome).is_break()
                {
                    stopped = true;
                    return ControlFlow::Break(());
                }
            }
            let flow = match staged.next_if(|(over, _)| over.as_slice() == row) {
                Some((_, None)) => ControlFlow::Continue(()),
                Some((_, Some(put))) => show(row, put, &mut outcome),
                None => show(row, value, &mut outcome),
            };
            stopped = flow.is_break();
            flow
        })?;
        if !stopped {
            for (row, put) in staged {
                if let Some(put) = put
                    && show(row, put, &mut outcome).is_break()
                {
                    break;
                }
            }
        }
        outcome
    }
}
