//! Curves over one axis.

use std::fmt::Write;

use super::{COLOURS, axis::Axis, open, text::escape};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 75.0;
const BOTTOM: f64 = 420.0;

/// Contents of a picture.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The heading.
    pub title: String,
    /// The line below it: what was measured, where, when.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Scale,
    /// The vertical axis.
    pub y: Scale,
    /// Each has a colour of its own.
    pub curves: Vec<Curve>,
}

/// An axis and what stands beside it.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Name and unit of the values.
    pub name: &'static str,
    /// Logarithmic; else even, and from 0.
    pub is_log: bool,
    /// Labels a tick.
    pub show: fn(f64) -> String,
}

/// A curve, with a mark for each of its points.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// In the order of the horizontal axis. One that is not finite, or not above 0 on a
    /// logarithmic axis, is left out.
    pub points: Vec<(f64, f64)>,
}

/// Draws the curves.
#[must_use]
pub fn svg(lines: &Lines) -> String {
    let x = axis(&lines.x, lines, |point| point.0, (LEFT, RIGHT));
    let y = axis(&lines.y, lines, |point| point.1, (BOTTOM, TOP));
    let mut svg = open(WIDTH, HEIGHT, &lines.title, &lines.subtitle);
    grid(&mut svg, lines, (&x, &y));
    for (index, curve) in lines.curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let (mut path, mut marks) = (String::new(), String::new());
        for point in curve.points.iter().filter(|point| lines.can_show(**point)) {
            let (x, y) = (x.place(point.0), y.place(point.1));
            let letter = if path.is_empty() { 'M' } else { 'L' };
            // Writing to a string cannot fail, here and below.
            let _ = write!(path, "{letter}{x:.1} {y:.1}");
            let _ = write!(marks, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3"/>"#);
        }
        let legend = TOP + 12.0 + 20.0 * index as f64;
        let _ = writeln!(
            svg,
            r#"<g fill="{colour}"><path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>{marks}</g>
<path d="M{} {legend}h18" stroke="{colour}" stroke-width="3"/><text x="{}" y="{}">{}</text>"#,
            RIGHT + 16.0,
            RIGHT + 40.0,
            legend + 4.0,
            escape(&curve.name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

impl Lines {
    fn can_show(&self, (x, y): (f64, f64)) -> bool {
        let fits = |value: f64, scale: &Scale| value.is_finite() && (value > 0.0 || !scale.is_log);
        fits(x, &self.x) && fits(y, &self.y)
    }
}

fn axis(scale: &Scale, lines: &Lines, of: fn(&(f64, f64)) -> f64, pixels: (f64, f64)) -> Axis {
    let points = lines.curves.iter().flat_map(|curve| &curve.points);
    let values: Vec<f64> = points
        .filter(|point| lines.can_show(**point))
        .map(of)
        .collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    if scale.is_log {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let least = if least.is_finite() { least } else { 1.0 };
        Axis::log(least, most.max(least), pixels)
    } else {
        Axis::from_zero(most, pixels)
    }
}

fn grid(svg: &mut String, lines: &Lines, (x, y): (&Axis, &Axis)) {
    for tick in y.ticks() {
        let place = y.place(tick);
        let _ = writeln!(
            svg,
            r##"<path d="M{LEFT} {place:.1}H{RIGHT}" stroke="#dcdfe3"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"##,
            LEFT - 8.0,
            place + 4.0,
            escape(&(lines.y.show)(tick))
        );
    }
    for tick in x.ticks() {
        let place = x.place(tick);
        let _ = writeln!(
            svg,
            r##"<path d="M{place:.1} {TOP}V{BOTTOM}" stroke="#eef0f3"/><text x="{place:.1}" y="{}" text-anchor="middle">{}</text>"##,
            BOTTOM + 18.0,
            escape(&(lines.x.show)(tick))
        );
    }
    let _ = writeln!(
        svg,
        r##"<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#444"/><text transform="translate(20 {}) rotate(-90)" text-anchor="middle">{}</text><text x="{}" y="{}" text-anchor="middle">{}</text>"##,
        f64::midpoint(TOP, BOTTOM),
        escape(lines.y.name),
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 42.0,
        escape(lines.x.name)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Scale = Scale {
        name: "associations",
        is_log: true,
        show: |value| value.to_string(),
    };

    fn lines(points: &[(f64, f64)]) -> Lines {
        Lines {
            title: "cost & scale".to_owned(),
            subtitle: String::new(),
            x: LOG,
            y: Scale {
                is_log: false,
                ..LOG
            },
            curves: vec![Curve {
                name: "<one>".to_owned(),
                points: points.to_vec(),
            }],
        }
    }

    #[test]
    fn points_lie_where_the_axes_say() {
        let svg = svg(&lines(&[(1.0, 0.0), (10.0, 50.0), (100.0, 100.0)]));
        let (x, y) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(TOP, BOTTOM));
        let path = format!("M{LEFT:.1} {BOTTOM:.1}L{x:.1} {y:.1}L{RIGHT:.1} {TOP:.1}");
        assert!(svg.contains(&path), "{svg}");
        assert!(svg.contains("cost &amp; scale") && svg.contains("&lt;one&gt;"));
    }

    #[test]
    fn empty_plot_is_drawn() {
        for points in [&[][..], &[(0.0, 1.0), (f64::NAN, 1.0)], &[(1.0, 1.0)]] {
            let svg = svg(&lines(points));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.ends_with("</svg>\n"));
        }
    }
}
