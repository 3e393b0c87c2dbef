//! Associations of a socket, and their statistics.

use std::{
    io::{ErrorKind, IoSlice},
    time::Duration,
};

use sctp_core::{AssocId, EventSet, Family, SendInfo, Socket, options::RtoInfo};

use crate::{
    check::{UNKNOWN, assert_fails, assert_invalid, on_each_end, on_each_fresh_socket},
    support::{STYLES, Style, listen, pair, recv, wait_until_established},
};

#[test]
fn assoc_ids_of_one_association() {
    on_each_end(|end, style| match style {
        Style::OneToOne => {
            assert_fails(ErrorKind::Unsupported, end.socket.assoc_count());
            assert_fails(ErrorKind::Unsupported, end.socket.assoc_ids());
        }
        Style::OneToMany | Style::PeeledOff => {
            assert_eq!(end.socket.assoc_count().unwrap(), 1);
            assert_eq!(end.socket.assoc_ids().unwrap(), [end.assoc]);
        }
    });
}

#[test]
fn assoc_ids_of_many_associations() {
    let listener = Socket::one_to_many(Family::V6).unwrap();
    let addr = listen(&listener, Family::V6);
    listener
        .subscribe(AssocId::FUTURE, EventSet::ASSOC_CHANGE)
        .unwrap();
    assert_eq!(listener.assoc_ids().unwrap(), []);
    let clients: Vec<_> = (0..20)
        .map(|_| Socket::one_to_many(Family::V6).unwrap())
        .collect();
    let mut ids = Vec::new();
    for client in &clients {
        client.connectx(&[addr]).unwrap();
        ids.push(wait_until_established(&listener));
    }
    let mut listed = listener.assoc_ids().unwrap();
    listed.sort();
    ids.sort();
    assert_eq!(listed, ids);
    assert_eq!(listener.assoc_count().unwrap(), 20);
}

#[test]
fn assoc_stats() {
    for style in STYLES {
        let pair = pair(style, Family::V4);
        let (client, server) = (pair.client, pair.server);
        for unordered in [true, false, false] {
            let info = SendInfo::default().with_unordered(unordered);
            client
                .socket
                .send_msg(client.assoc, &info, &[IoSlice::new(b"x")])
                .unwrap();
            recv(&server.socket);
        }
        let sent = client.socket.assoc_stats(client.assoc).unwrap();
        assert_eq!(sent.assoc, client.assoc);
        let chunks = (sent.unordered_chunks_sent, sent.ordered_chunks_sent);
        assert_eq!(chunks, (1, 2), "{sent:?}");
        let got = server.socket.assoc_stats(server.assoc).unwrap();
        let chunks = (got.unordered_chunks_received, got.ordered_chunks_received);
        assert_eq!(chunks, (1, 2), "{got:?}");
        if style == Style::OneToMany {
            assert_invalid(client.socket.assoc_stats(UNKNOWN));
            assert_invalid(client.socket.assoc_stats(AssocId::FUTURE));
        }
    }
    on_each_fresh_socket(|socket, _| assert_invalid(socket.assoc_stats(AssocId::FUTURE)));
}

#[test]
fn max_rto_resets_to_minimum() {
    on_each_end(|end, _| {
        let min = RtoInfo::new().with_min(Duration::from_secs(2));
        end.socket.set_rto_info(end.assoc, &min).unwrap();
        end.socket.assoc_stats(end.assoc).unwrap();
        let max = end.socket.assoc_stats(end.assoc).unwrap().max_rto;
        // A tick of 1/300 s is rounded to whole nanoseconds.
        let rounded = max + Duration::from_micros(1);
        assert_eq!(rounded.as_millis(), 2000, "{max:?}");
    });
}
