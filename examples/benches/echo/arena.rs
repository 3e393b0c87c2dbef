//! Puts the same load on all servers in turn, again and again.

use std::{
    error::Error,
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    args::Args,
    contestants::{Contestant, Kind, chosen},
    memory::{self, Memory, rest},
    report::load,
    support::{
        Case, compile, contest, median,
        server::{Sample, Server, peers},
    },
};

const SNDBUF_POLICY: &str = "/proc/sys/net/sctp/sndbuf_policy";

/// A server of which the last echoes take so long has collapsed.
const COLLAPSE: Duration = Duration::from_secs(10);

/// Ports from here on are taken by the servers: below those that the kernel gives to clients.
const FIRST_PORT: u16 = 21_200;

/// The medians of one server under one load.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) server: &'static str,
    pub(crate) kind: Kind,
    pub(crate) case: Case,
    /// Number of rounds, and the duration of each.
    pub(crate) rounds: (usize, Duration),
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
    next_port: u16,
    begin: Instant,
    /// Number of completed loads.
    done: usize,
}

impl Arena {
    /// Starts the servers.
    pub(crate) fn start(args: &Args) -> Result<Self, Box<dyn Error>> {
        let preload = contest::clock()?;
        let mut chosen = chosen(args);
        let wants_peers = chosen.iter().any(|one| one.kind == Kind::Peer);
        if wants_peers && !peers().exists() {
            let what = "the servers on other libraries are not built: run \
                        examples/benches/peers/build first, or say --without-peers";
            if !args.is_quick {
                return Err(what.into());
            }
            println!("Left out: {what}.\n");
            chosen.retain(|one| one.kind != Kind::Peer);
        }
        if chosen.is_empty() {
            return Err("no server has such a name".into());
        }
        let mut arena = Self {
            servers: Vec::new(),
            client: compile::program("client")?,
            preload,
            args: args.clone(),
            failures: Vec::new(),
            next_port: FIRST_PORT,
            begin: Instant::now(),
            done: 0,
        };
        for contestant in chosen {
            match arena.start_one(contestant) {
                Ok(server) => arena.servers.push((contestant, server)),
                Err(error) => arena.fail(format!("{}: {error}", contestant.name)),
            }
        }
        Ok(arena)
    }

    fn start_one(&mut self, contestant: Contestant) -> io::Result<Server> {
        self.next_port += 1;
        let Contestant { name, program, .. } = contestant;
        let start = || Server::start(name, program, self.next_port, &self.preload);
        if !contestant.has_own_buffers {
            return start();
        }
        // The kernel looks at it when a socket is made, and never again.
        fs::write(SNDBUF_POLICY, "1")?;
        let server = start();
        fs::write(SNDBUF_POLICY, "0")?;
        server
    }

    /// Measures all servers under one load after another.
    pub(crate) fn measure_all(&mut self) -> Vec<Figures> {
        let cases = self.args.cases.clone();
        cases
            .into_iter()
            .flat_map(|case| self.measure(case))
            .collect()
    }

    /// Measures all servers under one load. One that fails is not tried again.
    fn measure(&mut self, case: Case) -> Vec<Figures> {
        let mut samples: Vec<Result<Vec<Sample>, String>> = self
            .servers
            .iter()
            .map(|(contestant, _)| match contestant.cannot {
                Some((cannot, why)) if cannot(case) => Err(why.to_owned()),
                _ => Ok(Vec::new()),
            })
            .collect();
        for round in 0..self.args.rounds {
            if round >= self.args.fewest() && self.is_late() {
                break;
            }
            for index in 0..samples.len() {
                let Ok(all) = &mut samples[index] else {
                    continue;
                };
                match self.sample(index, case) {
                    Ok(sample) => all.push(sample),
                    Err(error) => {
                        samples[index] = Err(error.to_string());
                        let is_kernels = self.collapses_in_c(index, &samples);
                        self.recover(index, case, &error, is_kernels);
                    }
                }
            }
        }
        self.done += 1;
        let time = self.args.time(case);
        let servers = self.servers.iter().zip(samples);
        servers
            .map(|((contestant, _), samples)| Figures {
                server: contestant.name,
                kind: contestant.kind,
                case,
                rounds: (samples.as_ref().map_or(0, Vec::len), time),
                medians: samples.map(|samples| medians(&samples)),
            })
            .collect()
    }

