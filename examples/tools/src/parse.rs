//! Values of the command line: durations, sizes in bytes, addresses.

use std::{net::IpAddr, time::Duration};

/// Reads a duration with its unit: `250ms`, `10s`, `1.5m`, `2h`; `0` needs none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ');
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let seconds = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" if number == "0" => 1.0,
        _ => return Err("it is a number and a unit, as in 250ms, 10s, 1.5m, 2h".to_owned()),
    };
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("{number:?} is not a number"))?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err("a year, 8760h, is the longest".to_owned()),
        Err(_) => Err("it is not a time that can be waited for".to_owned()),
    }
}

/// Longest time. Sums of several times, and of times and the clock, can be counted in nanoseconds.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a duration that is not 0.
pub(crate) fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it is above 0".to_owned()),
        time => Ok(time),
    }
}

/// Reads a number of bytes: `64`, `1k`, `64KiB`, `1M`. k and M are powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u32, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let factor: u32 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1024,
        "m" | "mib" => 1024 * 1024,
        _ => return Err(format!("{unit:?} is not a unit: use none, k or M")),
    };
    let number: u32 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a number of bytes"))?;
    match number.checked_mul(factor) {
        Some(0) => Err("a number of bytes is above 0".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!("{text} is too much")),
    }
}

/// Reads a rate: a number above 0, with `k` for a thousand.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1000.0),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate * factor),
        _ => Err("it is a number of calls per second above 0".to_owned()),
    }
}

/// The source addresses of one association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source(pub(crate) Vec<IpAddr>);

/// Reads source addresses: `192.0.2.1`, or several of one association, `192.0.2.1,198.51.100.1`.
pub(crate) fn source(text: &str) -> Result<Source, String> {
    let one = |ip: &str| {
        let ip = ip.trim();
        ip.parse::<IpAddr>()
            .map_err(|_| format!("{ip:?} is not an IP address"))
    };
    text.split(',')
        .map(one)
        .collect::<Result<_, _>>()
        .map(Source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(duration("20us"), Ok(Duration::from_micros(20)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "ten s",
            "10 parsecs",
            "1e400s",
            "nans",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(some_duration("0").is_err());
        assert_eq!(duration("8760h"), Ok(LONGEST));
        for text in ["8761h", "9000000000000000000s"] {
            assert!(duration(text).unwrap_err().contains("8760h"), "{text}");
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        assert_eq!(bytes("64"), Ok(64));
        assert_eq!(bytes("64k"), Ok(65536));
        assert_eq!(bytes("1MiB"), Ok(1_048_576));
        for text in ["", "0", "k", "-1", "1.5k", "64 kilos", "5000M"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_above_zero() {
        assert_eq!(rate("0.5"), Ok(0.5));
        assert_eq!(rate("20k"), Ok(20_000.0));
        for text in ["0", "-1", "inf", "nan", "fast", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sources_are_lists_of_addresses() {
        let both = source("192.0.2.1,2001:db8::1").unwrap();
        assert_eq!(both.0.len(), 2);
        assert!(source("192.0.2.1:99").unwrap_err().contains("192.0.2.1:99"));
    }
}
