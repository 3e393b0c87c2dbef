//! The result of a run as a table.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use sctp_tools::format::{count, data_rate, latency, plural, rate, time};

use crate::load::result::{Outcome, Settings, Summary};

/// Shows a result.
pub(crate) struct Report<'a>(pub(crate) &'a Outcome);

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let outcome = self.0;
        writeln!(f, "{}", title(&outcome.settings))?;
        let cut = if outcome.interrupted {
            ", interrupted"
        } else {
            ""
        };
        writeln!(f, "measured for {}{cut}", seconds(outcome.seconds))?;
        writeln!(f)?;
        self.calls(f)?;
        writeln!(f)?;
        self.latencies(f)?;
        writeln!(f)?;
        self.associations(f)
    }
}

impl Report<'_> {
    fn calls(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let calls = &self.0.calls;
        row(
            f,
            "throughput",
            &format!("{} calls/s", rate(calls.per_second)),
        )?;
        let (sent, received) = (calls.bytes_sent_per_second, calls.bytes_received_per_second);
        let data = format!("{} sent, {} received", data_rate(sent), data_rate(received));
        row(f, "payload", &data)?;
        let (sent, answered) = (count(calls.sent), count(calls.answered));
        row(f, "calls", &format!("{sent} sent, {answered} answered"))?;
        row(f, "failed", &count(calls.failed))?;
        causes(f, &calls.failures)?;
        let notes = [
            (
                calls.unanswered,
                "unanswered",
                "still open when the run ended",
            ),
            (
                calls.unsent,
                "unsent",
                "failed or unanswered, and never sent",
            ),
            (
                calls.missed,
                "missed",
                "due, but too many were open to send them",
            ),
            (
                calls.late_replies,
                "late",
                "replies that came after the call's timeout",
            ),
            (
                calls.unexpected_replies,
                "unexpected",
                "replies that belong to no call",
            ),
        ];
        for (number, what, meaning) in notes {
            if number > 0 {
                row(f, what, &format!("{} ({meaning})", count(number)))?;
            }
        }
        Ok(())
    }

    fn latencies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(outcome) = self;
        match &outcome.response {
            _ if outcome.latency.count == 0 => writeln!(f, "no call was answered"),
            None => {
                columns(f, "", &["latency"])?;
                summary(f, &[&outcome.latency])
            }
            Some(response) => {
                columns(f, "", &["latency", "from sending"])?;
                summary(f, &[&outcome.latency, response])?;
                writeln!(f, "latency counts from the time at which a call was due")
            }
        }
    }

    fn associations(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let associations = &self.0.associations;
        let asked = count(self.0.settings.associations.into());
        let mut up = format!(
            "{} established, {asked} asked for",
            count(associations.established)
        );
        if let Some(median) = self.0.handshake.percentile(50.0) {
            up += &format!(
                "; handshake p50 {}, max {}",
                latency(median),
                latency(self.0.handshake.max)
            );
        }
        row(f, "associations", &up)?;
        if let Some(fewest) = associations.fewest_streams {
            let wanted = self.0.settings.streams;
            row(
                f,
                "streams",
                &format!("{fewest} of {wanted}: the server allows no more"),
            )?;
        }
        row(f, "refused", &count(associations.refused.values().sum()))?;
        causes(f, &associations.refused)?;
        row(f, "lost", &count(associations.lost.values().sum()))?;
        causes(f, &associations.lost)
    }
}

/// Returns the load in one line.
pub(crate) fn title(settings: &Settings) -> String {
    format!("{}: {}", settings.server.join(" "), load(settings))
}

/// The same without the server.
pub(crate) fn load(settings: &Settings) -> String {
    let load = match settings.rate {
        Some(calls) => format!(
            "{} calls/s ({})",
            rate(calls),
            settings.arrivals.as_deref().unwrap_or_default()
        ),
        None => format!("{} in flight on each", settings.in_flight),
    };
    format!(
        "{} with {}, {load}, messages of {} bytes",
        plural(settings.associations.into(), "association"),
        plural(settings.streams.into(), "stream"),
        settings.size,
    )
}

fn seconds(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a run's length is above 0, and a longer one saturates"
    )]
    time((seconds * 1e9).round() as u64)
}

fn row(f: &mut Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "{name:<12}  {value}")
}

fn causes(f: &mut Formatter<'_>, causes: &BTreeMap<String, u64>) -> fmt::Result {
    for (cause, number) in causes {
        row(f, "", &format!("{} x {cause}", count(*number)))?;
    }
    Ok(())
}

fn columns(f: &mut Formatter<'_>, name: &str, values: &[impl AsRef<str>]) -> fmt::Result {
    write!(f, "{name:<12}")?;
    for value in values {
        write!(f, "  {:>12}", value.as_ref())?;
    }
    writeln!(f)
}

fn summary(f: &mut Formatter<'_>, columns_of: &[&Summary]) -> fmt::Result {
    let line = |f: &mut Formatter<'_>, name: &str, value: &dyn Fn(&Summary) -> Option<u64>| {
        let cell = |summary: &&Summary| match value(summary) {
            Some(value) if summary.count > 0 => latency(value),
            _ => "-".to_owned(),
        };
        let cells: Vec<_> = columns_of.iter().map(cell).collect();
        columns(f, name, &cells)
    };
    line(f, "min", &|summary| Some(summary.min))?;
    for percent in [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999] {
        line(f, &format!("p{percent}"), &|summary| {
            summary.percentile(percent)
        })?;
    }
    line(f, "max", &|summary| Some(summary.max))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "means and deviations of latencies are above 0 and below an hour"
    )]
    let (mean, deviation) = (
        |s: &Summary| s.mean as u64,
        |s: &Summary| s.deviation as u64,
    );
    line(f, "mean", &|summary| Some(mean(summary)))?;
    line(f, "deviation", &|summary| Some(deviation(summary)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::result::Percentile;

    #[test]
    fn report_says_what_went_wrong() {
        let mut outcome = Outcome::default();
        outcome.settings.server = vec!["192.0.2.1:7".to_owned()];
        outcome.settings.associations = 3;
        outcome.settings.streams = 1;
        outcome.settings.size = "64".to_owned();
        outcome.seconds = 10.0;
        outcome.calls.per_second = 98_123.0;
        outcome.calls.missed = 7;
        outcome.calls.unsent = 4;
        outcome.latency.count = 5;
        outcome.latency.percentiles = vec![Percentile {
            percent: 99.9,
            value: 1_200_000,
        }];
        let reason = "aborted by peer, reason \"enough\"".to_owned();
        outcome.associations.lost.insert(reason, 2);
        let report = Report(&outcome).to_string();
        for line in [
            "192.0.2.1:7: 3 associations with 1 stream, 0 in flight on each, messages of 64 bytes",
            "measured for 10 s",
            "throughput    98,123 calls/s",
            "unsent        4 (failed or unanswered, and never sent)",
            "missed        7 (due, but too many were open to send them)",
            "p99.9              1.20 ms",
            "p50                      -",
            "lost          2",
            "              2 x aborted by peer, reason \"enough\"",
        ] {
            assert!(
                report.lines().any(|have| have == line),
                "no {line:?} in\n{report}"
            );
        }
        assert!(!report.contains("\nlate  "));
    }
}
