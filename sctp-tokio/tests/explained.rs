//! Errors that are a bare number in the kernel have a text here, with the addresses.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{error::Error, io, net::SocketAddr};

use sctp_tokio::{
    Association, ConnectError, Endpoint, Event, Message, Notification, SctpListener, SendError,
    SocketBuilder,
    sctp_core::{
        Family,
        errno::{EADDRNOTAVAIL, EINVAL},
    },
};
use socket2::SockRef;
use support::{endpoint, listener, listener_with, must, pair, pair_with};

const STRANGER: &str = "192.0.2.1:9";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The kernel's number, which is behind the text.
fn number(error: &io::Error) -> Option<i32> {
    let source = error.source()?.downcast_ref::<io::Error>()?;
    source.raw_os_error()
}

fn only_ipv6() -> SocketBuilder {
    SocketBuilder::new()
        .with_local_addrs([addr("[::]:0")])
        .configure(|socket| SockRef::from(socket).set_only_v6(true))
}

#[tokio::test]
async fn endpoint_refuses_peer_of_other_family() {
    let (four, six) = (addr("127.0.0.1:9"), addr("[::1]:9"));
    let bound = |local| SocketBuilder::new().with_local_addrs([addr(local)]);
    for (builder, peer) in [
        (bound("127.0.0.1:0"), six),
        (bound("0.0.0.0:0"), six),
        (bound("[::1]:0"), four),
        (only_ipv6(), four),
    ] {
        let endpoint = builder.endpoint().unwrap();
        let error = endpoint.connect(&[peer]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        let local = endpoint.local_addrs().unwrap()[0];
        let text = error.to_string();
        let start = format!("cannot connect to {peer}: local addresses ");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains(&local.to_string()), "{text}");
        assert!(text.ends_with("are of the other family"), "{text}");
    }
}

#[tokio::test]
async fn ipv6_only_socket_does_not_try_ipv4() {
    let error = must(only_ipv6().connect(&[addr("127.0.0.1:9")])).await;
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("are of the other family"), "{error}");
}

#[tokio::test]
async fn wildcard_endpoint_reaches_both_families() {
    let mut endpoint = Endpoint::bind("[::]:0").await.unwrap();
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let mut listener = SctpListener::bind(local).await.unwrap();
        let peer = listener.local_addrs().unwrap()[0];
        let assoc = endpoint.connect(&[peer]).unwrap();
        let event = must(endpoint.next_event()).await.unwrap();
        assert_eq!(event.assoc, assoc);
        let Event::Notification(Notification::AssocChange(change)) = event.event else {
            panic!("{event:?}");
        };
        assert_eq!(change.state, sctp_tokio::AssocChangeState::CommUp, "{peer}");
        must(listener.accept()).await.unwrap();
        // What came of that association's end.
        while !matches!(
            must(endpoint.next_event()).await.unwrap().event,
            Event::Closed(_)
        ) {}
    }
}

#[tokio::test]
async fn foreign_peer_address_is_named() {
    let (client, _server) = pair().await;
    let control = client.control();
    let (peer, own) = (
        control.peer_addrs().unwrap()[0],
        control.local_addrs().unwrap()[0],
    );
    let stranger = addr(STRANGER);
    let of_peer = format!("{STRANGER} is not an address of the peer: {peer}");
    for error in [
        control.set_primary_addr(stranger).unwrap_err(),
        control.request_heartbeat(Some(stranger)).unwrap_err(),
        control.path_info(stranger).map(drop).unwrap_err(),
        client
            .sender()
            .control()
            .set_primary_addr(stranger)
            .unwrap_err(),
    ] {
        assert_eq!(error.to_string(), of_peer);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(number(&error), Some(EINVAL));
    }
    let error = control
        .bindx_add(&[SocketAddr::new([127, 0, 0, 9].into(), 9)])
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot bind 127.0.0.9:9: port differs from "),
        "{text}"
    );
    assert!(
        text.contains(&format!("differs from {}", own.port())),
        "{text}"
    );
    let strange = SocketAddr::new(stranger.ip(), own.port());
    let text = control.bindx_add(&[strange]).unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("cannot bind {strange}: ")),
        "{text}"
    );
    let text = control.bindx_remove(&[strange]).unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("cannot unbind {strange}: ")),
        "{text}"
    );
}

