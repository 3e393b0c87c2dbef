//! Random clients and a random server, on the kernel: whatever they do in whatever order, no
//! message is lost or duplicated on an association that ended in order, each stream keeps its
//! order, every abort's reason arrives, and no descriptor, task or permit is left over.
//!
//! What happens in a run follows from its seed, but for the scheduling. A failing run prints its
//! seed. `SCTP_MODEL_RUNS` says how many runs, 200 by default and 1000 in `.ci/run`, and
//! `SCTP_MODEL_MINUTES` how long instead. An hour's worth:
//!
//! ```text
//! SCTP_MODEL_MINUTES=60 SCTP_KERNEL_TIMEOUT=7200 cargo test --release -p sctp-service --test model -- --nocapture
//! ```
//!
//! and one run again: `SCTP_MODEL_SEED=1234 SCTP_MODEL_RUNS=1 cargo test ...`.
//!
//! It needs a kernel with SCTP: cargo runs it through `.kernel/run`, which provides one or says how
//! to get it.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../support/kernel/mod.rs"]
mod support;

mod client;
mod service;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use client::{Client, Ending};
use futures::future::join_all;
use sctp_service::{Config, End, RequestOrder, Side};
use sctp_tokio::SocketBuilder;
use service::Service;
use support::{
    leaks::{Leaks, alone},
    must,
    rng::Rng,
    server::{Report, Server, Style},
};
use tokio::sync::Semaphore;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value} is not a number")),
    )
}

/// The time to go on for.
#[derive(Debug)]
enum Extent {
    Runs(u64),
    Time(Duration),
}

impl Extent {
    fn asked_for() -> Self {
        match (number("SCTP_MODEL_RUNS"), number("SCTP_MODEL_MINUTES")) {
            (runs, None) => Self::Runs(runs.unwrap_or(200)),
            (None, Some(minutes)) => Self::Time(Duration::from_secs(60 * minutes)),
            _ => panic!("SCTP_MODEL_RUNS and SCTP_MODEL_MINUTES contradict each other"),
        }
    }

    fn is_reached(&self, runs: u64, begun: Instant) -> bool {
        match self {
            Self::Runs(limit) => runs >= *limit,
            Self::Time(limit) => begun.elapsed() >= *limit,
        }
    }
}

/// Prints the seed of a run that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the run with SCTP_MODEL_SEED={} failed", self.0);
        }
    }
}

#[test]
fn random_clients_of_a_random_server() {
    alone(async {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let first = number("SCTP_MODEL_SEED").unwrap_or(now);
        let extent = Extent::asked_for();
        println!("{extent:?} from SCTP_MODEL_SEED={first}");
        let held = Leaks::now();
        let begun = Instant::now();
        let (mut runs, mut messages) = (0, 0);
        while !extent.is_reached(runs, begun) {
            let seed = first + runs;
            let _seed = Seed(seed);
            messages += run(seed).await;
            held.is_back().await;
            runs += 1;
        }
        assert!(runs > 0, "nothing was run");
        println!(
            "{runs} runs in {} s, {messages} messages were answered; {:?} at the start, {:?} at the end",
            begun.elapsed().as_secs(),
            held,
            Leaks::now()
        );
    });
}

/// One server, from its start to its end, and its clients. Answers how many messages they had
/// back.
async fn run(seed: u64) -> usize {
    let mut rng = Rng::new(seed);
    let style = [Style::PeelOff, Style::OneToMany][rng.below(2)];
    let ordering = [RequestOrder::PerStream, RequestOrder::PerAssociation][rng.below(2)];
    let config = Config::default()
        .with_request_order(ordering)
        .with_max_in_flight(1 + rng.below(8))
        .with_read_ahead(1 + rng.below(8))
        .with_reply_queue(1 + rng.below(8))
        .with_reply_queue_bytes(1 + rng.below(10_000))
        .with_outbound_queue(1 + rng.below(4))
        .with_outbound_queue_bytes(1 + rng.below(5_000));
    let service = Service::default();
    let handler = service.clone();
    let handle = move |request| handler.clone().call(request);
    let mut server = Server::start_with(style, config, SocketBuilder::new(), handle);

    let count = 1 + rng.below(5);
    let until_drain = Arc::new(Semaphore::new(0));
    let mut clients = Vec::new();
    for who in 0..count {
        let ending = Ending::random(&mut rng);
        let client = Client::new(u8::try_from(who).unwrap(), rng.next_u64(), ending);
        clients.push((
            ending,
            tokio::spawn(client.run(server.addr, Arc::clone(&until_drain))),
        ));
    }
    // All that do not end by themselves wait for the server to.
    let waiting = clients
        .iter()
        .filter(|(ending, _)| *ending == Ending::Drain)
        .count();
    let _ = must(until_drain.acquire_many(u32::try_from(waiting).unwrap()))
        .await
        .unwrap();
    let (drained, others): (Vec<_>, Vec<_>) = clients
        .into_iter()
        .partition(|(ending, _)| *ending == Ending::Drain);
    let mut answered = 0;
    for client in join_all(others.into_iter().map(|(_, task)| task)).await {
        answered += client.unwrap();
    }
    server.stop();
    for client in join_all(drained.into_iter().map(|(_, task)| task)).await {
        answered += client.unwrap();
    }
    let reports = must(server.reports_to_the_end()).await;
    service.check();
    check(&reports, count);
    answered
}

/// Checks that the server's reports fit what its clients did.
fn check(reports: &[Report], clients: usize) {
    let ups = reports
        .iter()
        .filter(|report| **report == Report::Up)
        .count();
    assert_eq!(ups, clients);
    let mut closed = 0;
    for report in reports {
        match report {
            Report::Up => {}
            Report::Closed(end, given) => {
                closed += 1;
                let given = given.as_ref().map(|reason| reason.as_bytes());
                match end {
                    End::Aborted {
                        by: Side::Local, ..
                    } => {
                        assert!(given.unwrap().starts_with(b"server "), "{given:?}");
                    }
                    // A client that is dropped aborts as well, without a reason.
                    End::Aborted { by: Side::Peer, .. } => {
                        let reason = end.reason().unwrap();
                        assert!(reason.is_empty() || reason.starts_with(b"client "), "{end}");
                    }
                    End::Shutdown { .. } => assert_eq!(given, None),
                    _ => panic!("{end}"),
                }
            }
            Report::Other(other) => panic!("{other}"),
        }
    }
    assert_eq!(closed, clients);
}
