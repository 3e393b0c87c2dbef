//! The command line.

use std::time::Duration;

use crate::support::Case;

pub(crate) const HELP: &str = "\
cargo bench -p sctp-benches --bench echo -- [OPTION...]

  --quick             only to see that everything runs
  --thorough          15 rounds, however long that takes
  --scale             cost and memory from 1 to 10,000 associations
  --smp               few servers and loads, for a guest with several processors
  --designs           ways to run our servers: tasks, threads, boxed futures
  --server TEXT       only servers whose name contains this; may be repeated
  --case A,F,B        only this load: associations, messages in flight on each, bytes;
                      may be repeated
  --rounds N          how often each server has its turn
  --without-peers     without the servers on other libraries
";

/// Time at which the loads should be complete. A late one gets no more rounds than `fewest`.
const LIMIT: Duration = Duration::from_secs(8 * 60);
const SCALE_LIMIT: Duration = Duration::from_secs(4 * 60);
const SMP_LIMIT: Duration = Duration::from_secs(2 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Designs,
    Scale,
    Smp,
    Table,
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) mode: Mode,
    pub(crate) is_quick: bool,
    pub(crate) servers: Vec<String>,
    pub(crate) cases: Vec<Case>,
    pub(crate) rounds: usize,
    pub(crate) with_peers: bool,
    /// Number of idle associations in the measurement of memory.
    pub(crate) idle: usize,
    /// Time limit for all loads together, if any.
    pub(crate) limit: Option<Duration>,
    /// The options, as they were given.
    pub(crate) given: String,
}

impl Args {
    /// Reads what cargo passes on; nothing if help was asked for.
    pub(crate) fn parse(words: &[String]) -> Result<Option<Self>, String> {
        let given: Vec<&str> = words.iter().map(String::as_str).collect();
        let given: Vec<&str> = given
            .into_iter()
            .filter(|word| *word != "--bench")
            .collect();
        let given = given.join(" ");
        let mut mode = Mode::Table;
        // `cargo bench` says `--bench`; `cargo test --benches` does not.
        let mut is_quick = !words.iter().any(|word| word == "--bench");
        let (mut servers, mut cases, mut rounds) = (Vec::new(), Vec::new(), None);
        let (mut with_peers, mut is_thorough) = (true, false);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--bench" => {}
                "--quick" | "--test" => is_quick = true,
                "--thorough" => is_thorough = true,
                "--scale" => mode = Mode::Scale,
                "--designs" => mode = Mode::Designs,
                "--smp" => mode = Mode::Smp,
                "--server" => servers.push(value()?.clone()),
                "--case" => cases.push(case(value()?)?),
                "--rounds" => {
                    let number = value()?.parse().ok().filter(|rounds| *rounds > 0);
                    rounds = Some(number.ok_or("--rounds needs a number above 0")?);
                }
                "--without-peers" => with_peers = false,
                "--help" => return Ok(None),
                other => return Err(format!("there is no {other}; see --help")),
            }
        }
        if cases.is_empty() {
            cases = default_cases(mode, is_quick);
        }
        let is_limited = !is_thorough && rounds.is_none();
        Ok(Some(Self {
            mode,
            is_quick,
            servers,
            cases,
            rounds: rounds.unwrap_or(match mode {
                _ if is_quick => 1,
                _ if is_thorough => 15,
                Mode::Scale => 3,
                Mode::Designs | Mode::Smp | Mode::Table => 5,
            }),
            with_peers: with_peers && mode == Mode::Table,
            idle: if is_quick { 50 } else { 1_000 },
            limit: is_limited.then_some(match mode {
                Mode::Scale => SCALE_LIMIT,
                Mode::Designs | Mode::Smp => SMP_LIMIT,
                Mode::Table => LIMIT,
            }),
            given,
        }))
    }

    /// So many rounds every load gets. Fewer than three have no median worth the name; but ten
    /// thousand associations take their time.
    pub(crate) fn fewest(&self) -> usize {
        if self.mode == Mode::Scale { 1 } else { 3 }
    }

    /// Returns the time under load in one round. A load that takes long to fill needs more, and so
    /// does an emulated processor.
    pub(crate) fn time(&self, case: Case) -> Duration {
        let flying = case.associations * case.in_flight;
        let is_much = flying >= 1_000 || flying * case.size >= 16 << 20;
        Duration::from_millis(match self.mode {
            _ if self.is_quick => 20,
            Mode::Scale if flying >= 3_000 => 1_000,
            Mode::Smp => 400,
            _ if is_much => 400,
            _ => 100,
        })
    }
}

/// All combinations; but 256 x 64 x 64 KiB is a gigabyte under way, which is a test of the memory.
fn default_cases(mode: Mode, is_quick: bool) -> Vec<Case> {
    let new = |(associations, in_flight, size)| Case {
        associations,
        in_flight,
        size,
    };
    match (mode, is_quick) {
        (Mode::Scale, true) => [(1, 1, 64), (100, 1, 64)].map(new).to_vec(),
        (Mode::Scale, false) => {
            let few = [1, 10, 100, 1_000];
            let alone = few.map(|count| (count, 1, 64));
            let together = few.map(|count| (count, 16, 64));
            let many = [(3_000, 1, 64), (10_000, 1, 64)];
            let all = alone.into_iter().chain(together).chain(many);
            all.map(new).collect()
        }
        (Mode::Smp, _) => [(1, 1, 64), (16, 1, 64), (16, 64, 64), (16, 64, 1024)]
            .map(new)
            .to_vec(),
        (Mode::Designs, true) => [(16, 64, 64)].map(new).to_vec(),
        (Mode::Designs, false) => {
            let alone = [1, 16, 256].map(|count| (count, 1, 64));
            let together = [1, 16, 256].map(|count| (count, 64, 64));
            alone.into_iter().chain(together).map(new).collect()
        }
        (Mode::Table, true) => [(1, 64, 1024), (16, 1, 64)].map(new).to_vec(),
        (Mode::Table, false) => {
            let mut cases = Vec::new();
            for associations in [1, 16, 256] {
                for in_flight in [1, 64] {
                    for size in [64, 1024, 65_536] {
                        cases.push(new((associations, in_flight, size)));
                    }
                }
            }
            cases.pop();
            cases
        }
    }
}

fn case(text: &str) -> Result<Case, String> {
    let numbers: Vec<usize> = text
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers[..] {
        [
            associations @ 1..=10_000,
            in_flight @ 1..=1024,
            size @ 1..=65_536,
        ] => Ok(Case {
            associations,
            in_flight,
            size,
        }),
        _ => Err(format!(
            "{text}: wanted are 1 to 10,000 associations, 1 to 1024 in flight, 1 to 65536 bytes, \
             as 16,64,1024"
        )),
    }
}
