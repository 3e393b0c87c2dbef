//! A pool of three servers under load, one of which is drained, and one aborted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sctp_service::{
    CallError, Cause, End, Fate, Side,
    client::pool::{Pool, RetryPolicy, Target},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{must, netns::NetNs, server::Server};

/// The number of calls in flight.
const WORKERS: usize = 24;
const LONG: Duration = Duration::from_secs(60);

struct Load {
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Vec<CallError>>>,
}

impl Load {
    fn on(pool: &Pool) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..WORKERS)
            .map(|worker| {
                tokio::spawn(work(
                    pool.clone(),
                    worker,
                    Arc::clone(&done),
                    Arc::clone(&stop),
                ))
            })
            .collect();
        Self {
            done,
            stop,
            workers,
        }
    }

    /// Waits until this many more calls have been answered.
    async fn more(&self, calls: usize) {
        let enough = self.done.load(Ordering::Relaxed) + calls;
        must(async {
            while self.done.load(Ordering::Relaxed) < enough {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn finish(self) -> Vec<CallError> {
        self.stop.store(true, Ordering::Relaxed);
        let mut errors = Vec::new();
        for worker in self.workers {
            errors.extend(must(worker).await.unwrap());
        }
        errors
    }
}

/// Calls without a pause, checks the replies, and returns what failed.
async fn work(
    pool: Pool,
    worker: usize,
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Vec<CallError> {
    let mut errors = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("{worker}: {number}");
        match pool.request(text.clone()).await {
            Ok(reply) => {
                assert_eq!(reply.payload, text);
                done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if matches!(error.cause(), Cause::Closed) => {
                errors.push(error);
                break;
            }
            Err(error) => errors.push(error),
        }
    }
    errors
}

async fn scenario(calls: usize, lossless: bool) {
    let drained = Server::start(LONG);
    let aborted = Server::start(Duration::ZERO);
    let left = Server::start(LONG);
    let retry = RetryPolicy::new().with_after_shutdown(true);
    let pool = Pool::builder()
        .with_retry(retry)
        .fixed([drained.addr, aborted.addr, left.addr]);
    let load = Load::on(&pool);
    load.more(calls).await;
    drained.stop().await;
    load.more(calls).await;
    aborted.stop().await;
    load.more(calls).await;
    let errors = load.finish().await;
    assert!(errors.len() <= WORKERS, "{} failed", errors.len());
    for error in &errors {
        assert!(matches!(error.cause(), Cause::Aborted(_)), "{error}");
        match error.reason() {
            Some(reason) => assert_eq!(reason, "drain timed out"),
            // Nobody repeats an ABORT that is lost: the next packet is answered with another, by a
            // kernel that knows of no association and of no reason.
            None => assert!(!lossless, "no reason came"),
        }
        assert_eq!(error.fate(), Fate::Unknown);
    }
    drop(pool);
    left.stop().await;
}

#[tokio::test]
async fn abort_of_a_server_fails_only_its_calls() {
    scenario(1000, true).await;
}

#[tokio::test]
async fn only_calls_in_flight_fail_when_packets_are_lost() {
    let network = NetNs::new();
    network.tc("qdisc add dev lo root netem loss 2% delay 1ms");
    must(network.start(|| scenario(100, false))).await;
}

#[tokio::test]
async fn pool_shutdown_under_load_finishes_sent_calls() {
    let servers = [
        Server::start(LONG),
        Server::start(LONG),
        Server::start(LONG),
    ];
    let pool = Pool::builder().fixed(servers.each_ref().map(|server| server.addr));
    let load = Load::on(&pool);
    load.more(500).await;
    let ends = must(pool.graceful_shutdown()).await;
    assert_eq!(ends.len(), servers.len());
    for (target, end) in ends {
        let orderly = Some(End::Shutdown { by: Side::Local });
        assert_eq!(end, orderly, "{target:?}");
    }
    for error in load.finish().await {
        assert!(matches!(error.cause(), Cause::Closed), "{error}");
        assert_eq!(error.fate(), Fate::NotSent);
    }
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn changing_servers_under_load_fail_no_call() {
    let servers = [Server::start(LONG), Server::start(LONG)];
    let [stays, leaves] = servers.each_ref().map(|server| Target::from(server.addr));
    let (list, listed) = watch::channel(vec![stays.clone()]);
    let retry = RetryPolicy::new().with_retries(0);
    let load = Load::on(&Pool::builder().with_retry(retry).watch(listed));
    for _ in 0..20 {
        list.send(vec![stays.clone(), leaves.clone()]).unwrap();
        load.more(100).await;
        list.send(vec![stays.clone()]).unwrap();
        load.more(20).await;
    }
    let errors = load.finish().await;
    assert!(errors.is_empty(), "{errors:?}");
    for server in servers {
        server.stop().await;
    }
}
