//! The run over time as a picture: throughput, and percentiles of the latency.

use std::fmt::Write;

use sctp_tools::{
    format::{count, rate, time},
    plot::{
        COLOURS,
        axis::Axis,
        open,
        text::{calls, cut, nanoseconds, plain},
    },
};

use crate::load::{
    report::load,
    result::{Outcome, Point},
};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 600.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 840.0;
/// Positions of the two panels, from top to bottom.
const THROUGHPUT: (f64, f64) = (90.0, 255.0);
const LATENCY: (f64, f64) = (290.0, 540.0);
/// Up to this many points each is marked.
const MARKED: usize = 60;

const BLUE: &str = COLOURS[0];
const RED: &str = COLOURS[1];
const BACKGROUND: &str = "#eef0f3";

type Value = fn(&Point) -> f64;

/// The curves of the lower panel: name, colour, value.
const PERCENTILES: [(&str, &str, Value); 5] = [
    ("max", COLOURS[5], |point| point.max as f64),
    ("p99.9", RED, |point| point.p999 as f64),
    ("p99", COLOURS[3], |point| point.p99 as f64),
    ("p90", COLOURS[2], |point| point.p90 as f64),
    ("p50", BLUE, |point| point.p50 as f64),
];

/// Draws a result.
pub(crate) fn svg(outcome: &Outcome) -> String {
    let series = &outcome.series;
    let end = series.last().map_or(0.0, |point| point.at);
    let mut picture = Picture {
        svg: String::new(),
        x: Axis::exact(end, (LEFT, RIGHT)),
        series,
    };
    picture.open(outcome);
    picture.throughput();
    picture.latency();
    picture.push("</svg>\n");
    picture.svg
}

struct Picture<'a> {
    svg: String,
    x: Axis,
    series: &'a [Point],
}

