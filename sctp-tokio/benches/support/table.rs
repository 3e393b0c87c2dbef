//! Prints a table in Markdown, each column as wide as it needs to be.

/// Prints rows under a heading; numbers are aligned to the right, the first column to the left.
pub(crate) fn print(heading: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        longest.max(heading[column].chars().count())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &[String]| {
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            if column == 0 {
                print!("| {cell:<width$} ");
            } else {
                print!("| {cell:>width$} ");
            }
        }
        println!("|");
    };
    line(&heading.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (column, width) in widths.iter().enumerate() {
        let (dashes, end) = (width + 1, if column == 0 { "-" } else { ":" });
        print!("|{}{end}", "-".repeat(dashes));
    }
    println!("|");
    rows.iter().for_each(|row| line(row));
}
