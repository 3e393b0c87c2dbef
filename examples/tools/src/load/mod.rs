//! Load generator: `sctp load --help`.
//!
//! | module | what |
//! |---|---|
//! | `args` | the command line |
//! | `sizes`, `schedule`, `payload` | what is sent, and when it is due |
//! | `calls` | which reply answers which call |
//! | `run`, `control` | the phases of a run |
//! | `worker`, `pump` | one association: connect, load, close, reconnect |
//! | `stats`, `series` | what is measured meanwhile |
//! | `live` | progress |
//! | `result`, `summary`, `report`, `plot`, `compare` | results |

pub(crate) mod args;
mod calls;
mod compare;
mod control;
mod live;
mod payload;
mod plot;
mod pump;
mod report;
mod result;
mod run;
mod schedule;
mod series;
mod sizes;
mod stats;
mod summary;
mod worker;

use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::Path,
};

use tokio::runtime::{Builder, Runtime};

use self::{
    args::{Command, CommandLine, Load},
    compare::Comparison,
    report::Report,
    result::Outcome,
};
use crate::status::Failure;

/// Exit status when a call failed, or an association was refused or lost.
const FAILURES: u8 = 1;
/// Exit status when there is no result.
const NO_RESULT: u8 = 3;

/// Runs the subcommand, and returns its exit status.
pub(crate) fn run(line: CommandLine) -> Result<u8, Failure> {
    let done = match line.command {
        Some(Command::Compare { before, after }) => compare(&before, &after),
        None => load(line.load),
    };
    done.map_err(|error| Failure::new(NO_RESULT, error))
}

fn compare(before: &Path, after: &Path) -> Result<u8, Box<dyn Error>> {
    let outcomes = [Outcome::read(before)?, Outcome::read(after)?];
    let comparison = Comparison {
        names: [before, after].map(|path| path.display().to_string()),
        outcomes: [&outcomes[0], &outcomes[1]],
    };
    write!(io::stdout(), "{comparison}")?;
    Ok(0)
}

fn load(load: Load) -> Result<u8, Box<dyn Error>> {
    let (json, plot, tolerate) = (load.json.clone(), load.plot.clone(), load.tolerate);
    // An hour's load should not be lost because a folder does not exist.
    for path in [&json, &plot].into_iter().flatten() {
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| Failure::cannot_write(path, &error))?;
    }
    let outcome = runtime(load.threads)?.block_on(run::run(load))?;
    if let Some(path) = json {
        outcome.write(&path)?;
    }
    if let Some(path) = plot {
        fs::write(&path, plot::svg(&outcome))
            .map_err(|error| Failure::cannot_write(&path, &error))?;
    }
    write!(io::stdout(), "{}", Report(&outcome))?;
    Ok(if tolerate || outcome.is_clean() {
        0
    } else {
        FAILURES
    })
}

fn runtime(threads: Option<u16>) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.into());
    }
    builder.enable_all().build()
}
