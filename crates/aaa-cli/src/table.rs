//! Tables for people: a header, and columns as wide as what is in them.

use crate::{exit::Failure, output};

/// A table that is being filled.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Begins a table with its header.
    pub(crate) fn new(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_owned)] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: [String; N]) {
        self.rows.push(row.map(|cell| output::printable(&cell)));
    }

    /// Says whether there is nothing but the header.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Writes the table as data, unless it is empty.
    ///
    /// # Errors
    ///
    /// Fails when stdout cannot be written.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        for line in self.lines() {
            if !output::line(line)? {
                break;
            }
        }
        Ok(())
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        self.rows.iter().map(move |row| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let mut table = Table::new(["ID", "VALID", "URL"]);
        assert!(table.is_empty());
        table.row(["12".into(), "yes".into(), "https://example.com/".into()]);
        table.row(["1234577122340233217".into(), "no".into(), "ä\u{1b}[2J\n".into()]);
        let lines: Vec<_> = table.lines().collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        ID                   VALID  URL
        12                   yes    https://example.com/
        1234577122340233217  no     ä [2J
        ");
    }
}