#[tokio::test]
async fn foreign_local_address_is_named() {
    let builder = || {
        SocketBuilder::new()
            .with_local_addrs([addr("127.0.0.1:0")])
            .configure(|socket| {
                socket.set_auth_supported(true)?;
                socket.set_asconf_supported(true)?;
                socket.add_auth_chunk(0)
            })
    };
    let (client, _server) = pair_with(builder(), builder()).await;
    let own = client.control().local_addrs().unwrap()[0];
    client.control().set_peer_primary_addr(own).unwrap();
    let error = client
        .control()
        .set_peer_primary_addr(addr(STRANGER))
        .unwrap_err();
    let text = format!("{STRANGER} is not an address of this end: {own}");
    assert_eq!(
        (error.to_string(), error.kind()),
        (text, io::ErrorKind::AddrNotAvailable)
    );
    assert_eq!(number(&error), Some(EADDRNOTAVAIL));
}

#[tokio::test]
async fn second_association_from_one_port_is_named() {
    let (mut listener, peer) = listener().await;
    let port = SocketBuilder::new()
        .with_local_addrs([addr("127.0.0.1:0")])
        .with_reuse_port(true);
    let first = must(port.connect(&[peer])).await.unwrap();
    let _server = must(listener.accept()).await.unwrap();
    let own = first.control().local_addrs().unwrap()[0];
    let again = port.with_local_addrs([own]);
    let said = |error: &io::Error| {
        assert_eq!(
            error.to_string(),
            format!("cannot connect from {own} to {peer}: association exists")
        );
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert_eq!(number(error), Some(EADDRNOTAVAIL));
    };
    match must(again.connect(&[peer])).await {
        Err(ConnectError::Io(error)) => said(&error),
        other => panic!("{other:?}"),
    }
    said(&again.endpoint().unwrap().connect(&[peer]).unwrap_err());
}

#[tokio::test]
async fn endpoint_names_an_existing_peer() {
    let (_server, peer) = endpoint().await;
    let (client, own) = endpoint().await;
    client.connect(&[peer]).unwrap();
    let error = client.connect(&[peer]).unwrap_err();
    let text = format!("cannot connect from {own} to {peer}: association exists");
    assert_eq!(error.to_string(), text);
    assert!(number(&error).is_some());
}

#[tokio::test]
async fn refusing_or_silent_peer_is_named() {
    let (listener, nobody) = listener().await;
    drop(listener);
    let error = must(Association::connect(nobody)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("association refused by {nobody}")
    );
    assert!(matches!(error, ConnectError::Refused { peer } if peer == [nobody]));
    // A raw socket's port, where nothing answers, is not needed: the limit is over before it begins.
    let hasty = SocketBuilder::new().with_connect_timeout(std::time::Duration::ZERO);
    let error = hasty.connect(&[nobody]).await.unwrap_err();
    let silent = format!("no answer in time from {nobody}");
    let refused = format!("association refused by {nobody}");
    assert!([silent, refused].contains(&error.to_string()), "{error}");
}

#[tokio::test]
async fn unresolvable_name_is_named() {
    const NAME: &str = "no-such-host.invalid:9000";
    let start = format!("cannot resolve {NAME:?}: ");
    for error in [
        SctpListener::bind(NAME).await.map(drop).unwrap_err(),
        Endpoint::bind(NAME).await.map(drop).unwrap_err(),
        Association::connect(NAME)
            .await
            .map(drop)
            .unwrap_err()
            .into(),
    ] {
        let text = error.to_string();
        assert!(
            text.starts_with(&start) && text.len() > start.len(),
            "{text}"
        );
    }
    let error = Association::connect("localhost")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot resolve \"localhost\": "),
        "{error}"
    );
    let none: &[SocketAddr] = &[];
    let error = SctpListener::bind(none).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "[] resolved to no address");
}

#[tokio::test]
async fn oversized_message_names_the_limit() {
    let (client, _server) = pair().await;
    let limit = client.control().send_buffer_size().unwrap();
    let error = client.send(vec![0; limit + 1]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "message of {} bytes exceeds the send buffer of {limit} bytes",
            limit + 1
        )
    );
    client.send(vec![0; limit]).await.unwrap();
}

