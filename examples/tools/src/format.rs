//! Figures for people.

/// A time in nanoseconds with its unit, to three digits: `412 ns`, `41.2 µs`, `1.20 ms`.
#[must_use]
pub fn latency(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    let (value, unit) = match nanoseconds {
        0..1_000 => return format!("{nanoseconds} ns"),
        1_000..999_500 => (value / 1e3, "µs"),
        999_500..999_500_000 => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// The same without needless zeros, for times that somebody chose: `5 s`, `1.5 ms`.
#[must_use]
pub fn time(nanoseconds: u64) -> String {
    let text = latency(nanoseconds);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => text,
    }
}

/// Three significant digits, or all before the point.
fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// A number with its thousands apart: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let text = number.to_string();
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in text.char_indices() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate: `98,123`, or with decimals where it is small.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 99.95 {
        return digits(per_second);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above 99, and a larger one saturates"
    )]
    count(per_second.round() as u64)
}

/// An amount of data per second: `6.10 MiB/s`.
#[must_use]
pub fn data_rate(bytes_per_second: f64) -> String {
    const UNITS: [&str; 4] = ["B/s", "KiB/s", "MiB/s", "GiB/s"];
    let mut value = bytes_per_second;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{} {unit}", digits(value))
}

/// "1 call", "2 calls".
#[must_use]
pub fn plural(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits() {
        for (nanoseconds, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (41_230, "41.2 µs"),
            (412_300, "412 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (9_995_000, "10.0 ms"),
            (1_200_000_000, "1.20 s"),
            (3_600_000_000_000, "3600 s"),
        ] {
            assert_eq!(latency(nanoseconds), text);
        }
    }

    #[test]
    fn chosen_times_are_short() {
        for (nanoseconds, text) in [
            (5_000_000_000, "5 s"),
            (1_500_000, "1.5 ms"),
            (100_000_000, "100 ms"),
            (10_000_000, "10 ms"),
            (7, "7 ns"),
        ] {
            assert_eq!(time(nanoseconds), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(0.5), "0.50");
        assert_eq!(rate(98_123.4), "98,123");
        assert_eq!(data_rate(0.0), "0.00 B/s");
        assert_eq!(data_rate(6.1 * 1024.0 * 1024.0), "6.10 MiB/s");
        assert_eq!(data_rate(1e15), "931323 GiB/s");
        assert_eq!(plural(1, "call"), "1 call");
        assert_eq!(plural(2_000, "call"), "2,000 calls");
    }
}
