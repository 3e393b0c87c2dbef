//! Lengths of messages: a distribution, and the random numbers to draw from it.

use std::{fmt, str::FromStr};

use crate::parse::bytes;

/// The lengths of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// All alike.
    Fixed(u32),
    /// Any length from the first to the second, each as likely.
    Uniform(u32, u32),
    /// Lengths with their weights.
    Weighted(Vec<(u32, u32)>),
}

impl Sizes {
    /// Draws the length of the next message.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let size = match self {
            Self::Fixed(size) => *size,
            Self::Uniform(from, to) => {
                let span = u64::from(to - from) + 1;
                // Below the span, which fits.
                from + u32::try_from(random.below(span)).unwrap_or(0)
            }
            Self::Weighted(list) => {
                let total = list.iter().map(|(_, weight)| u64::from(*weight)).sum();
                let mut point = random.below(total);
                let found = list.iter().find(|(_, weight)| {
                    let here = point < u64::from(*weight);
                    point = point.saturating_sub(u64::from(*weight));
                    here
                });
                found.map_or(1, |(size, _)| *size)
            }
        };
        size as usize
    }

    /// The longest that can be drawn.
    pub(crate) fn longest(&self) -> usize {
        let longest = match self {
            Self::Fixed(size) | Self::Uniform(_, size) => *size,
            Self::Weighted(list) => list.iter().map(|(size, _)| *size).max().unwrap_or(1),
        };
        longest as usize
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains([',', ':']) {
            let list: Vec<_> = text.split(',').map(weighted).collect::<Result<_, _>>()?;
            return match list.iter().any(|(_, weight)| *weight > 0) {
                true => Ok(Self::Weighted(list)),
                false => Err("at least one weight is above 0".to_owned()),
            };
        }
        let Some((from, to)) = text.split_once('-') else {
            return bytes(text).map(Self::Fixed);
        };
        match (bytes(from)?, bytes(to)?) {
            (from, to) if from <= to => Ok(Self::Uniform(from, to)),
            (from, to) => Err(format!("{from} is above {to}")),
        }
    }
}

/// Reads `SIZE:WEIGHT`; without a weight it is 1.
fn weighted(text: &str) -> Result<(u32, u32), String> {
    let (size, weight) = text.split_once(':').unwrap_or((text, "1"));
    let weight = weight
        .parse()
        .map_err(|_| format!("{weight:?} is not a weight, which is a whole number"))?;
    Ok((bytes(size)?, weight))
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Uniform(from, to) => write!(f, "{from}-{to}"),
            Self::Weighted(list) => {
                for (index, (size, weight)) in list.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{size}:{weight}")?;
                }
                Ok(())
            }
        }
    }
}

/// Random numbers that are the same in each run (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the limit, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        // The remainder's bias is below 2^-32 for limits of 32 bits.
        self.next() % limit.max(1)
    }

    /// A number in (0, 1].
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn draws(sizes: &str, count: usize) -> HashMap<usize, usize> {
        let sizes: Sizes = sizes.parse().unwrap();
        let mut random = Random::new(7);
        let mut counts = HashMap::new();
        for _ in 0..count {
            *counts.entry(sizes.draw(&mut random)).or_default() += 1;
        }
        counts
    }

    #[test]
    fn fixed_sizes_are_all_alike() {
        assert_eq!(draws("1k", 100), HashMap::from([(1024, 100)]));
    }

    #[test]
    fn uniform_sizes_reach_both_ends_evenly() {
        let counts = draws("10-13", 40_000);
        assert_eq!(counts.len(), 4);
        for size in 10..=13 {
            assert!((9_500..10_500).contains(&counts[&size]), "{counts:?}");
        }
        assert_eq!(draws("5-5", 10), HashMap::from([(5, 10)]));
    }

    #[test]
    fn weighted_sizes_keep_their_proportions() {
        let counts = draws("64:90,1k:9,64k:1,3:0", 100_000);
        assert_eq!(counts.len(), 3);
        assert!((89_000..91_000).contains(&counts[&64]), "{counts:?}");
        assert!((8_500..9_500).contains(&counts[&1024]), "{counts:?}");
        assert!((850..1_150).contains(&counts[&65536]), "{counts:?}");
        let even = draws("1,2", 10_000);
        assert!((4_700..5_300).contains(&even[&1]), "{even:?}");
    }

    #[test]
    fn sizes_read_and_show_alike() {
        for text in ["64", "64-1024", "64:90,1024:9"] {
            let sizes: Sizes = text.parse().unwrap();
            assert_eq!(sizes.to_string(), text);
        }
        let longest = |text: &str| text.parse::<Sizes>().unwrap().longest();
        assert_eq!(longest("1k"), 1024);
        assert_eq!(longest("1-9"), 9);
        assert_eq!(longest("1,64k:1,3"), 65536);
    }

    #[test]
    fn other_sizes_are_errors() {
        for (text, expected) in [
            ("0", "a number of bytes is above 0"),
            ("0-9", "a number of bytes is above 0"),
            ("9-1", "9 is above 1"),
            ("64:0", "at least one weight"),
            ("64:x", "\"x\" is not a weight"),
            ("big", "not a unit"),
            ("1,,2", "not a number of bytes"),
        ] {
            let error = text.parse::<Sizes>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn units_are_in_range() {
        let mut random = Random::new(1);
        let mean = (0..100_000).map(|_| random.unit()).sum::<f64>() / 100_000.0;
        assert!((0.495..0.505).contains(&mean), "{mean}");
    }
}