#[tokio::test]
async fn send_buffer_is_at_most_twice_wmem_max() {
    let allowed = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap();
    let allowed: usize = allowed.trim().parse().unwrap();
    let (listener, _) = listener_with(SocketBuilder::new().with_send_buffer_size(1 << 30)).await;
    assert_eq!(listener.send_buffer_size().unwrap(), 2 * allowed);
}

#[tokio::test]
async fn unfragmentable_message_is_explained() {
    let whole = SocketBuilder::new().configure(|socket| socket.set_disable_fragments(true));
    let (client, _server) = pair_with(whole, SocketBuilder::new()).await;
    let error = client.send(vec![0; 70_000]).await.unwrap_err();
    assert!(matches!(error, SendError::Io(_)), "{error}");
    let text = "message of 70000 bytes exceeds a packet and fragmentation is disabled";
    assert_eq!(error.to_string(), text);
}

/// With either a requested or the default size, an association has the send buffer of its listener.
#[tokio::test]
async fn association_inherits_send_buffer_of_listener() {
    for builder in [
        SocketBuilder::new(),
        SocketBuilder::new().with_send_buffer_size(30_000),
    ] {
        let bind = builder.clone().with_local_addrs([addr("127.0.0.1:0")]);
        let (mut listener, peer) = listener_with(builder.clone()).await;
        let client = must(builder.connect(&[peer])).await.unwrap();
        let server = must(listener.accept()).await.unwrap();
        let size = listener.send_buffer_size().unwrap();
        assert_eq!(client.control().send_buffer_size().unwrap(), size);
        assert_eq!(server.control().send_buffer_size().unwrap(), size);
        assert_eq!(server.sender().control().send_buffer_size().unwrap(), size);

        let mut listener = bind.listen_one_to_one().unwrap();
        let peer = listener.local_addrs().unwrap()[0];
        let client = must(builder.connect_one_to_one(&[peer])).await.unwrap();
        let server = must(listener.accept()).await.unwrap();
        assert_eq!(listener.send_buffer_size().unwrap(), size);
        assert_eq!(client.control().send_buffer_size().unwrap(), size);
        assert_eq!(server.control().send_buffer_size().unwrap(), size);

        let mut endpoint = bind.endpoint().unwrap();
        let peer = endpoint.local_addrs().unwrap()[0];
        let client = must(builder.connect(&[peer])).await.unwrap();
        client.send(Message::new("x")).await.unwrap();
        let assoc = must(endpoint.next_event()).await.unwrap().assoc;
        let own = endpoint.peel_off(assoc).unwrap();
        assert_eq!(endpoint.send_buffer_size().unwrap(), size);
        assert_eq!(endpoint.sender().send_buffer_size().unwrap(), size);
        assert_eq!(own.control().send_buffer_size().unwrap(), size);
    }
}

#[test]
fn panic_outside_a_runtime_names_the_caller() {
    use std::{
        panic::{self, AssertUnwindSafe, catch_unwind},
        sync::{Arc, Mutex},
    };

    let place = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&place);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // Other tests' threads must not be taken for this one's.
        if std::thread::current().name() == Some("panic_outside_a_runtime_names_the_caller")
            && let Some(at) = panic.location()
        {
            *noted.lock().unwrap() = at.file().to_owned();
        } else {
            before(panic);
        }
    }));
    let local = || SocketBuilder::new().with_local_addrs([addr("127.0.0.1:0")]);
    let fd = |socket: sctp_tokio::Socket| {
        socket.bind(addr("127.0.0.1:0")).unwrap();
        std::os::fd::OwnedFd::from(socket)
    };
    let calls: [&dyn Fn(); 6] = [
        &|| drop(local().listen()),
        &|| drop(local().listen_one_to_one()),
        &|| drop(local().endpoint()),
        &|| drop(local().listen_from(fd(sctp_tokio::Socket::one_to_many(Family::V4).unwrap()))),
        &|| drop(local().endpoint_from(fd(sctp_tokio::Socket::one_to_many(Family::V4).unwrap()))),
        &|| {
            let fd = fd(sctp_tokio::Socket::one_to_one(Family::V4).unwrap());
            drop(local().listen_one_to_one_from(fd));
        },
    ];
    for (at, call) in calls.into_iter().enumerate() {
        catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let file = std::mem::take(&mut *place.lock().unwrap());
        assert!(file.ends_with("tests/explained.rs"), "{at}: {file}");
    }
}
