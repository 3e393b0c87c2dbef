//! Listening and connecting, and what goes wrong there.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{io, net::SocketAddr, time::Duration};

use sctp_tokio::{
    AbortReason, Association, ConnectError, End, EventSet, Message, SctpListener, Side,
    SocketBuilder,
    options::{AssocInfo, Heartbeat, InitMsg, PeerAddrParams, RtoInfo},
};
use support::{listener, must, pair_with, until_end};

#[tokio::test]
async fn ipv6_works_like_ipv4() {
    let mut listener = SctpListener::bind("[::1]:0").await.unwrap();
    let addr = listener.local_addrs().unwrap()[0];
    assert!(addr.is_ipv6());
    let client = Association::connect(addr).await.unwrap();
    client.send("six").await.unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    assert_eq!(must(server.recv()).await.unwrap().unwrap().payload, "six");
    assert!(client.control().peer_addrs().unwrap()[0].is_ipv6());
}

#[tokio::test]
async fn several_addresses_make_listener_multi_homed() {
    let addrs: [SocketAddr; 2] = [
        "127.0.0.1:0".parse().unwrap(),
        "127.0.0.2:0".parse().unwrap(),
    ];
    let mut listener = SocketBuilder::new()
        .with_local_addrs(addrs)
        .listen()
        .unwrap();
    let mut bound = listener.local_addrs().unwrap();
    bound.sort();
    assert_eq!(
        bound
            .iter()
            .map(|addr| addr.ip().to_string())
            .collect::<Vec<_>>(),
        ["127.0.0.1", "127.0.0.2"]
    );
    assert_eq!(bound[0].port(), bound[1].port());
    let client = SocketBuilder::new().connect(&bound).await.unwrap();
    let _server = must(listener.accept()).await.unwrap();
    let mut peers = client.control().peer_addrs().unwrap();
    peers.sort();
    assert_eq!(peers, bound);
}

#[tokio::test]
async fn addresses_of_different_ports_are_refused() {
    let addrs = [
        "127.0.0.1:9000".parse().unwrap(),
        "127.0.0.2:9001".parse().unwrap(),
    ];
    let error = SocketBuilder::new()
        .with_local_addrs(addrs)
        .listen()
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "cannot bind 127.0.0.2:9001: port differs from 9000"
    );
}

#[tokio::test]
async fn address_in_use_is_named() {
    let (_listener, addr) = listener().await;
    let error = SctpListener::bind(addr).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot bind {addr}: Address already in use")),
        "{error}"
    );
}

#[tokio::test]
async fn foreign_bind_address_is_named() {
    let error = SctpListener::bind("192.0.2.1:9000").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    assert!(error.to_string().contains("192.0.2.1:9000"), "{error}");
}

#[tokio::test]
async fn unresolvable_name_is_an_error() {
    assert!(
        SctpListener::bind("no-such-host.invalid:9000")
            .await
            .is_err()
    );
    assert!(matches!(
        Association::connect("no-such-host.invalid:9000").await,
        Err(ConnectError::Io(_))
    ));
}

