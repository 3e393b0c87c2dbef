//! Makes a table in Markdown, each column as wide as it needs to be.

/// Prints rows under a heading.
pub(crate) fn print(heading: &[&str], rows: &[Vec<String>]) {
    print!("{}", format(heading, rows));
}

/// Rows under a heading; numbers are aligned to the right, the first column to the left.
pub(crate) fn format(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = String::new();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        longest.max(heading[column].chars().count())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |table: &mut String, cells: &[String]| {
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            if column == 0 {
                *table += &format!("| {cell:<width$} ");
            } else {
                *table += &format!("| {cell:>width$} ");
            }
        }
        *table += "|\n";
    };
    line(
        &mut table,
        &heading.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    for (column, width) in widths.iter().enumerate() {
        let (dashes, end) = (width + 1, if column == 0 { "-" } else { ":" });
        table += &format!("|{}{end}", "-".repeat(dashes));
    }
    table += "|\n";
    rows.iter().for_each(|row| line(&mut table, row));
    table
}
