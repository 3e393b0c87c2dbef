//! Text in the picture.

use crate::format::{rate, time};

/// Maximum length of a line of the heading, in letters.
const LINE: usize = 100;

/// The label of a tick on an axis of times in nanoseconds.
#[must_use]
pub fn nanoseconds(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "ticks of a latency axis are above 0 and below hours"
    )]
    time(value.round() as u64)
}

/// The label of a tick on an axis of rates.
#[must_use]
pub fn calls(value: f64) -> String {
    if value < 100.0 {
        plain(value)
    } else {
        rate(value)
    }
}

/// Truncates a line to the available width.
#[must_use]
pub fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A tick without the noise of its last bits.
#[must_use]
pub fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text that cannot be taken for markup.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