impl Picture<'_> {
    fn push(&mut self, text: &str) {
        self.svg.push_str(text);
    }

    fn open(&mut self, outcome: &Outcome) {
        let calls = &outcome.calls;
        let p99 = outcome.latency.percentile(99.0).unwrap_or_default();
        let interrupted = if outcome.interrupted {
            ", interrupted"
        } else {
            ""
        };
        let title = cut(&format!("sctp load {}", outcome.settings.server.join(" ")));
        let load = cut(&load(&outcome.settings));
        self.push(&open(WIDTH, HEIGHT, &title, &load));
        let figures = format!(
            "{} calls/s, p99 {}, {} failed{interrupted}",
            rate(calls.per_second),
            time(p99),
            count(calls.failed)
        );
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            self.svg,
            r##"<text x="20" y="66" fill="#555">{figures}</text>"##
        );
    }

    fn throughput(&mut self) {
        let per_second: Value = Point::per_second;
        let failed: Value = |point| point.failed as f64 / point.seconds.max(1e-9);
        let failures = self.series.iter().any(|point| point.failed > 0);
        let values = self.series.iter().map(per_second);
        let most = values
            .chain(self.series.iter().map(failed))
            .fold(0.0, f64::max);
        let (top, bottom) = THROUGHPUT;
        let y = Axis::from_zero(most, (bottom, top));
        self.panel(THROUGHPUT, &y, "calls per second", &calls);
        self.area(&y, per_second);
        self.curve(&y, "answered", BLUE, per_second);
        self.legend(top + 12.0, "answered", BLUE);
        if failures {
            self.curve(&y, "failed", RED, failed);
            self.legend(top + 32.0, "failed", RED);
        }
        if self.series.iter().any(|point| !point.measured) {
            let (x, y) = (RIGHT + 16.0, bottom - 12.0);
            let _ = write!(
                self.svg,
                r##"<rect x="{x}" y="{y}" width="18" height="12" fill="{BACKGROUND}" stroke="#ccc"/>
<text x="{}" y="{}">not counted</text>
"##,
                x + 24.0,
                y + 10.0
            );
        }
    }

    fn latency(&mut self) {
        let answered = || self.series.iter().filter(|point| point.answered > 0);
        let least = answered().map(|point| point.p50).min().unwrap_or(1_000);
        let most = answered().map(|point| point.max).max().unwrap_or(1_000_000);
        let (top, bottom) = LATENCY;
        let y = Axis::log(least as f64, most as f64, (bottom, top));
        self.panel(LATENCY, &y, "latency (logarithmic)", &nanoseconds);
        for (index, (name, colour, value)) in PERCENTILES.into_iter().enumerate() {
            self.curve(&y, name, colour, value);
            self.legend(top + 12.0 + 20.0 * index as f64, name, colour);
        }
        for tick in self.x.ticks() {
            let _ = writeln!(
                self.svg,
                r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
                self.x.place(tick),
                bottom + 18.0,
                plain(tick)
            );
        }
        let _ = writeln!(
            self.svg,
            r#"<text x="{}" y="{}" text-anchor="middle">seconds since the run began</text>"#,
            (LEFT + RIGHT) / 2.0,
            bottom + 42.0
        );
    }

    /// Draws what lies behind the curves.
    fn panel(
        &mut self,
        (top, bottom): (f64, f64),
        y: &Axis,
        name: &str,
        show: &dyn Fn(f64) -> String,
    ) {
        for point in self.series {
            if !point.measured {
                self.band(point, (top, bottom), BACKGROUND, 1.0);
            }
            if point.failed > 0 {
                self.band(point, (top, bottom), RED, 0.12);
            }
        }
        for tick in y.ticks() {
            let place = y.place(tick);
            let _ = writeln!(
                self.svg,
                r##"<path d="M{LEFT} {place:.1}H{RIGHT}" stroke="#dcdfe3"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"##,
                LEFT - 8.0,
                place + 4.0,
                show(tick)
            );
        }
        let middle = (top + bottom) / 2.0;
        let _ = writeln!(
            self.svg,
            r##"<path d="M{LEFT} {top}V{bottom}H{RIGHT}" fill="none" stroke="#444"/><text transform="translate(20 {middle}) rotate(-90)" text-anchor="middle">{name}</text>"##
        );
    }

    /// Colours a piece of the run.
    fn band(&mut self, point: &Point, (top, bottom): (f64, f64), colour: &str, opacity: f64) {
        let from = self.x.place(point.at - point.seconds);
        let to = self.x.place(point.at);
        let _ = writeln!(
            self.svg,
            r#"<rect x="{from:.1}" y="{top}" width="{:.1}" height="{}" fill="{colour}" fill-opacity="{opacity}"/>"#,
            to - from,
            bottom - top
        );
    }

    /// The middle of a piece of the run, and its value.
    fn place(&self, point: &Point, y: &Axis, value: Value) -> (f64, f64) {
        let middle = point.at - point.seconds / 2.0;
        (self.x.place(middle), y.place(value(point)))
    }

    fn area(&mut self, y: &Axis, value: Value) {
        let bottom = y.place(0.0);
        let places: Vec<_> = self
            .series
            .iter()
            .map(|point| self.place(point, y, value))
            .collect();
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return;
        };
        let mut path = format!("M{:.1} {bottom}", first.0);
        for (x, y) in &places {
            let _ = write!(path, "L{x:.1} {y:.1}");
        }
        let _ = writeln!(
            self.svg,
            r#"<path d="{path}L{:.1} {bottom}Z" fill="{BLUE}" fill-opacity="0.15"/>"#,
            last.0
        );
    }

    /// Draws a curve, with gaps where nothing was answered and so no latency is known.
    fn curve(&mut self, y: &Axis, name: &str, colour: &str, value: Value) {
        let always = matches!(name, "answered" | "failed");
        let (mut path, mut marks) = (String::new(), String::new());
        let mut begin = true;
        for point in self.series {
            if !always && point.answered == 0 {
                begin = true;
                continue;
            }
            let (x, y) = self.place(point, y, value);
            let _ = write!(path, "{}{x:.1} {y:.1}", if begin { 'M' } else { 'L' });
            begin = false;
            if self.series.len() <= MARKED {
                let _ = write!(marks, r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.2"/>"#);
            }
        }
        let _ = writeln!(
            self.svg,
            r#"<g id="{name}" fill="{colour}"><path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>{marks}</g>"#
        );
    }

    fn legend(&mut self, y: f64, name: &str, colour: &str) {
        let x = RIGHT + 16.0;
        let _ = writeln!(
            self.svg,
            r#"<path d="M{x} {y}h18" stroke="{colour}" stroke-width="3"/><text x="{}" y="{}">{name}</text>"#,
            x + 24.0,
            y + 4.0
        );
    }
}

#[cfg(test)]
mod tests;
