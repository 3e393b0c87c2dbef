//! Pictures of measurements, as SVG: the scales and the text of `sctp load`'s, and the charts of
//! the benchmarks.

pub mod axis;
pub mod bars;
pub mod lines;
pub mod spans;
pub mod text;

/// Distinct colours, in the order to use them; they repeat if there are more curves.
pub const COLOURS: [&str; 10] = [
    "#2f6db3", "#c8323c", "#3c9a5f", "#e08a1e", "#7a4fa3", "#8a8f98", "#1a9aa8", "#a3602f",
    "#d45f9c", "#5c6b1f",
];

/// Begins a picture: its size, its title, and a line below that.
#[must_use]
pub fn open(width: f64, height: f64, title: &str, subtitle: &str) -> String {
    let (title, subtitle) = (text::escape(title), text::escape(subtitle));
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="12" fill="#222">
<title>{title}</title>
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="20" y="28" font-size="15" font-weight="bold">{title}</text>
<text x="20" y="48" fill="#555">{subtitle}</text>
"##
    )
}
