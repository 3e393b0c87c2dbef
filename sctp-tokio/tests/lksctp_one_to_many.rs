//! Checks of the functional tests of lksctp-tools for one-to-many sockets, in our words and
//! through our types. `docs/lksctp.md` says which check is tested where.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    time::Duration,
};

use sctp_tokio::{
    AbortReason, AssocId, Notification, Ppid, Reliability, SendInfo, Socket, StreamId,
    sctp_core::{
        AssocChangeState, Family,
        errno::{EALREADY, EINVAL, EISCONN, EMSGSIZE, EPIPE},
    },
};
use support::sync::*;

#[track_caller]
fn fails<T: std::fmt::Debug>(result: io::Result<T>, codes: &[i32]) {
    let code = result.unwrap_err().raw_os_error().unwrap();
    assert!(codes.contains(&code), "{code}");
}

/// Two sockets with an association between them: its id at either, and the server's address.
fn pair() -> (Socket, AssocId, Socket, AssocId, SocketAddr) {
    let (client, server) = (one_to_many(), one_to_many());
    let addr = listen(&server, 1);
    let id = client.connectx(&[addr]).unwrap().assoc;
    assert_eq!(came_up(&client), id, "the notification names the same");
    let server_id = came_up(&server);
    (client, id, server, server_id, addr)
}

#[test]
fn life_of_an_association() {
    let (client, server) = (one_to_many(), one_to_many());
    let error = try_recv(&server).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let addr = listen(&server, 1);
    let payload = [IoSlice::new(b"opens it")];
    let info = SendInfo::on_stream(1).with_ppid(7u32);
    client.send_msg_to(addr, &info, &payload).unwrap();
    let (id, server_id) = (came_up(&client), came_up(&server));
    let (bytes, meta) = recv(&server);
    let received = meta.info.unwrap();
    assert_eq!(bytes, b"opens it");
    assert_eq!(
        (received.stream, received.ppid),
        (StreamId::new(1), Ppid::new(7))
    );
    assert_eq!(received.assoc, server_id);
    fails(send(&client, AssocId::FUTURE, b"to nobody"), &[EPIPE]);
    fails(send(&client, AssocId::new(id.get() + 50), b"x"), &[EPIPE]);
    assert_eq!(client.peer_addrs(id).unwrap(), [addr]);
    assert!(!client.local_addrs(id).unwrap().is_empty());
    client.send_eof(id).unwrap();
    assert_eq!(change(&client), (AssocChangeState::ShutdownComplete, id));
    assert_eq!(
        change(&server),
        (AssocChangeState::ShutdownComplete, server_id)
    );
    assert_eq!(server.assoc_count().unwrap(), 0);
    fails(client.send_eof(id), &[EPIPE]);
}

#[test]
fn bound_to_every_address() {
    let (client, server) = (one_to_many(), one_to_many());
    for socket in [&client, &server] {
        socket.bind(Family::V4.unspecified()).unwrap();
        socket.listen(1).unwrap();
    }
    let port = server.local_addrs(AssocId::FUTURE).unwrap()[0].port();
    let id = client
        .connectx(&[SocketAddr::from(([127, 0, 0, 1], port))])
        .unwrap()
        .assoc;
    came_up(&client);
    send(&client, id, b"hello").unwrap();
    assert_eq!(recv(&server).0, b"hello");
}

#[test]
fn closing_each_of_many() {
    const COUNT: usize = 10;
    for abort in [false, true] {
        let server = one_to_many();
        let addr = listen(&server, 1);
        let clients: Vec<Socket> = (0..COUNT).map(|_| one_to_many()).collect();
        let mut ids = Vec::new();
        for client in &clients {
            client.connectx(&[addr]).unwrap();
            came_up(client);
            ids.push(came_up(&server));
        }
        for &id in &ids {
            match abort {
                true => server.send_abort(id, &AbortReason::from_static("x")),
                false => server.send_eof(id),
            }
            .unwrap();
        }
        let wanted = match abort {
            true => AssocChangeState::CommLost,
            false => AssocChangeState::ShutdownComplete,
        };
        for client in &clients {
            assert_eq!(change(client).0, wanted);
        }
        for _ in 0..COUNT {
            let (state, id) = change(&server);
            assert_eq!(state, wanted);
            ids.retain(|&other| other != id);
        }
        assert!(ids.is_empty());
    }
}

