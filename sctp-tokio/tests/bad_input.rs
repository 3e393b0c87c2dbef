//! Invalid requests are errors with a type or a text, and lose nothing.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{io, net::SocketAddr};

use sctp_tokio::{
    AbortReason, AssocId, Association, ConnectError, End, Message, SendError, Side, Socket,
    SocketBuilder,
    sctp_core::{
        Family,
        errno::{EALREADY, EINVAL, EISCONN, EOPNOTSUPP},
    },
};
use support::{
    LOOPBACK, endpoint, endpoint_end, endpoint_message, listener, must, next, pair, until_end,
};

#[tokio::test]
async fn unknown_association_is_an_error_everywhere() {
    let (mut endpoint, addr) = endpoint().await;
    let mut client = Association::connect(addr).await.unwrap();
    client.send("hello").await.unwrap();
    let (known, _) = endpoint_message(&mut endpoint).await;
    // Among them the kernel's special numbers, which must not reach every association.
    let unknown = [
        AssocId::FUTURE,
        AssocId::CURRENT,
        AssocId::ALL,
        AssocId::new(-1),
        AssocId::new(known.get() + 1000),
    ];
    for id in unknown {
        let error = endpoint.send(id, "x").await.unwrap_err();
        assert!(matches!(error, SendError::NoAssociation), "{id:?}: {error}");
        let mut queue = ["a".into(), "b".into()].into();
        assert!(endpoint.sender().try_send_queue(id, &mut queue).is_err());
        assert_eq!(queue, [Message::from("b")]);
        endpoint.start_shutdown(id).unwrap();
        endpoint.abort(id, &AbortReason::from_static("x")).unwrap();
        let error = endpoint.peel_off(id).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EINVAL), "{id:?}");
    }
    let socket = endpoint.socket();
    assert_eq!(
        socket.status(unknown[4]).unwrap_err().raw_os_error(),
        Some(EINVAL)
    );
    assert!(socket.peer_addrs(unknown[4]).is_err());
    assert_eq!(socket.assoc_ids().unwrap(), [known]);
    endpoint.send(known, "still here").await.unwrap();
    assert_eq!(next(&mut client).await.payload, "still here");
}

#[tokio::test]
async fn association_shutting_down_accepts_no_messages() {
    let (mut endpoint, addr) = endpoint().await;
    let client = SocketBuilder::new().with_recv_buffer_size(4000);
    let mut client = client.connect(&[addr]).await.unwrap();
    client.send("hello").await.unwrap();
    let (id, _) = endpoint_message(&mut endpoint).await;
    // The client does not read, so the shutdown stays pending.
    for _ in 0..20 {
        endpoint.send(id, vec![1; 1000]).await.unwrap();
    }
    endpoint.start_shutdown(id).unwrap();
    endpoint.start_shutdown(id).unwrap();
    let error = endpoint.send(id, "late").await.unwrap_err();
    assert!(matches!(error, SendError::ShuttingDown), "{error}");
    let (messages, end) = until_end(&mut client).await;
    assert_eq!(
        (messages.len(), end),
        (20, End::Shutdown { by: Side::Peer })
    );
    let by_us = End::Shutdown { by: Side::Local };
    assert_eq!(endpoint_end(&mut endpoint).await, (id, by_us));
    let error = endpoint.send(id, "too late").await.unwrap_err();
    assert!(matches!(error, SendError::NoAssociation), "{error}");
}

#[tokio::test]
async fn duplicate_address_is_named() {
    let addr: SocketAddr = LOOPBACK.parse().unwrap();
    let error = SocketBuilder::new()
        .with_local_addrs([addr, addr])
        .listen()
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot bind 127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test]
async fn many_addresses_are_bound_and_listed() {
    let addrs = (1..=200u8).map(|at| SocketAddr::from(([127, 0, 7, at], 0)));
    let mut listener = SocketBuilder::new()
        .with_local_addrs(addrs)
        .listen()
        .unwrap();
    let bound = listener.local_addrs().unwrap();
    assert_eq!(bound.len(), 200);
    let client = must(SocketBuilder::new().connect(&bound[..3]))
        .await
        .unwrap();
    let server = must(listener.accept()).await.unwrap();
    assert_eq!(client.control().peer_addrs().unwrap().len(), 200);
    assert_eq!(server.control().local_addrs().unwrap().len(), 200);
}

