//! A path that silently drops packets longer than its MTU.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::net::SocketAddr;

use sctp_tokio::{
    AssocId, Association, SocketBuilder,
    options::{MtuDiscovery, PeerAddrParams},
};
use support::{must, netns::two_cables};
use tokio::sync::oneshot;

/// MTU of the receiving interface. The sending one has 1500, and drops nothing.
const PATH_MTU: u32 = 1300;
/// Length of a message that takes several packets.
const LONG: usize = 4000;

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
        let mut listener = SocketBuilder::new().bind([addr]).listen().unwrap();
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
