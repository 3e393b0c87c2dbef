//! Peers that a socket bound to the wildcard address serves, and the addresses that it announces.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{net::SocketAddr, time::Duration};

use sctp_tokio::{
    AssocId, Association, ConnectError, SctpListener, SocketBuilder, options::RtoInfo,
};
use socket2::SockRef;
use support::{
    must,
    netns::{NetNs, cable},
    patience,
};
use tokio::sync::oneshot;

/// Connects to a wildcard listener by each family, and returns the address of the peer that it then
/// has, or `None` if it refuses.
async fn reach(listener: &mut SctpListener) -> [Option<SocketAddr>; 2] {
    let port = listener.local_addrs().unwrap()[0].port();
    let mut reached = [None; 2];
    for (at, loopback) in ["127.0.0.1", "::1"].into_iter().enumerate() {
        let peer = SocketAddr::new(loopback.parse().unwrap(), port);
        match must(Association::connect(peer)).await {
            Ok(_client) => {
                let server = must(listener.accept()).await.unwrap();
                reached[at] = Some(server.initial_peer_addrs()[0]);
            }
            Err(error) => assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}"),
        }
    }
    reached
}

#[tokio::test]
async fn ipv6_wildcard_serves_both_families() {
    let mut listener = SctpListener::bind("[::]:0").await.unwrap();
    let [four, six] = reach(&mut listener).await.map(Option::unwrap);
    assert_eq!(four.ip().to_string(), "::ffff:127.0.0.1");
    assert_eq!(six.ip().to_string(), "::1");
    let unmapped = SocketBuilder::new()
        .with_local_addrs(["[::]:0".parse().unwrap()])
        .configure(|socket| socket.set_mapped_v4(false));
    let [four, _] = reach(&mut unmapped.listen().unwrap()).await;
    assert_eq!(four.unwrap().ip().to_string(), "127.0.0.1");
}

#[tokio::test]
async fn ipv6_only_wildcard_refuses_ipv4() {
    let only = SocketBuilder::new()
        .with_local_addrs(["[::]:0".parse().unwrap()])
        .configure(|socket| SockRef::from(socket).set_only_v6(true));
    let [four, six] = reach(&mut only.listen().unwrap()).await;
    assert!(four.is_none() && six.is_some(), "{four:?} {six:?}");
    let namespace = NetNs::new();
    let reached = namespace.start(|| async {
        std::fs::write("/proc/sys/net/ipv6/bindv6only", "1").unwrap();
        let mut listener = SctpListener::bind("[::]:0").await.unwrap();
        reach(&mut listener).await
    });
    let [four, six] = must(reached).await;
    assert!(four.is_none() && six.is_some(), "{four:?} {six:?}");
}

#[tokio::test]
async fn ipv4_wildcard_refuses_ipv6() {
    for listener in [
        SctpListener::bind("0.0.0.0:0").await,
        SocketBuilder::new().listen(),
    ] {
        let [four, six] = reach(&mut listener.unwrap()).await;
        assert!(four.is_some() && six.is_none(), "{four:?} {six:?}");
    }
}

/// The address of the container bridge that both clients have.
const BRIDGE: &str = "172.17.0.1";

/// A client's namespace with a container bridge, and a cable to the server's.
fn client(server: &NetNs, cable_name: &str, network: &str) -> NetNs {
    let client = NetNs::new();
    cable(server, &client, cable_name, network);
    client.ip(&format!(
        "link add docker0 type dummy\naddr add {BRIDGE}/16 dev docker0\nlink set docker0 up"
    ));
    client
}

/// Retransmits an INIT often enough within the time limit.
fn quick() -> SocketBuilder {
    let millis = Duration::from_millis;
    let timeouts = RtoInfo::new()
        .with_initial(millis(50))
        .with_min(millis(50))
        .with_max(millis(100));
    SocketBuilder::new().configure(move |socket| socket.set_rto_info(AssocId::FUTURE, &timeouts))
}

async fn hold_all(mut listener: SctpListener) {
    let mut held: Vec<Association> = Vec::new();
    while let Ok(association) = listener.accept().await {
        held.push(association);
    }
}

/// Connects from two clients with the same port, the first bound to the wildcard address and the
/// second to `second`. Returns the addresses that the server learned of the first, and the outcome
/// of the second.
async fn connect_twice(
    second: &'static str,
    timeout: Duration,
) -> (Vec<SocketAddr>, Result<(), ConnectError>) {
    let server = NetNs::new();
    let (one, two) = (
        client(&server, "one", "10.1.0"),
        client(&server, "two", "10.2.0"),
    );
    let (tell, ready) = oneshot::channel();
    let (tell_addrs, learned) = oneshot::channel();
    let _serving = server.start(move || async move {
        let addr = "0.0.0.0:0".parse().unwrap();
        let mut listener = SocketBuilder::new()
            .with_local_addrs([addr])
            .listen()
            .unwrap();
        tell.send(listener.local_addrs().unwrap()[0].port())
            .unwrap();
        let first = must(listener.accept()).await.unwrap();
        tell_addrs
            .send(first.control().peer_addrs().unwrap())
            .unwrap();
        hold_all(listener).await;
        drop(first);
    });
    let port = must(ready).await.unwrap();
    let (tell, ready) = oneshot::channel();
    let (done, finished) = oneshot::channel::<()>();
    let _first = one.start(move || async move {
        let wildcard = "0.0.0.0:0".parse().unwrap();
        let peer = [SocketAddr::new([10, 1, 0, 1].into(), port)];
        let first = must(quick().with_local_addrs([wildcard]).connect(&peer))
            .await
            .unwrap();
        tell.send(first.control().local_addrs().unwrap()[0].port())
            .unwrap();
        let _ = finished.await;
        drop(first);
    });
    let local_port = must(ready).await.unwrap();
    let learned = must(learned).await.unwrap();
    let outcome = two.start(move || async move {
        let local = SocketAddr::new(second.parse().unwrap(), local_port);
        let peer = [SocketAddr::new([10, 2, 0, 1].into(), port)];
        let builder = quick()
            .with_local_addrs([local])
            .with_connect_timeout(timeout);
        let outcome = must(builder.connect(&peer)).await;
        outcome.map(drop)
    });
    let outcome = must(outcome).await;
    drop(done);
    (learned, outcome)
}

#[tokio::test]
async fn wildcard_bind_announces_bridge_and_excludes_peer() {
    let (learned, outcome) = connect_twice("0.0.0.0", Duration::from_secs(2)).await;
    assert!(
        learned.iter().any(|addr| addr.ip().to_string() == BRIDGE),
        "{learned:?}"
    );
    let error = outcome.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn explicit_bind_is_not_excluded_by_same_bridge() {
    let (_, outcome) = connect_twice("10.2.0.2", patience()).await;
    outcome.unwrap();
}
