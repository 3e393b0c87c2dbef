//! `Debug` output of sockets and their handles: addresses, and never message contents.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{fmt::Debug, net::SocketAddr, time::Duration};

use sctp_tokio::{
    EventSet, OneToOneListener, SocketBuilder,
    options::{AssocInfo, InitMsg, PeerAddrParams, RtoInfo},
};
use support::{LOOPBACK, acknowledged, endpoint, endpoint_message, must, next, pair_with};

/// A log line, in which no message and nothing of the runtime shows.
#[track_caller]
fn line(value: &impl Debug) -> String {
    let line = format!("{value:?}");
    assert!(!line.contains("secret"), "{line}");
    assert!(line.len() < 400, "{} bytes: {line}", line.len());
    line
}

fn from_loopback() -> SocketBuilder {
    SocketBuilder::new().with_local_addrs([LOOPBACK.parse().unwrap()])
}

#[test]
fn builder_debug_shows_limits_and_changes() {
    let defaults = "outbound_streams: 128, max_inbound_streams: 1024, nodelay: true, interleaving: false, \
                    reuse_address: true, reuse_port: false, max_message_size: 1048576";
    assert_eq!(
        line(&SocketBuilder::new()),
        format!("SocketBuilder {{ local_addrs: [], {defaults} }}")
    );
    let init = InitMsg::new().with_outbound_streams(7).with_max_attempts(3);
    let all = from_loopback()
        .with_init(init.with_max_timeout(Duration::from_secs(5)))
        .with_nodelay(false)
        .with_reuse_address(false)
        .with_reuse_port(true)
        .with_interleaving(true)
        .with_max_message_size(9)
        .with_connect_timeout(Duration::from_secs(1))
        .with_send_buffer_size(10)
        .with_recv_buffer_size(20)
        .with_events(EventSet::SHUTDOWN)
        .configure(|_| Ok(()));
    assert_eq!(
        line(&all),
        "SocketBuilder { local_addrs: [127.0.0.1:0], outbound_streams: 7, max_inbound_streams: 1024, \
         nodelay: false, interleaving: true, reuse_address: false, reuse_port: true, \
         max_message_size: 9, max_attempts: 3, max_timeout: 5s, connect_timeout: 1s, send_buffer_size: 10, recv_buffer_size: 20, \
         events: EventSet(SHUTDOWN), configured: 1 }"
    );
}

#[test]
fn builder_debug_shows_timers_that_were_set() {
    let timers = from_loopback()
        .with_rto_info(RtoInfo::new().with_max(Duration::from_secs(2)))
        .with_assoc_info(AssocInfo::new().with_max_retransmissions(4));
    let shown = line(&timers);
    assert!(shown.contains("rto_info: RtoInfo { initial: 0ns, min: 0ns, max: 2s }"));
    assert!(shown.contains("assoc_info: AssocInfo { max_retransmissions: 4, "));
    let marked = from_loopback().with_peer_addr_params(PeerAddrParams::new().with_dscp(46));
    let shown = line(&marked);
    assert!(shown.contains("peer_addr_params: PeerAddrParams { "));
    assert!(shown.contains("dscp: Some(46)"));
}

#[tokio::test]
async fn association_debug_shows_addresses_and_end() {
    let (client, mut server) = pair_with(from_loopback(), SocketBuilder::new()).await;
    client.send("first").await.unwrap();
    client.send("secret").await.unwrap();
    acknowledged(&client).await;
    assert_eq!(next(&mut server).await.payload, "first");
    let known = format!(
        "{{ id: {:?}, peer_addrs: {:?}, local_addrs: {:?}, outbound_streams: 128, \
         inbound_streams: 128, style: OneToMany, end: None, unread: 1",
        server.id(),
        client.control().local_addrs().unwrap(),
        server.control().local_addrs().unwrap(),
    );
    let shown = line(&server);
    assert!(shown.contains(&known), "{known} / {shown}");
    let (sender, mut receiver) = server.split();
    assert!(line(&receiver).contains(&known), "{receiver:?}");
    let peers = format!("peer_addrs: {:?}", client.control().local_addrs().unwrap());
    assert!(line(&sender).contains(&peers), "{sender:?}");
    drop(client);
    while must(receiver.recv()).await.unwrap().is_some() {}
    let end = "end: Some(Shutdown { by: Peer })";
    assert!(line(&sender).contains(end), "{sender:?}");
}

#[tokio::test]
async fn endpoint_debug_shows_address_and_counts() {
    let (mut endpoint, addr) = endpoint().await;
    let local = format!("local_addrs: [{addr}]");
    assert_eq!(
        line(&endpoint),
        format!("Endpoint {{ {local}, associations: 0, unread: 0 }}")
    );
    let client = must(SocketBuilder::new().connect(&[addr])).await.unwrap();
    for payload in ["first", "secret"] {
        client.send(payload).await.unwrap();
    }
    acknowledged(&client).await;
    endpoint_message(&mut endpoint).await;
    assert_eq!(
        line(&endpoint),
        format!("Endpoint {{ {local}, associations: 1, unread: 1 }}")
    );
    assert_eq!(
        line(&endpoint.sender()),
        format!("EndpointSender {{ {local}, associations: 1 }}")
    );
}

#[tokio::test]
async fn listener_debug_shows_addresses() {
    let listener = from_loopback().listen().unwrap();
    let local = |addrs: Vec<SocketAddr>| format!("local_addrs: {addrs:?}");
    let shown = line(&listener);
    assert!(
        shown.contains(&local(listener.local_addrs().unwrap())),
        "{shown}"
    );
    let shown = line(listener.socket());
    assert!(
        shown.contains(&local(listener.local_addrs().unwrap())),
        "{shown}"
    );
    let listener = OneToOneListener::bind(LOOPBACK).await.unwrap();
    let shown = line(&listener);
    assert!(
        shown.contains(&local(listener.local_addrs().unwrap())),
        "{shown}"
    );
}
