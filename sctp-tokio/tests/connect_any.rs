//! Connecting to one of several hosts, the first of which swallows packets.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{net::SocketAddr, time::Duration};

use sctp_tokio::{Association, SocketBuilder};
use support::{must, netns::two_cables};
use tokio::sync::oneshot;

fn addr(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

#[tokio::test]
async fn silent_host_does_not_hide_a_good_one() {
    let (left, right) = two_cables();
    // Packets to it vanish: it has a neighbour entry, so that not even the resolution of it fails.
    left.ip("neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev one");
    let (tell, port) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = right.start(move || async move {
        let bound = SocketBuilder::new().with_local_addrs([addr("10.1.0.2", 0)]);
        let listener = bound.listen().unwrap();
        tell.send(listener.local_addrs().unwrap()[0].port())
            .unwrap();
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving);
    let port = must(port).await.unwrap();
    let connecting = left.start(move || async move {
        let name = [addr("10.1.0.9", port), addr("10.1.0.2", port)];
        let own = |port| SocketBuilder::new().with_local_addrs([addr("10.1.0.1", port)]);
        let by_default = must(Association::connect(&name[..])).await;
        // With a port of its own, which the attempts share, or use one after the other.
        let shared = must(own(5001).connect_any(&name[..])).await;
        let alone = own(5002)
            .with_reuse_address(false)
            .with_connect_timeout(Duration::from_millis(100));
        let alone = must(alone.connect_any(&name[..])).await;
        for association in [by_default, shared, alone] {
            assert_eq!(
                association.unwrap().control().peer_addrs().unwrap(),
                [name[1]]
            );
        }
    });
    must(connecting).await;
    drop(stop);
    must(serving).await.unwrap();
}