#[tokio::test]
async fn too_many_addresses_for_an_init_are_refused() {
    // Each takes eight bytes of a chunk of 64 KiB.
    let peers: Vec<SocketAddr> = (0..9000u16)
        .map(|at| {
            let [high, low] = at.to_be_bytes();
            SocketAddr::from(([127, 1, high, low], 9))
        })
        .collect();
    let error = must(SocketBuilder::new().connect(&peers))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::Refused { .. } | ConnectError::Io(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn address_of_wrong_family_is_refused() {
    let six: SocketAddr = "[::1]:9".parse().unwrap();
    for socket in [
        Socket::one_to_many(Family::V4).unwrap(),
        Socket::one_to_one(Family::V4).unwrap(),
    ] {
        assert!(socket.bind(six).is_err());
        assert_eq!(
            socket.connectx(&[six]).unwrap_err().raw_os_error(),
            Some(EINVAL)
        );
        assert_eq!(
            socket.connectx(&[]).unwrap_err().raw_os_error(),
            Some(EINVAL)
        );
        socket.bind(LOOPBACK.parse().unwrap()).unwrap();
        assert_eq!(
            socket.bindx_add(&[six]).unwrap_err().raw_os_error(),
            Some(EINVAL)
        );
    }
}

/// The kernel would try for minutes.
#[tokio::test]
async fn peer_of_other_family_is_refused_at_once() {
    for (local, peer) in [("127.0.0.1:0", "[::1]:9"), ("[::1]:0", "127.0.0.1:9")] {
        let (local, peer): (SocketAddr, SocketAddr) =
            (local.parse().unwrap(), peer.parse().unwrap());
        for error in [
            must(
                SocketBuilder::new()
                    .with_local_addrs([local])
                    .connect(&[peer]),
            )
            .await,
            must(
                SocketBuilder::new()
                    .with_local_addrs([local])
                    .connect_one_to_one(&[peer]),
            )
            .await,
        ]
        .map(Result::unwrap_err)
        {
            let ConnectError::Io(error) = error else {
                panic!("{error:?}")
            };
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(
                text.contains(&local.to_string()) && text.contains(&peer.to_string()),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn impossible_peer_address_is_named() {
    let (endpoint, _) = endpoint().await;
    for (peer, named) in [
        (&["0.0.0.0:9"][..], "0.0.0.0:9"),
        (&["[::]:9"], "[::]:9"),
        (&["127.0.0.1:0"], "127.0.0.1:0"),
        (&["127.0.0.1:9", "127.0.0.2:10"], "127.0.0.2:10"),
        (&[], "no address"),
    ] {
        let peer: Vec<SocketAddr> = peer.iter().map(|addr| addr.parse().unwrap()).collect();
        let connecting = must(SocketBuilder::new().connect(&peer)).await.unwrap_err();
        let from_endpoint = endpoint.connect(&peer).unwrap_err();
        for error in [connecting.into(), from_endpoint] {
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        // Nothing else is refused here than the kernel refuses, but for port 0, which it tries.
        let socket = Socket::one_to_many(Family::V6).unwrap();
        let kernels = socket.connectx(&peer).map_err(|error| error.raw_os_error());
        match kernels {
            Ok(_) => assert!(peer.iter().all(|addr| addr.port() == 0), "{peer:?}"),
            Err(error) => assert_eq!(error, Some(EINVAL), "{peer:?}"),
        }
    }
}

#[tokio::test]
async fn ipv4_peer_is_reached_from_each_possible_socket() {
    for local in ["127.0.0.1:0", "[::ffff:127.0.0.1]:0", "0.0.0.0:0", "[::]:0"] {
        let (_listener, addr) = listener().await;
        let builder = SocketBuilder::new().with_local_addrs([local.parse::<SocketAddr>().unwrap()]);
        if let Err(error) = must(builder.connect(&[addr])).await {
            panic!("{local}: {error}");
        }
    }
}

#[tokio::test]
async fn option_on_wrong_socket_style_is_refused() {
    let one_to_one = Socket::one_to_one(Family::V4).unwrap();
    let one_to_many = Socket::one_to_many(Family::V4).unwrap();
    let (_client, server) = pair().await;
    let peeled_off = server.socket().unwrap();
    let second = std::time::Duration::from_secs(1);
    let errors = [
        (one_to_one.set_autoclose(second), EOPNOTSUPP),
        (one_to_many.set_sctp_reuse_port(true), EOPNOTSUPP),
        (peeled_off.set_sctp_reuse_port(true), EOPNOTSUPP),
        (one_to_one.send_eof(AssocId::FUTURE), EINVAL),
        (
            one_to_one.send_abort(AssocId::FUTURE, &AbortReason::default()),
            EINVAL,
        ),
        (one_to_one.peel_off(AssocId::new(3)).map(drop), EINVAL),
        (peeled_off.peel_off(server.id()).map(drop), EINVAL),
        (peeled_off.listen(1), EINVAL),
        (one_to_many.accept().map(drop), EOPNOTSUPP),
        (peeled_off.accept().map(drop), EOPNOTSUPP),
    ];
    for (at, (result, code)) in errors.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(code), "{at}");
    }
}

/// The kernel's number, which is behind the text.
fn number(error: &io::Error) -> Option<i32> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<io::Error>()?.raw_os_error()
}

#[tokio::test]
async fn second_association_with_a_peer_is_refused() {
    let (mut server, addr) = endpoint().await;
    let (mut client, _) = endpoint().await;
    let id = client.connect(&[addr]).unwrap();
    let error = client.connect(&[addr]).unwrap_err();
    let known = [Some(EISCONN), Some(EALREADY)];
    assert!(known.contains(&number(&error)), "{error}");
    loop {
        let event = must(client.next_event()).await.unwrap();
        if event.assoc == id {
            break;
        }
    }
    assert_eq!(number(&client.connect(&[addr]).unwrap_err()), Some(EISCONN));
    let own = client.peel_off(id).unwrap();
    let error = client.connect(&[addr]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    own.send("hello").await.unwrap();
    assert_eq!(endpoint_message(&mut server).await.1.payload, "hello");
}

#[tokio::test]
async fn invalid_message_is_refused_by_every_method() {
    let (mut listener, addr) = listener().await;
    let client = Association::connect(addr).await.unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    let streams = client.outbound_streams();
    let sender = client.sender();
    for bad in [Message::default(), Message::new("x").on_stream(streams)] {
        let errors = [
            client.send(bad.clone()).await.unwrap_err(),
            client.try_send(&bad).unwrap_err(),
            sender
                .send_queue(&mut [bad.clone()].into())
                .await
                .unwrap_err(),
        ];
        for error in errors {
            let kind = io::Error::from(error).kind();
            assert_eq!(kind, io::ErrorKind::InvalidInput);
        }
    }
    client.send("good").await.unwrap();
    assert_eq!(next(&mut server).await.payload, "good");
}
