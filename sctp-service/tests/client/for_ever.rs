//! Times that are set to `Duration::MAX`, as one says "for ever", or to more than a clock can hold.

use std::time::Duration;

use sctp_service::{
    End, Message, Side,
    client::{
        Backoff, Client, ClientConfig,
        pool::{Pool, Target},
    },
    testing::duplex,
};
use tokio::sync::{mpsc, watch};

use crate::support::{call, client_with, must, payload, settle};

const HUGE: [Duration; 3] = [
    Duration::MAX,
    Duration::from_secs(i64::MAX as u64),
    Duration::from_millis(u64::MAX),
];

fn config(time: Duration) -> ClientConfig {
    ClientConfig::new()
        .with_call_timeout(time)
        .with_overdue_after(time)
        .with_connect_timeout(time)
        .with_shutdown_timeout(time)
        .with_backoff(Backoff::new(Duration::from_millis(1), time))
}

#[tokio::test(start_paused = true)]
async fn client_with_maximum_timeouts_calls_and_ends() {
    for time in HUGE {
        let (client, peer) = client_with(Client::builder().with_config(config(time)), 10);
        let one = call(&client, "x");
        must(peer.recv()).await.unwrap();
        peer.send(Message::new("X").on_stream(1)).await;
        assert_eq!(payload(one).await, "X");
        let dropped = call(&client, "y");
        must(peer.recv()).await.unwrap();
        dropped.abort();
        settle().await;
        let end = must(client.graceful_shutdown()).await;
        assert_eq!(end, Some(End::Shutdown { by: Side::Local }));
    }
}

#[tokio::test(start_paused = true)]
async fn client_connects_and_reconnects() {
    for time in HUGE {
        let (up, mut peers) = mpsc::unbounded_channel();
        let connect = move || {
            let (transport, peer) = duplex();
            up.send(peer).unwrap();
            std::future::ready(Ok(transport))
        };
        let client = Client::builder()
            .with_config(config(time))
            .connect(connect)
            .await
            .unwrap();
        must(peers.recv()).await.unwrap().shutdown();
        let peer = must(peers.recv()).await.unwrap();
        must(client.graceful_shutdown()).await.unwrap();
        peer.expect_shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn pool_waits_for_a_server() {
    for time in HUGE {
        let (servers, watched) = watch::channel(Vec::new());
        let (up, mut peers) = mpsc::unbounded_channel();
        let pool = Pool::builder()
            .with_ready_timeout(time)
            .watch_with(watched, {
                move |_: &Target, client| {
                    let (transport, peer) = duplex();
                    up.send(peer).unwrap();
                    client.over(transport)
                }
            });
        let waiting = tokio::spawn(async move { pool.request("x").await });
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!waiting.is_finished());
        servers.send(vec![addr().into()]).unwrap();
        let peer = must(peers.recv()).await.unwrap();
        must(peer.recv()).await.unwrap();
        peer.send(Message::new("X").on_stream(1)).await;
        assert_eq!(must(waiting).await.unwrap().unwrap().payload, "X");
    }
}

#[tokio::test(start_paused = true)]
async fn name_is_looked_up_once() {
    for time in HUGE {
        let lookup = || std::future::ready(Ok(vec![addr()]));
        let tasks = tokio::runtime::Handle::current().metrics();
        let pool = must(Pool::builder().resolve(lookup, time)).await.unwrap();
        settle().await;
        // That of the pool, of its list, of the server's client, and the one that will look it up
        // again.
        assert_eq!(tasks.num_alive_tasks(), 4);
        drop(pool);
        settle().await;
        assert_eq!(tasks.num_alive_tasks(), 0);
    }
}

fn addr() -> std::net::SocketAddr {
    std::net::SocketAddr::from(([192, 0, 2, 1], 9877))
}
