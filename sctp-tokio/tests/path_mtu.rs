//! A path that silently drops packets longer than its MTU.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{net::SocketAddr, time::Duration};

use sctp_tokio::{
    AssocId, Association, End, SocketBuilder,
    options::{AssocInfo, MtuDiscovery, PeerAddrParams, RtoInfo},
};
use support::{
    must,
    netns::two_cables,
    patience::{scaled, within},
    until_end,
};
use tokio::sync::oneshot;

/// MTU of the receiving interface. The sending one has 1500, and drops nothing.
const PATH_MTU: u32 = 1300;
/// Length of a message that takes several packets.
const LONG: usize = 4000;
/// MTU of a path on which probing fails at one size only, so that its search is short.
const PROBED_MTU: u32 = 1340;

async fn connect(builder: SocketBuilder, peer: SocketAddr) -> Association {
    must(builder.connect(&[peer])).await.unwrap()
}

#[tokio::test]
async fn fixed_mtu_passes_black_hole() {
    let (left, right) = two_cables();
    right.ip(&format!("link set one mtu {PATH_MTU}"));
    let (tell, port) = oneshot::channel();
    let serving = right.start(move || async move {
        let addr = "10.1.0.2:0".parse().unwrap();
        let mut listener = SocketBuilder::new()
            .with_local_addrs([addr])
            .listen()
            .unwrap();
        tell.send(listener.local_addrs().unwrap()[0].port())
            .unwrap();
        let mut fixed = must(listener.accept()).await.unwrap();
        support::next(&mut fixed).await.payload.len()
    });
    let port = must(port).await.unwrap();
    let sending = left.start(move || async move {
        let peer = SocketAddr::new([10, 1, 0, 2].into(), port);
        let fixed = SocketBuilder::new().configure(|socket| {
            let discovery = MtuDiscovery::Disabled(Some(PATH_MTU));
            let params = PeerAddrParams::new().with_mtu_discovery(discovery);
            socket.set_peer_addr_params(AssocId::FUTURE, None, &params)
        });
        let fixed = connect(fixed, peer).await;
        fixed.send(vec![2; LONG]).await.unwrap();
        support::acknowledged(&fixed).await;
    });
    let (len, ()) = tokio::join!(serving, sending);
    assert_eq!(len, LONG);
}

/// A client that probes for the MTU, soon repeats what is lost, and never gives up.
fn probing() -> SocketBuilder {
    let local = "10.1.0.1:0".parse().unwrap();
    SocketBuilder::new()
        .with_local_addrs([local])
        .configure(|socket| {
            let millis = Duration::from_millis;
            let timeouts = RtoInfo::new()
                .with_initial(millis(500))
                .with_min(millis(500))
                .with_max(millis(500));
            socket.set_rto_info(AssocId::FUTURE, &timeouts)?;
            let persistent = AssocInfo::new().with_max_retransmissions(u16::MAX);
            socket.set_assoc_info(AssocId::FUTURE, &persistent)?;
            let interval = Duration::from_secs(5);
            socket.set_plpmtud_probe_interval(AssocId::FUTURE, None, interval)
        })
}

/// Waits until probing has found the MTU: after one interval, and three more for the size that fails.
/// Polls, because no notification reports the MTU.
async fn mtu_found(client: &Association, peer: SocketAddr) -> u32 {
    let socket = client.socket().unwrap();
    let mtu = || socket.path_info(AssocId::CURRENT, peer).unwrap().mtu;
    let found = async {
        while mtu() == 1500 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        mtu()
    };
    within(scaled(60), found).await
}

/// Number of chunks that an association has sent again.
fn retransmitted(client: &Association) -> u64 {
    let socket = client.socket().unwrap();
    socket
        .assoc_stats(AssocId::CURRENT)
        .unwrap()
        .retransmitted_chunks
}

#[tokio::test]
async fn probed_mtu_serves_later_messages_only() {
    let (left, right) = two_cables();
    right.ip(&format!("link set one mtu {PROBED_MTU}"));
    let (tell, port) = oneshot::channel();
    let serving = right.start(move || async move {
        let addr = "10.1.0.2:0".parse().unwrap();
        let mut listener = SocketBuilder::new()
            .with_local_addrs([addr])
            .listen()
            .unwrap();
        tell.send(listener.local_addrs().unwrap()[0].port())
            .unwrap();
        let mut early = must(listener.accept()).await.unwrap();
        let mut late = must(listener.accept()).await.unwrap();
        let received = within(scaled(90), late.recv()).await.unwrap().unwrap();
        assert_eq!(received.payload.len(), LONG);
        drop(late);
        until_end(&mut early).await
    });
    let port = must(port).await.unwrap();
    let sending = left.start(move || async move {
        let peer = SocketAddr::new([10, 1, 0, 2].into(), port);
        let mut early = connect(probing(), peer).await;
        let late = connect(probing(), peer).await;
        early.send(vec![1; LONG]).await.unwrap();
        for client in [&early, &late] {
            let mtu = mtu_found(client, peer).await;
            // A virtual cable leaves room for a VLAN tag.
            assert!((PROBED_MTU..=PROBED_MTU + 4).contains(&mtu), "{mtu}");
        }
        late.send(vec![2; LONG]).await.unwrap();
        support::acknowledged(&late).await;
        let before = retransmitted(&early);
        support::eventually(|| retransmitted(&early) > before + 5).await;
        let socket = early.socket().unwrap();
        assert!(socket.send_buffer_used().unwrap() > 0);
        // Heartbeats are answered, and keep an association up only until its shutdown.
        let default = AssocInfo::new().with_max_retransmissions(10);
        socket.set_assoc_info(early.id(), &default).unwrap();
        early.start_shutdown().unwrap();
        until_end(&mut early).await.1
    });
    let ((messages, end), by_us) = tokio::join!(serving, sending);
    assert!(messages.is_empty());
    assert!(matches!(end, End::Aborted { .. }), "{end}");
    assert!(!by_us.is_orderly(), "{by_us}");
}
