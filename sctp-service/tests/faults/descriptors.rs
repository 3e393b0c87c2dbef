//! No descriptors left, or no epoll watches.

use std::{fs, time::Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sctp_service::{Config, Payload};
use sctp_tokio::{Association, Message, SocketBuilder};

use super::*;
use crate::{
    server::{Report, Server, Style, echo},
    support::{leaks::descriptors, log::Log, probe_client::ProbeClient},
};

/// Bounds the process's descriptors until it is dropped.
struct Bounded(Rlimit);

impl Bounded {
    /// Leaves so many to be opened.
    fn to(left: usize) -> Self {
        let old = getrlimit(Resource::Nofile);
        let current = Some(u64::try_from(descriptors() + left).unwrap());
        setrlimit(Resource::Nofile, Rlimit { current, ..old }).unwrap();
        Self(old)
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).unwrap();
    }
}

/// Has epoll refuse every further socket until it is dropped.
struct NoWatches(String);

impl NoWatches {
    const LIMIT: &str = "/proc/sys/fs/epoll/max_user_watches";

    fn begin() -> Self {
        let limit = fs::read_to_string(Self::LIMIT).unwrap();
        fs::write(Self::LIMIT, "0").unwrap();
        Self(limit)
    }
}

impl Drop for NoWatches {
    fn drop(&mut self) {
        fs::write(Self::LIMIT, self.0.trim()).unwrap();
    }
}

/// Asserts that there was one line in each 10 seconds, which is one here.
#[track_caller]
fn assert_one_alarm(log: &Log, begun: Instant) {
    let most = 1 + usize::try_from(begun.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&log.alarms()), "{}", log.summary());
}

#[test]
fn associations_wait_until_there_are_descriptors_again() {
    alone(async {
        let (log, _logging) = Log::start();
        let mut server = Server::start(Style::PeelOff, echo);
        let good = ProbeClient::connect(server.addr).await;
        // One for the client, none for the server.
        let bounded = Bounded::to(1);
        let mut waiting = server.connect().await;
        waiting.send("is anyone there?").await.unwrap();
        loop {
            if let Report::Other(what) = must(server.reports.recv()).await.unwrap() {
                assert!(what.starts_with("AcceptFailed"), "{what}");
                break;
            }
        }
        // It is said when it happens, and not for each attempt of the scheduler.
        assert_eq!(log.alarms(), 1, "{}", log.summary());
        drop(bounded);
        assert_eq!(reply(&mut waiting).await.payload, "is anyone there?");
        good.noticed_nothing().await;
        drop(waiting);
        server.stop();
        server.stopped().await;
    });
}

/// Floods a shared socket from several associations in turn, while `scarce` leaves nothing for a
/// socket of their own. Each is aborted, and one line stands for all.
fn assert_slow_associations_are_aborted<T>(scarce: impl FnOnce() -> T) {
    alone(async {
        let (log, _logging) = Log::start();
        let service = |Payload(payload): Payload| async move {
            if payload == "stay" {
                std::future::pending::<()>().await;
            }
            Payload(payload)
        };
        let config = Config::default().with_max_in_flight(1).with_read_ahead(1);
        let mut server =
            Server::start_with(Style::OneToMany, config, SocketBuilder::new(), service);
        let good = ProbeClient::connect(server.addr).await;
        let mut flooding = Vec::new();
        for _ in 0..5 {
            flooding.push(server.connect().await);
        }
        let bounded = scarce();
        let begun = Instant::now();
        for flooding in &mut flooding {
            let flood = flooding.sender();
            let sending = tokio::spawn(async move {
                while flood.send(Message::new("stay")).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            });
            let end = until_end(flooding).await.1;
            assert_eq!(end.reason().unwrap(), "receive queue full");
            must(sending).await.unwrap();
            server.closed().await;
        }
        assert_one_alarm(&log, begun);
        drop(bounded);
        let mut next: Association = server.connect().await;
        next.send("and now?").await.unwrap();
        assert_eq!(reply(&mut next).await.payload, "and now?");
        drop((next, flooding));
        good.noticed_nothing().await;
        server.stop();
        server.stopped().await;
    });
}

#[test]
fn peers_behind_on_a_shared_socket_are_aborted() {
    assert_slow_associations_are_aborted(|| Bounded::to(0));
}

#[test]
fn slow_associations_without_epoll_watches_are_aborted() {
    assert_slow_associations_are_aborted(NoWatches::begin);
}
