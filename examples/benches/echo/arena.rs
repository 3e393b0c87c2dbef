//! Puts the same load on all servers in turn, again and again.

use std::{
    error::Error,
    io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{
    args::Args,
    contestants::{Contestant, Kind, chosen},
    support::{
        Case, compile, contest, median,
        server::{Sample, Server, peers},
    },
};

/// Ports from here on are taken by the servers.
const FIRST_PORT: u16 = 42_200;
/// Between two looks at whether a server has come to rest.
const STEP: Duration = Duration::from_millis(50);

/// The medians of one server under one load.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) server: &'static str,
    pub(crate) kind: Kind,
    pub(crate) case: Case,
    /// Or why there are none.
    pub(crate) medians: Result<Medians, String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Medians {
    pub(crate) rate: f64,
    pub(crate) latency: [Duration; 3],
    /// Nanoseconds of the processor for each message, over all rounds.
    pub(crate) cpu: f64,
    pub(crate) calls: f64,
    pub(crate) allocations: Option<f64>,
    pub(crate) connecting: Duration,
}

/// Servers that run, and the program that puts load on them.
pub(crate) struct Arena {
    servers: Vec<(Contestant, Server)>,
    client: PathBuf,
    preload: String,
    args: Args,
    failures: Vec<String>,
}

impl Arena {
    /// Starts the servers.
    pub(crate) fn start(args: &Args) -> Result<Self, Box<dyn Error>> {
        let preload = contest::clock()?;
        let chosen = chosen(args);
        if chosen.is_empty() {
            return Err("no server has such a name".into());
        }
        let wants_peers = chosen.iter().any(|one| one.kind == Kind::Peer);
        if wants_peers && !peers().exists() {
            return Err("the servers on other libraries are not built: run \
                        examples/benches/peers/build first, or say --without-peers"
                .into());
        }
        let mut arena = Self {
            servers: Vec::new(),
            client: compile::program("client")?,
            preload,
            args: args.clone(),
            failures: Vec::new(),
        };
        for (port, contestant) in (FIRST_PORT..).zip(chosen) {
            match Server::start(contestant.name, contestant.program, port, &arena.preload) {
                Ok(server) => arena.servers.push((contestant, server)),
                Err(error) => arena.fail(format!("{}: {error}", contestant.name)),
            }
        }
        Ok(arena)
    }

    /// Measures all servers under one load. One that fails is not tried again.
    pub(crate) fn measure(&mut self, case: Case) -> Vec<Figures> {
        let mut samples: Vec<Result<Vec<Sample>, String>> = self
            .servers
            .iter()
            .map(|(contestant, _)| match contestant.cannot {
                Some((cannot, why)) if cannot(case) => Err(why.to_owned()),
                _ => Ok(Vec::new()),
            })
            .collect();
        for _ in 0..self.args.rounds(case) {
            for (index, samples) in samples.iter_mut().enumerate() {
                let Ok(all) = samples else { continue };
                match self.sample(index, case) {
                    Ok(sample) => all.push(sample),
                    Err(error) => {
                        let failure = format!("{case:?}: {error}");
                        *samples = Err(error.to_string());
                        self.fail(failure);
                    }
                }
            }
        }
        let servers = self.servers.iter().zip(samples);
        servers
            .map(|((contestant, _), samples)| Figures {
                server: contestant.name,
                kind: contestant.kind,
                case,
                medians: samples.map(|samples| medians(&samples)),
            })
            .collect()
    }

    fn sample(&self, index: usize, case: Case) -> io::Result<Sample> {
        let (_, server) = &self.servers[index];
        let time = self.args.time(case);
        let sample = server.measure((&self.client, &self.preload), case, time)?;
        if case.associations > 16 {
            rest(server)?;
        }
        Ok(sample)
    }

    /// Memory of each server for an idle association, in bytes; nothing for TCP's.
    pub(crate) fn memory(&mut self, associations: usize) -> io::Result<Vec<(&'static str, f64)>> {
        let case = Case {
            associations,
            in_flight: 0,
            size: 64,
        };
        let mut all = Vec::new();
        let mut failures = Vec::new();
        for (contestant, server) in &self.servers {
            // Once before, so that what a server keeps is not counted.
            let before = server.memory()?;
            let mut with = before;
            let client = (&*self.client, &*self.preload);
            let done = server.measure_and(client, case, Duration::ZERO, || {
                rest(server)?;
                with = server.memory()?;
                Ok(())
            });
            match done.and_then(|_| rest(server)) {
                Ok(()) => {
                    let bytes = with.saturating_sub(before) as f64 / associations as f64;
                    all.push((contestant.name, bytes));
                }
                Err(error) => failures.push(format!("{}: memory: {error}", contestant.name)),
            }
        }
        failures.into_iter().for_each(|failure| self.fail(failure));
        Ok(all)
    }

    /// Loads the server of this name, then tells it to drain while all associations are up.
    /// How long connecting took, and draining.
    pub(crate) fn drain(&mut self, name: &str, case: Case) -> io::Result<Option<[Duration; 2]>> {
        let found = self.servers.iter().position(|(one, _)| one.name == name);
        let Some(index) = found else { return Ok(None) };
        let (_, server) = self.servers.remove(index);
        let client = (&*self.client, &*self.preload);
        let mut took = Duration::ZERO;
        let sample = server.measure_and(client, case, self.args.time(case), || {
            let begin = Instant::now();
            server.drain()?;
            took = begin.elapsed();
            Ok(())
        })?;
        Ok(Some([sample.connecting, took]))
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// At once, so that nobody has to wait for the end.
    fn fail(&mut self, failure: String) {
        eprintln!("FAILED {failure}");
        self.failures.push(failure);
    }
}

/// Waits until a server has nothing more to do with associations that came or went.
fn rest(server: &Server) -> io::Result<()> {
    let mut before = server.cpu()?;
    for _ in 0..200 {
        #[expect(
            clippy::disallowed_methods,
            reason = "the rest of another process is no event"
        )]
        thread::sleep(STEP);
        let now = server.cpu()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    Err(io::Error::other(format!("{} does not rest", server.name)))
}

fn medians(samples: &[Sample]) -> Medians {
    let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value));
    let latency = [0, 1, 2].map(|index| {
        let times = samples.iter().map(|sample| sample.latency[index]);
        Duration::from_secs_f64(median(times.map(|time| time.as_secs_f64())))
    });
    let messages: f64 = samples.iter().map(|sample| sample.messages).sum();
    let cpu: Duration = samples.iter().map(|sample| sample.cpu).sum();
    let allocations = samples.iter().filter_map(|sample| sample.allocations);
    let allocations: Vec<f64> = allocations.collect();
    Medians {
        rate: of(|sample| sample.rate),
        latency,
        cpu: cpu.as_secs_f64() * 1e9 / messages.max(1.0),
        calls: of(|sample| sample.calls),
        allocations: (!allocations.is_empty()).then(|| median(allocations)),
        connecting: Duration::from_secs_f64(of(|sample| sample.connecting.as_secs_f64())),
    }
}
