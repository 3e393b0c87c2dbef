//! Scales of a plot: from values to pixels, and where to put ticks.

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    is_log: bool,
    from: f64,
    to: f64,
    /// Positions of `from` and `to`.
    pixels: (f64, f64),
}

impl Axis {
    /// An even axis from 0 that reaches the value at least, and ends at a tick.
    #[must_use]
    pub fn from_zero(value: f64, pixels: (f64, f64)) -> Self {
        let value = if value > 0.0 { value } else { 1.0 };
        let step = step(value);
        Self {
            is_log: false,
            from: 0.0,
            to: (value / step).ceil() * step,
            pixels,
        }
    }

    /// An even axis that ends where the values end.
    #[must_use]
    pub fn exact(to: f64, pixels: (f64, f64)) -> Self {
        Self {
            is_log: false,
            from: 0.0,
            to: if to > 0.0 { to } else { 1.0 },
            pixels,
        }
    }

    /// A logarithmic axis around these values, which are above 0; it ends at ticks.
    #[must_use]
    pub fn log(smallest: f64, largest: f64, pixels: (f64, f64)) -> Self {
        let smallest = smallest.max(f64::MIN_POSITIVE);
        let largest = largest.max(smallest);
        let below = |value: f64| one_two_five(value).rfind(|tick| *tick <= value * 1.000_001);
        let above = |value: f64| one_two_five(value).find(|tick| *tick >= value * 0.999_999);
        let from = below(smallest).unwrap_or(smallest);
        let mut to = above(largest).unwrap_or(largest);
        if to <= from {
            to = from * 10.0;
        }
        Self {
            is_log: true,
            from,
            to,
            pixels,
        }
    }

    /// Returns the position of a value, limited to the axis.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let share = match self.is_log {
            true => (value.max(self.from) / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        let (begin, end) = self.pixels;
        begin + share.clamp(0.0, 1.0) * (end - begin)
    }

    /// The values to label.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        if !self.is_log {
            let step = step(self.to - self.from);
            let ticks = (0..=20).map(|index| self.from + f64::from(index) * step);
            return ticks.filter(|tick| *tick <= self.to * 1.000_001).collect();
        }
        let mut ticks = Vec::new();
        let mut power = 10f64.powf(self.from.log10().floor());
        let few = (self.to / self.from).log10() <= 3.0;
        while power <= self.to * 1.000_001 {
            let here: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
            ticks.extend(here.iter().map(|factor| factor * power));
            power *= 10.0;
        }
        ticks.retain(|tick| *tick >= self.from * 0.999_999 && *tick <= self.to * 1.000_001);
        ticks
    }
}

/// A round distance that divides a length into four to ten.
fn step(length: f64) -> f64 {
    let power = 10f64.powf(length.log10().floor());
    match length / power {
        share if share < 1.5 => power / 5.0,
        share if share < 3.0 => power / 2.0,
        share if share < 7.5 => power,
        _ => power * 2.0,
    }
}

/// The round values around one.
fn one_two_five(value: f64) -> impl DoubleEndedIterator<Item = f64> {
    let power = 10f64.powf(value.log10().floor());
    [0.5, 1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(move |factor| factor * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(one: f64, other: f64) {
        assert!(
            (one - other).abs() < 1e-6 * other.abs().max(1.0),
            "{one} is not {other}"
        );
    }

    #[test]
    fn even_axis_ends_at_a_round_value() {
        for (value, to) in [(98_123.0, 100_000.0), (7.0, 7.0), (0.0, 1.0), (1.1, 1.2)] {
            let axis = Axis::from_zero(value, (300.0, 100.0));
            close(axis.to, to);
            close(axis.place(0.0), 300.0);
            close(axis.place(to), 100.0);
            close(axis.place(to / 4.0), 250.0);
            let ticks = axis.ticks();
            assert!((4..=11).contains(&ticks.len()), "{ticks:?}");
            close(ticks[ticks.len() - 1], to);
        }
    }

    #[test]
    fn logarithmic_axis_has_round_ends_and_equal_ratios() {
        let axis = Axis::log(130.0, 42_000.0, (200.0, 0.0));
        close(axis.from, 100.0);
        close(axis.to, 50_000.0);
        close(
            axis.place(1_000.0) - axis.place(10_000.0),
            axis.place(100.0) - axis.place(1000.0),
        );
        let ticks = axis.ticks();
        assert_eq!(ticks.len(), 9, "{ticks:?}");
        close(ticks[1], 200.0);
        let wide = Axis::log(1.0, 1e7, (200.0, 0.0)).ticks();
        assert_eq!(wide.len(), 8, "{wide:?}");
        let flat = Axis::log(100.0, 100.0, (200.0, 0.0));
        close(flat.place(100.0), 200.0);
        assert!(flat.ticks().len() > 1);
    }

    #[test]
    fn values_beyond_an_axis_stay_on_it() {
        let axis = Axis::exact(10.0, (0.0, 100.0));
        close(axis.place(-5.0), 0.0);
        close(axis.place(50.0), 100.0);
        close(Axis::log(10.0, 100.0, (0.0, 50.0)).place(0.0), 0.0);
    }

    #[test]
    fn time_has_a_handful_of_ticks() {
        for length in [0.35, 1.0, 9.9, 10.0, 61.0, 600.0, 3_600.0] {
            let ticks = Axis::exact(length, (0.0, 800.0)).ticks();
            assert!((4..=11).contains(&ticks.len()), "{length}: {ticks:?}");
        }
    }
}