#[tokio::test]
async fn connect_without_listener_is_refused_at_once() {
    let (listener, addr) = listener().await;
    drop(listener);
    let error = must(Association::connect(addr)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    assert_eq!(
        io::Error::from(error).kind(),
        io::ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn connect_without_route_is_unreachable() {
    // Nothing but loopback is up in the guest; elsewhere this test network leads nowhere.
    let connect = SocketBuilder::new().with_connect_timeout(Duration::from_secs(1));
    let error = must(connect.connect(&["192.0.2.1:9".parse().unwrap()]))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ConnectError::Unreachable { .. } | ConnectError::TimedOut { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn connect_to_no_address_is_refused() {
    let error = SocketBuilder::new().connect(&[]).await.unwrap_err();
    assert_eq!(error.to_string(), "no address to connect to");
}

#[tokio::test]
async fn dropped_connect_leaves_the_listener_working() {
    let (mut listener, addr) = listener().await;
    {
        let builder = SocketBuilder::new();
        let peer = [addr];
        let connect = std::pin::pin!(builder.connect(&peer));
        assert!(futures::poll!(connect).is_pending());
    }
    let client = must(Association::connect(addr)).await.unwrap();
    client.send("second").await.unwrap();
    // The first may or may not have come up before it was dropped.
    loop {
        let mut server = must(listener.accept()).await.unwrap();
        if let Ok(Some(message)) = must(server.recv()).await {
            assert_eq!(message.payload, "second");
            break;
        }
    }
}

#[tokio::test]
async fn messages_before_accept_are_received() {
    let (mut listener, addr) = listener().await;
    let client = Association::connect(addr).await.unwrap();
    for at in 0..20u8 {
        client.send(vec![at; 100]).await.unwrap();
    }
    let mut server = must(listener.accept()).await.unwrap();
    for at in 0..20u8 {
        assert_eq!(
            must(server.recv()).await.unwrap().unwrap().payload,
            vec![at; 100]
        );
    }
}

#[tokio::test]
async fn peer_closed_before_accept_is_accepted_with_its_messages() {
    let (mut listener, addr) = listener().await;
    for round in 0..3u8 {
        let mut client = Association::connect(addr).await.unwrap();
        client.send(vec![round; 10]).await.unwrap();
        client
            .send(Message::new(vec![round; 10_000]).on_stream(1))
            .await
            .unwrap();
        assert!(must(client.shutdown()).await.unwrap().is_orderly());
    }
    let client = Association::connect(addr).await.unwrap();
    client
        .abort(&AbortReason::from_static("changed my mind"))
        .unwrap();
    for round in 0..3u8 {
        let mut server = must(listener.accept()).await.unwrap();
        let (messages, end) = until_end(&mut server).await;
        assert_eq!(messages, [vec![round; 10], vec![round; 10_000]]);
        assert_eq!(end, End::Shutdown { by: Side::Peer });
        assert!(server.send("too late").await.is_err());
        assert_eq!(server.initial_peer_addrs().len(), 1);
    }
    let mut server = must(listener.accept()).await.unwrap();
    assert_eq!(
        until_end(&mut server).await.1.reason().unwrap(),
        "changed my mind"
    );
}

#[tokio::test]
async fn stopped_listener_still_accepts_established_ones() {
    let (mut listener, addr) = listener().await;
    let client = Association::connect(addr).await.unwrap();
    listener.stop_listening().unwrap();
    assert!(matches!(
        must(Association::connect(addr)).await,
        Err(ConnectError::Refused { .. })
    ));
    let mut server = listener.try_accept().unwrap();
    assert_eq!(
        listener.try_accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    client.send("up already").await.unwrap();
    assert_eq!(
        must(server.recv()).await.unwrap().unwrap().payload,
        "up already"
    );
}

#[tokio::test]
async fn associations_outlive_their_listener() {
    let (mut listener, addr) = listener().await;
    let mut client = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    drop(listener);
    server.send("still here").await.unwrap();
    assert_eq!(
        must(client.recv()).await.unwrap().unwrap().payload,
        "still here"
    );
}

#[tokio::test]
async fn listeners_share_a_port_with_reuse_port() {
    let builder = SocketBuilder::new().with_reuse_port(true);
    let first = builder
        .clone()
        .with_local_addrs(["127.0.0.1:0".parse().unwrap()])
        .listen()
        .unwrap();
    let addr = first.local_addrs().unwrap()[0];
    let second = builder.with_local_addrs([addr]).listen().unwrap();
    let mut accepted = [0, 0];
    let mut listeners = [first, second];
    let mut kept = Vec::new();
    for _ in 0..32 {
        kept.push(must(Association::connect(addr)).await.unwrap());
    }
    for (listener, accepted) in listeners.iter_mut().zip(&mut accepted) {
        while let Ok(association) = listener.try_accept() {
            kept.push(association);
            *accepted += 1;
        }
    }
    assert_eq!(accepted[0] + accepted[1], 32);
    assert!(accepted[0] > 0 && accepted[1] > 0, "{accepted:?}");
}

#[tokio::test]
async fn infinite_connect_timeout_is_accepted() {
    let (mut listener, addr) = listener().await;
    let connect = SocketBuilder::new().with_connect_timeout(Duration::MAX);
    let mut client = must(connect.connect(&[addr])).await.unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    let reason = AbortReason::from_static("never");
    let (end, _) = tokio::join!(
        must(client.shutdown_within(Duration::MAX, &reason)),
        until_end(&mut server)
    );
    assert_eq!(end.unwrap(), End::Shutdown { by: Side::Local });
}

#[test]
fn runtime_without_timers_is_refused_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let bind = || runtime.block_on(SctpListener::bind("127.0.0.1:0"));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(bind)).unwrap_err();
    let text = panicked.downcast_ref::<String>().unwrap();
    assert!(text.contains("timers are disabled"), "{text}");
}

#[tokio::test]
async fn builder_timers_reach_associations() {
    let rto = RtoInfo::new()
        .with_initial(Duration::from_millis(300))
        .with_min(Duration::from_millis(200))
        .with_max(Duration::from_millis(400));
    let builder = SocketBuilder::new()
        .with_rto_info(rto)
        .with_assoc_info(AssocInfo::new().with_max_retransmissions(3))
        .with_peer_addr_params(
            PeerAddrParams::new()
                .with_heartbeat(Heartbeat::Enabled(Some(Duration::from_secs(7))))
                .with_max_retransmissions(2),
        );
    let (client, server) = pair_with(builder.clone(), builder).await;
    for association in [client, server] {
        let (socket, id) = (association.socket().unwrap(), association.id());
        assert_eq!(socket.rto_info(id).unwrap(), rto);
        assert_eq!(socket.assoc_info(id).unwrap().max_retransmissions, 3);
        let params = socket.peer_addr_params(id, None).unwrap();
        let every = Some(Duration::from_secs(7));
        assert_eq!(params.heartbeat, Heartbeat::Enabled(every));
        assert_eq!(params.max_retransmissions, 2);
    }
}

#[test]
fn builder_getters_return_what_was_set() {
    let new = SocketBuilder::new();
    assert_eq!(new.local_addrs(), []);
    assert_eq!(new.init().outbound_streams, SocketBuilder::OUTBOUND_STREAMS);
    assert!(new.nodelay() && new.reuse_address());
    assert!(!new.reuse_port() && !new.interleaving());
    assert_eq!(new.send_buffer_size().or(new.recv_buffer_size()), None);
    assert_eq!(new.max_message_size(), 1024 * 1024);
    assert_eq!(new.connect_timeout(), None);
    assert_eq!(new.rto_info(), RtoInfo::new());
    assert_eq!(new.assoc_info(), AssocInfo::new());
    assert_eq!(new.peer_addr_params(), PeerAddrParams::new());

    let addr: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let init = InitMsg::new().with_outbound_streams(7);
    let set = new
        .with_local_addrs([addr])
        .with_init(init)
        .with_nodelay(false)
        .with_reuse_address(false)
        .with_reuse_port(true)
        .with_interleaving(true)
        .with_send_buffer_size(1)
        .with_recv_buffer_size(2)
        .with_max_message_size(3)
        .with_events(EventSet::SHUTDOWN)
        .with_connect_timeout(Duration::from_secs(4))
        .with_rto_info(RtoInfo::new().with_min(Duration::from_secs(5)))
        .with_assoc_info(AssocInfo::new().with_max_retransmissions(6))
        .with_peer_addr_params(PeerAddrParams::new().with_dscp(46));
    assert_eq!(set.local_addrs(), [addr]);
    assert_eq!(
        set.init(),
        init.with_max_inbound_streams(SocketBuilder::MAX_INBOUND_STREAMS)
    );
    assert!(!set.nodelay() && !set.reuse_address());
    assert!(set.reuse_port() && set.interleaving());
    assert_eq!(set.send_buffer_size(), Some(1));
    assert_eq!(set.recv_buffer_size(), Some(2));
    assert_eq!(set.max_message_size(), 3);
    assert_eq!(set.events(), EventSet::SHUTDOWN);
    assert_eq!(set.connect_timeout(), Some(Duration::from_secs(4)));
    assert_eq!(set.rto_info().min, Duration::from_secs(5));
    assert_eq!(set.assoc_info().max_retransmissions, 6);
    assert_eq!(set.peer_addr_params().dscp, Some(46));
}
