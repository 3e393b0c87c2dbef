//! Peers that speak SCTP correctly and behave badly, and peers that do not even speak it
//! correctly, against a running server: the good associations beside them notice nothing, memory,
//! descriptors and the log stay bounded, and nothing is left behind.
//!
//! These tests need a kernel with SCTP: cargo runs them through `.kernel/run`, which provides one
//! or says how to get it. They print what they measure: `cargo test --test hostile -- --nocapture`.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "../support/kernel/mod.rs"]
mod support;

mod aborting;
mod churn;
mod correlation;
mod reading;
mod sending;
mod wire;

use std::{net::IpAddr, time::Instant};

use sctp_service::{Config, MakeService};
use sctp_tokio::{Association, SocketBuilder};
use support::{
    both_styles,
    leaks::Leaks,
    log::Log,
    must,
    probe_client::ProbeClient,
    reply,
    server::{Server, Style},
    until_end,
};
use tracing::subscriber::DefaultGuard;

/// A server under attack, a good client beside the attack, and what was held before it.
struct Scene {
    server: Server,
    probe_client: ProbeClient,
    log: Log,
    held: Leaks,
    begun: Instant,
    _logging: DefaultGuard,
}

impl Scene {
    async fn new<M, K>(style: Style, service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        Self::with(style, Config::default(), SocketBuilder::new(), service).await
    }

    async fn with<M, K>(style: Style, config: Config, socket: SocketBuilder, service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Self::at(loopback, style, config, socket, service).await
    }

    async fn at<M, K>(
        ip: IpAddr,
        style: Style,
        config: Config,
        socket: SocketBuilder,
        service: M,
    ) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let (log, logging) = Log::start();
        let held = Leaks::now();
        let server = Server::start_at(ip, style, config, socket, service);
        let mut probe_client = ProbeClient::connect(server.addr).await;
        probe_client.answered(10).await;
        Self {
            server,
            probe_client,
            log,
            held,
            begun: Instant::now(),
            _logging: logging,
        }
    }

    /// A server that can make calls.
    async fn correlated<M, K>(style: Style, config: Config, service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let (log, logging) = Log::start();
        let held = Leaks::now();
        let server = Server::start_correlated(style, config, service);
        let mut probe_client = ProbeClient::connect(server.addr).await;
        probe_client.answered(10).await;
        Self {
            server,
            probe_client,
            log,
            held,
            begun: Instant::now(),
            _logging: logging,
        }
    }

    async fn connect(&self) -> Association {
        self.server.connect().await
    }

    /// Ends the attack: nobody noticed it, and nothing is left of it.
    async fn over(self) {
        let slowest = self.probe_client.noticed_nothing().await;
        let took = self.begun.elapsed();
        println!("the good client's slowest round trip: {slowest:?}, within {took:?}");
        let mut server = self.server;
        server.stop();
        server.stopped().await;
        self.held.is_back().await;
    }
}

/// For figures that are read by people.
fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}
