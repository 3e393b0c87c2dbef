//! The frame of a program: its log, its exit status, what it prints, and times on its command line.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Logs to standard error, filtered by `RUST_LOG`. Defaults to errors.
pub fn start_log() {
    start_log_at(LevelFilter::ERROR);
}

/// Logs to standard error, filtered by `RUST_LOG`. Defaults to a level.
pub fn start_log_at(level: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(level.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
}

/// Returns the exit status of a program. Prints an error to standard error, behind the program's name.
pub fn exit<E: fmt::Display>(name: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody can be told if standard error is gone.
            let _ = writeln!(io::stderr(), "{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line to standard output. The program goes on if nobody reads it.
pub fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line to standard error: a remark that is no event.
pub fn note(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Parses a number of seconds, such as `0.5`.
///
/// # Errors
///
/// A text for people if it is no number, none that a [`Duration`] can hold, or not more than zero.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(Duration::ZERO) => Err("must be greater than zero".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_parsed_or_refused_with_a_text() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("soon"), Err("not a number of seconds".to_owned()));
        for text in ["-1", "0", "1e-12", "NaN", "1e300"] {
            assert!(
                seconds(text).is_err_and(|error| !error.is_empty()),
                "{text}"
            );
        }
    }
}