#[test]
fn idle_association_closes() {
    let (client, server) = (one_to_many(), one_to_many());
    client.set_autoclose(Duration::from_secs(1)).unwrap();
    let addr = listen(&server, 1);
    client.connectx(&[addr]).unwrap();
    came_up(&client);
    assert_eq!(change(&client).0, AssocChangeState::ShutdownComplete);
}

#[test]
fn connecting_and_peeling_off() {
    let (client, id, server, server_id, addr) = pair();
    fails(client.connectx(&[addr]), &[EISCONN]);
    let second = one_to_many();
    second.connectx(&[addr]).unwrap();
    fails(second.connectx(&[addr]), &[EISCONN, EALREADY]);
    let other_id = (came_up(&second), came_up(&server)).1;
    send(&client, id, b"before").unwrap();
    let (own, other) = (
        server.peel_off(server_id).unwrap(),
        server.peel_off(other_id).unwrap(),
    );
    assert!(own.is_seqpacket().unwrap());
    fails(own.listen(1), &[EINVAL]);
    fails(own.peel_off(server_id), &[EINVAL]);
    fails(own.connectx(&[addr]), &[EISCONN]);
    fails(server.peel_off(server_id), &[EINVAL]);
    let client_addr = own.peer_addrs(server_id).unwrap()[0];
    assert_eq!(
        server.connectx(&[client_addr]).unwrap_err().kind(),
        io::ErrorKind::AddrNotAvailable
    );
    assert_eq!(recv(&own).0, b"before");
    send(&own, server_id, b"from its own").unwrap();
    send(&other, other_id, b"from the other").unwrap();
    assert_eq!(recv(&client).0, b"from its own");
    assert_eq!(recv(&second).0, b"from the other");
    // A peeled-off socket opens no association, whatever it is told to send to.
    let elsewhere = one_to_many();
    let elsewhere_addr = listen(&elsewhere, 1);
    let payload = [IoSlice::new(b"stays here")];
    own.send_msg_to(elsewhere_addr, &SendInfo::default(), &payload)
        .unwrap();
    assert_eq!(recv(&client).0, b"stays here");
    assert_eq!(elsewhere.assoc_count().unwrap(), 0);
}

#[test]
fn fragments() {
    let (client, id, server, ..) = pair();
    client.set_maxseg(id, Some(1000)).unwrap();
    let long: Vec<u8> = (0..30_000u32).map(|at| at.to_le_bytes()[0]).collect();
    send(&client, id, &long).unwrap();
    assert!(recv(&server).0 == long);
    client.set_disable_fragments(true).unwrap();
    assert!(client.disable_fragments().unwrap());
    fails(send(&client, id, &long), &[EMSGSIZE]);
    send(&client, id, &long[..500]).unwrap();
    assert!(recv(&server).0 == long[..500]);
}

#[test]
fn short_buffer_gets_parts_of_a_message() {
    let (client, id, server, ..) = pair();
    send(&client, id, b"0123456789").unwrap();
    let mut parts = Vec::new();
    while parts.last().is_none_or(|(_, ends)| !ends) {
        wait(&server, rustix::event::PollFlags::IN);
        let mut part = [0; 4];
        let mut room = &mut part[..];
        let meta = server.recv_msg(&mut room).unwrap();
        parts.push((part[..meta.len].to_vec(), meta.flags.is_end_of_record()));
    }
    let expected: [(&[u8], bool); 3] = [(b"0123", false), (b"4567", false), (b"89", true)];
    assert_eq!(parts, expected.map(|(part, ends)| (part.to_vec(), ends)));
}

