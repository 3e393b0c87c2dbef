//! Two results side by side.

use std::fmt::{self, Display, Formatter};

use sctp_tools::format::{count, data_rate, latency, rate};

use crate::load::{
    report::title,
    result::{Outcome, Settings},
};

type Count = fn(&Outcome) -> u64;

/// Shows two results and the second's ratio to the first.
pub(crate) struct Comparison<'a> {
    pub(crate) names: [String; 2],
    pub(crate) outcomes: [&'a Outcome; 2],
}

impl Display for Comparison<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [a, b] = self.outcomes;
        writeln!(f, "A  {}", self.names[0])?;
        writeln!(f, "   {}", title(&a.settings))?;
        writeln!(f, "B  {}", self.names[1])?;
        writeln!(f, "   {}", title(&b.settings))?;
        for difference in differences(&a.settings, &b.settings) {
            writeln!(f, "the settings differ: {difference}")?;
        }
        writeln!(f, "\n{:<16}{:>14}{:>14}{:>10}", "", "A", "B", "B / A")?;
        let rates = |outcome: &Outcome| outcome.calls.per_second;
        row(f, "calls/s", &rate, rates(a), rates(b))?;
        let data = |outcome: &Outcome| outcome.calls.bytes_received_per_second;
        row(f, "received", &data_rate, data(a), data(b))?;
        for percentile in &a.latency.percentiles {
            if let Some(other) = b.latency.percentile(percentile.percent) {
                let name = format!("latency p{}", percentile.percent);
                times(f, &name, percentile.value, other)?;
            }
        }
        times(f, "latency max", a.latency.max, b.latency.max)?;
        let counts: [(&str, Count); 8] = [
            ("answered", |outcome| outcome.calls.answered),
            ("failed", |outcome| outcome.calls.failed),
            ("unsent", |outcome| outcome.calls.unsent),
            ("unanswered", |outcome| outcome.calls.unanswered),
            ("missed", |outcome| outcome.calls.missed),
            ("established", |outcome| outcome.associations.established),
            ("refused", |outcome| {
                outcome.associations.refused.values().sum()
            }),
            ("lost", |outcome| outcome.associations.lost.values().sum()),
        ];
        for (name, number) in counts {
            let (a, b) = (number(a), number(b));
            let values = [count(a), count(b)];
            line(f, name, &values, ratio(a as f64, b as f64))?;
        }
        Ok(())
    }
}

fn times(f: &mut Formatter<'_>, name: &str, a: u64, b: u64) -> fmt::Result {
    let values = [latency(a), latency(b)];
    line(f, name, &values, ratio(a as f64, b as f64))
}

fn row(
    f: &mut Formatter<'_>,
    name: &str,
    show: &dyn Fn(f64) -> String,
    a: f64,
    b: f64,
) -> fmt::Result {
    line(f, name, &[show(a), show(b)], ratio(a, b))
}

fn line(f: &mut Formatter<'_>, name: &str, values: &[String; 2], ratio: String) -> fmt::Result {
    let [a, b] = values;
    writeln!(f, "{name:<16}{a:>14}{b:>14}{ratio:>10}")
}

fn ratio(a: f64, b: f64) -> String {
    match a == 0.0 {
        true => "-".to_owned(),
        false => format!("{:.2}", b / a),
    }
}

/// The settings in which two runs differ, so that nobody compares what cannot be compared.
fn differences(a: &Settings, b: &Settings) -> Vec<String> {
    let (Ok(serde_json::Value::Object(a)), Ok(serde_json::Value::Object(b))) =
        (serde_json::to_value(a), serde_json::to_value(b))
    else {
        return Vec::new();
    };
    let differ = a
        .iter()
        .filter(|(name, value)| b.get(*name) != Some(*value));
    differ
        .map(|(name, value)| {
            let other = b.get(name).cloned().unwrap_or_default();
            format!("{} {value} and {other}", name.replace('_', " "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::result::Percentile;

    fn outcome(per_second: f64, p50: u64) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.calls.per_second = per_second;
        outcome.latency.percentiles = vec![Percentile {
            percent: 50.0,
            value: p50,
        }];
        outcome
    }

    #[test]
    fn ratios_are_of_the_second_to_the_first() {
        let (mut a, b) = (outcome(1000.0, 2_000), outcome(2500.0, 1_000));
        a.settings.in_flight = 64;
        let text = Comparison {
            names: ["a.json".to_owned(), "b.json".to_owned()],
            outcomes: [&a, &b],
        }
        .to_string();
        let words = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words("calls/s"), ["calls/s", "1,000", "2,500", "2.50"]);
        assert_eq!(words("latency p50").last().unwrap(), "0.50");
        assert_eq!(words("failed"), ["failed", "0", "0", "-"]);
        assert!(
            text.contains("the settings differ: in flight 64 and 0"),
            "{text}"
        );
    }
}