    /// Returns `true` if the equivalent server in C has collapsed under the same load.
    fn collapses_in_c(&self, index: usize, samples: &[Result<Vec<Sample>, String>]) -> bool {
        let alike = self.servers[index].0.alike;
        let mut all = self.servers.iter().zip(samples);
        all.any(|((one, _), samples)| {
            let collapsed = |all: &Vec<Sample>| all.iter().any(|one| one.latency[1] >= COLLAPSE);
            alike.contains(&one.name) && samples.as_ref().map_or(true, collapsed)
        })
    }

    /// A server that failed, or did not answer in time, may be in any state: it is started anew.
    /// That another's server stalls is a result, and so it is where the kernel has ours stall as it
    /// does the same loop in C; all else is a failure of the benchmark.
    fn recover(&mut self, index: usize, case: Case, error: &io::Error, is_kernels: bool) {
        let contestant = self.servers[index].0;
        let is_result = is_kernels || contestant.kind != Kind::Ours;
        if is_result && error.kind() == io::ErrorKind::TimedOut {
            println!("{} under {}: {error}", contestant.name, load(case));
        } else {
            self.fail(format!("{} under {}: {error}", contestant.name, load(case)));
        }
        match self.start_one(contestant) {
            Ok(server) => self.servers[index].1 = server,
            Err(error) => self.fail(format!("{}, anew: {error}", contestant.name)),
        }
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

    /// Returns `true` if the loads so far took more than their share of the total time.
    fn is_late(&self) -> bool {
        let all = self.args.cases.len().max(1);
        let share = |limit: Duration| limit.mul_f64((self.done + 1) as f64 / all as f64);
        let limit = self.args.limit.map(share);
        limit.is_some_and(|limit| self.begin.elapsed() > limit)
    }

    /// Memory of each server for an idle association. That a server of somebody else refuses or loses
    /// some of so many is a result, and told; the table has no row for it then.
    pub(crate) fn memory(&mut self) -> Vec<(&'static str, Memory)> {
        let mut all = Vec::new();
        let contestants: Vec<Contestant> = self.servers.iter().map(|(one, _)| *one).collect();
        let (program, preload) = (self.client.clone(), self.preload.clone());
        for contestant in contestants {
            let client = (&*program, &*preload);
            let idle = self.args.idle;
            match memory::measure(|| self.start_one(contestant), client, idle) {
                Ok(memory) => all.push((contestant.name, memory)),
                Err(error) if contestant.kind == Kind::Peer => {
                    println!("{}: memory: {error}", contestant.name);
                }
                Err(error) => self.fail(format!("{}: memory: {error}", contestant.name)),
            }
        }
        all
    }

    /// Loads the server of this name, then tells it to drain while all associations are up.
    /// How long connecting took, and draining; nothing if it is not here, or failed.
    pub(crate) fn drain(&mut self, name: &str, case: Case) -> Option<[Duration; 2]> {
        let found = self.servers.iter().position(|(one, _)| one.name == name)?;
        let (_, server) = self.servers.remove(found);
        let client = (&*self.client, &*self.preload);
        let mut took = Duration::ZERO;
        let sample = server.measure_and(client, case, self.args.time(case), || {
            let begin = Instant::now();
            server.drain()?;
            took = begin.elapsed();
            Ok(())
        });
        match sample {
            Ok(sample) => Some([sample.connecting, took]),
            Err(error) => {
                self.fail(format!("{name}, draining {}: {error}", load(case)));
                None
            }
        }
    }

    /// Returns the elapsed time.
    pub(crate) fn took(&self) -> Duration {
        self.begin.elapsed()
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
