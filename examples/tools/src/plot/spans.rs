//! Panels of spans, side by side: one panel for each case, one row for each contestant, with marks
//! at three values and a line through them, over a logarithmic axis of the panel's own.

use std::fmt::Write;

use super::{COLOURS, axis::Axis, open, text::escape};

const COLUMN: f64 = 400.0;
/// Room for the names.
const LEFT: f64 = 160.0;
const ROW: f64 = 16.0;
const HEAD: f64 = 70.0;

/// Contents of a picture.
#[derive(Clone, Debug)]
pub struct Spans {
    /// The heading.
    pub title: String,
    /// The line below it: what was measured, where, when.
    pub subtitle: String,
    /// Number of panels side by side.
    pub columns: usize,
    /// The name of each panel, and its rows from top to bottom.
    pub panels: Vec<(String, Vec<Span>)>,
    /// Labels a tick.
    pub show: fn(f64) -> String,
}

/// One row. The same `kind` has the same colour in all panels.
#[derive(Clone, Debug)]
pub struct Span {
    /// Label on the left.
    pub name: String,
    /// In rising order. A row with a value that is not finite and above 0 stays empty.
    pub values: [f64; 3],
    /// Chooses the colour.
    pub kind: usize,
}

/// Draws the panels.
#[must_use]
pub fn svg(spans: &Spans) -> String {
    let columns = spans.columns.max(1);
    let rows: Vec<&[(String, Vec<Span>)]> = spans.panels.chunks(columns).collect();
    let tall = |row: &[(String, Vec<Span>)]| {
        let most = row.iter().map(|(_, spans)| spans.len()).max().unwrap_or(0);
        most as f64 * ROW + 66.0
    };
    let height = HEAD + rows.iter().map(|row| tall(row)).sum::<f64>();
    let width = columns as f64 * COLUMN + 20.0;
    let mut svg = open(width, height, &spans.title, &spans.subtitle);
    let mut top = HEAD;
    for row in rows {
        for (index, panel) in row.iter().enumerate() {
            let left = 20.0 + index as f64 * COLUMN;
            draw(&mut svg, panel, (left, top), spans.show);
        }
        top += tall(row);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(
    svg: &mut String,
    (name, spans): &(String, Vec<Span>),
    (left, top): (f64, f64),
    show: fn(f64) -> String,
) {
    let known = || spans.iter().filter(|span| span.is_known());
    let values = || known().flat_map(|span| span.values);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        svg,
        r#"<text x="{left}" y="{}" font-weight="bold">{}</text>"#,
        top + 12.0,
        escape(name)
    );
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(0.0, f64::max);
    let least = if least.is_finite() { least } else { 1.0 };
    let axis = Axis::log(least, most, (left + LEFT, left + COLUMN - 30.0));
    let (begin, end) = (top + 20.0, top + 22.0 + spans.len() as f64 * ROW);
    let mut free = 0.0;
    for tick in axis.ticks() {
        let x = axis.place(tick);
        let _ = writeln!(
            svg,
            r##"<path d="M{x:.1} {begin}V{end}" stroke="#e4e7ea"/>"##
        );
        if x >= free {
            let _ = writeln!(
                svg,
                r#"<text x="{x:.1}" y="{}" text-anchor="middle" font-size="10">{}</text>"#,
                end + 12.0,
                escape(&show(tick))
            );
            free = x + 40.0;
        }
    }
    for (index, span) in spans.iter().enumerate() {
        let y = top + 30.0 + index as f64 * ROW;
        let _ = writeln!(
            svg,
            r#"<text x="{}" y="{:.1}" text-anchor="end" font-size="11">{}</text>"#,
            left + LEFT - 6.0,
            y + 4.0,
            escape(&span.name)
        );
        if span.is_known() {
            let [low, middle, high] = span.values.map(|value| axis.place(value));
            let colour = COLOURS[span.kind % COLOURS.len()];
            let _ = writeln!(
                svg,
                r#"<path d="M{low:.1} {y}H{high:.1}M{middle:.1} {}v6M{high:.1} {}v6" stroke="{colour}" stroke-width="1.6"/><circle cx="{low:.1}" cy="{y}" r="3.4" fill="{colour}"/>"#,
                y - 3.0,
                y - 3.0
            );
        }
    }
}

impl Span {
    fn is_known(&self) -> bool {
        self.values
            .iter()
            .all(|value| value.is_finite() && *value > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(values: &[[f64; 3]]) -> String {
        let span = |values: &[f64; 3]| Span {
            name: "a & b".to_owned(),
            values: *values,
            kind: 12,
        };
        svg(&Spans {
            title: String::new(),
            subtitle: String::new(),
            columns: 1,
            panels: vec![("64 B".to_owned(), values.iter().map(span).collect())],
            show: |value| format!("<{value}>"),
        })
    }

    #[test]
    fn marks_lie_where_the_axis_says() {
        let svg = picture(&[[10.0, 100.0, 1000.0]]);
        let (begin, end) = (20.0 + LEFT, 20.0 + COLUMN - 30.0);
        let middle = f64::midpoint(begin, end);
        assert!(
            svg.contains(&format!("M{begin:.1} 100H{end:.1}M{middle:.1} 97v6")),
            "{svg}"
        );
        assert!(svg.contains(&format!("<circle cx=\"{begin:.1}\"")), "{svg}");
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;10&gt;"));
    }

    #[test]
    fn unknown_span_is_not_drawn() {
        for values in [&[][..], &[[f64::NAN; 3]], &[[0.0, 1.0, 2.0]]] {
            let svg = picture(values);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(!svg.contains("<circle"), "{svg}");
            assert!(svg.ends_with("</svg>\n"));
        }
    }
}