#[test]
fn interleaving() {
    let server = one_to_many();
    server.set_fragment_interleave(true).unwrap();
    assert!(server.fragment_interleave().unwrap());
    server.set_recv_buffer_size(15_000).unwrap();
    let addr = listen(&server, 1);
    let clients = [one_to_many(), one_to_many()].map(|client| {
        let id = client.connectx(&[addr]).unwrap().assoc;
        came_up(&client);
        came_up(&server);
        (client, id)
    });
    for ((client, id), byte) in clients.iter().zip(0..) {
        send(client, *id, &[byte; 20_000]).unwrap();
    }
    // Parts of both may come in turn; each is of one message, and says of which.
    let mut lengths = std::collections::HashMap::new();
    while lengths.values().sum::<usize>() < 40_000 {
        let (bytes, meta) = recv(&server);
        assert!(bytes.iter().all(|byte| *byte == bytes[0]));
        *lengths
            .entry((bytes[0], meta.info.unwrap().assoc))
            .or_default() += bytes.len();
    }
    assert_eq!(lengths.len(), 2);
    assert!(lengths.values().all(|len| *len == 20_000));
}

#[test]
fn messages_with_a_lifetime() {
    let (client, server) = (one_to_many(), one_to_many());
    server.set_recv_buffer_size(4000).unwrap();
    let addr = listen(&server, 1);
    let id = client.connectx(&[addr]).unwrap().assoc;
    came_up(&client);
    // Fill the window, so that what follows has to wait; the first of it goes out as a probe.
    send(&client, id, &[0; 8000]).unwrap();
    send(&client, id, b"probe").unwrap();
    let short =
        SendInfo::default().with_reliability(Reliability::Lifetime(Duration::from_millis(1)));
    client
        .send_msg(id, &short, &[IoSlice::new(b"soon or never")])
        .unwrap();
    client
        .send_msg(id, &short, &[IoSlice::new(&[9; 5000])])
        .unwrap();
    send(&client, id, b"whenever").unwrap();
    let failed = |client: &Socket| {
        notification(client, |event| match event {
            Notification::SendFailed(event) => Some(event.payload),
            _ => None,
        })
    };
    // The kernel looks at lifetimes when it sends next, which reading at the peer lets it do.
    let (mut received, mut whenever) = (0, false);
    while !whenever {
        let (bytes, _) = recv(&server);
        received += bytes.len();
        whenever = bytes == b"whenever";
    }
    assert_eq!(received, 8000 + 5 + 8);
    let (mut short, mut long) = (0, 0);
    while short < 13 || long < 5000 {
        match failed(&client) {
            bytes if bytes == "soon or never" => short += bytes.len(),
            bytes => long += bytes.len(),
        }
    }
}

#[test]
fn control_data_of_a_message() {
    let (client, id, server, server_id, _) = pair();
    server.set_recv_nxtinfo(true).unwrap();
    for stream in [1, 2, 4] {
        let info = SendInfo::on_stream(stream)
            .with_ppid(u32::from(stream) + 100)
            .with_context(u32::from(stream))
            .with_reliability(Reliability::Retransmissions(3));
        let halves = [IoSlice::new(b"in "), IoSlice::new(b"pieces")];
        client.send_msg(id, &info, &halves).unwrap();
    }
    for (stream, next) in [(1, Some(2)), (2, Some(4)), (4, None)] {
        let (bytes, meta) = recv(&server);
        assert_eq!(bytes, b"in pieces");
        let info = meta.info.unwrap();
        assert_eq!(
            (info.stream.get(), info.ppid.get()),
            (stream, u32::from(stream) + 100)
        );
        assert_eq!(info.assoc, server_id);
        let after = meta.next.map(|next| (next.stream.get(), next.length));
        assert_eq!(after, next.map(|stream| (stream, 9)));
    }
}
