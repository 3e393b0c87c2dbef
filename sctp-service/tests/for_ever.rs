//! Times that are set to `Duration::MAX`, as one says "for ever", or to more than a clock can hold.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use sctp_service::{Config, Reply, Shutdown, handler::handler_fn, layer::PeerRateLimitLayer};
use support::{Server, must, on, settle};
use tokio::time::sleep;
use tower::ServiceBuilder;

const HUGE: [Duration; 3] = [
    Duration::MAX,
    Duration::from_secs(i64::MAX as u64),
    Duration::from_millis(u64::MAX),
];

fn config(time: Duration) -> Config {
    Config::new()
        .with_idle_timeout(time)
        .with_shutdown_timeout(time)
        .with_drain_timeout(time)
}

async fn handle(payload: Bytes) -> Reply {
    if payload == "slow" {
        sleep(Duration::from_secs(5)).await;
    }
    let reply = Reply::new(payload.clone());
    match &payload[..] {
        b"bye" => reply.with_shutdown(Shutdown::AfterAck),
        _ => reply,
    }
}

#[tokio::test(start_paused = true)]
async fn server_with_endless_timeouts_ends() {
    for time in HUGE {
        let mut server = Server::with_config(config(time), handle);
        let ending = server.connect().await;
        ending.send("hello").await;
        ending.expect_message("hello").await;
        sleep(Duration::from_secs(3600)).await;
        ending.send("bye").await;
        ending.expect_message("bye").await;
        ending.expect_shutdown().await;

        let leaving = server.connect().await;
        leaving.send("slow").await;
        settle().await;
        leaving.shutdown();

        let draining = server.connect().await;
        draining.send("slow").await;
        settle().await;
        server.stop();
        draining.expect_message("slow").await;
        draining.expect_shutdown().await;
        must(server.stopped()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rate_limit_waits_for_a_lifetime() {
    for time in HUGE {
        let layer = PeerRateLimitLayer::new(1, time).with_max_delay(time);
        let server = Server::new(
            ServiceBuilder::new()
                .layer(layer)
                .service(handler_fn(handle)),
        );
        let peer = server.connect().await;
        peer.send(on(1, "first")).await;
        peer.expect_message("first").await;
        for number in 0..3 {
            peer.send(on(2 + number, "never")).await;
        }
        settle().await;
        assert!(peer.try_recv().is_none());
        // It is slowed down, and not ended.
        assert!(server.network.connect().await.is_ok());
        assert!(peer.unread_by_server() > 0);
    }
}
