//! Panels of bars, side by side: one panel for each case, one bar for each contestant.

use std::fmt::Write;

use super::{COLOURS, open, text::escape};

const COLUMN: f64 = 400.0;
/// Room for the names.
const LEFT: f64 = 160.0;
/// Room for the values.
const VALUE: f64 = 70.0;
const ROW: f64 = 16.0;
const HEAD: f64 = 70.0;

/// Contents of a picture.
#[derive(Clone, Debug)]
pub struct Bars {
    /// The heading.
    pub title: String,
    /// The line below it: what was measured, where, when.
    pub subtitle: String,
    /// Number of panels side by side.
    pub columns: usize,
    /// Row by row.
    pub panels: Vec<Panel>,
}

/// The bars of one case; each panel has a scale of its own, from 0.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The heading.
    pub name: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar. The same `kind` has the same colour in all panels.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Label on the left.
    pub name: String,
    /// The length.
    pub value: f64,
    /// Label on the right.
    pub label: String,
    /// Chooses the colour.
    pub kind: usize,
}

/// Draws the panels.
#[must_use]
pub fn svg(bars: &Bars) -> String {
    let columns = bars.columns.max(1);
    let rows: Vec<&[Panel]> = bars.panels.chunks(columns).collect();
    let tall = |row: &[Panel]| {
        let most = row.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
        most as f64 * ROW + 46.0
    };
    let height = HEAD + rows.iter().map(|row| tall(row)).sum::<f64>();
    let width = columns as f64 * COLUMN + 20.0;
    let mut svg = open(width, height, &bars.title, &bars.subtitle);
    let mut top = HEAD;
    for row in rows {
        for (index, panel) in row.iter().enumerate() {
            draw(&mut svg, panel, (20.0 + index as f64 * COLUMN, top));
        }
        top += tall(row);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, panel: &Panel, (left, top): (f64, f64)) {
    let known = |bar: &&Bar| bar.value.is_finite();
    let values = panel.bars.iter().filter(known).map(|bar| bar.value);
    let most = values.fold(f64::MIN_POSITIVE, f64::max);
    let begin = left + LEFT;
    let room = COLUMN - LEFT - VALUE - 10.0;
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        svg,
        r#"<text x="{left}" y="{}" font-weight="bold">{}</text>"#,
        top + 12.0,
        escape(&panel.name)
    );
    for (index, bar) in panel.bars.iter().enumerate() {
        let y = top + 22.0 + index as f64 * ROW;
        let value = if known(&bar) { bar.value.max(0.0) } else { 0.0 };
        let length = value / most * room;
        let _ = writeln!(
            svg,
            r#"<text x="{}" y="{:.1}" text-anchor="end" font-size="11">{}</text><rect x="{begin}" y="{y:.1}" width="{length:.1}" height="{}" fill="{}"/><text x="{:.1}" y="{:.1}" font-size="11">{}</text>"#,
            begin - 6.0,
            y + 10.0,
            escape(&bar.name),
            ROW - 4.0,
            COLOURS[bar.kind % COLOURS.len()],
            begin + length + 5.0,
            y + 10.0,
            escape(&bar.label)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: f64) -> Bar {
        Bar {
            name: "a & b".to_owned(),
            value,
            label: "<1>".to_owned(),
            kind: 12,
        }
    }

    #[test]
    fn longest_fills_the_room_and_the_others_their_share() {
        let svg = svg(&Bars {
            title: String::new(),
            subtitle: String::new(),
            columns: 2,
            panels: vec![Panel {
                name: "64 B".to_owned(),
                bars: [10.0, 5.0, 0.0, f64::NAN].map(bar).to_vec(),
            }],
        });
        let room = COLUMN - LEFT - VALUE - 10.0;
        for length in [room, room / 2.0, 0.0] {
            assert!(svg.contains(&format!("width=\"{length:.1}\"")), "{svg}");
        }
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;1&gt;"));
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn picture_without_panels_is_drawn() {
        let svg = svg(&Bars {
            title: String::new(),
            subtitle: String::new(),
            columns: 0,
            panels: Vec::new(),
        });
        assert!(svg.ends_with("</svg>\n"));
    }
}
