//! Partial reliability.

use std::{
    io::IoSlice,
    time::{Duration, Instant},
};

use sctp_core::{
    AssocId, Family, Reliability, SendInfo, Socket, StreamId,
    options::{DelayedSack, PrPolicy, PrStatus, RtoInfo},
};

use crate::{
    check::{UNKNOWN, assert_invalid, check_extension, on_each_fresh_socket},
    support::{BOUND, Pair, Received, STYLES, Style, pair_with, recv},
};

#[test]
fn pr_supported() {
    on_each_fresh_socket(|socket, _| assert!(socket.pr_supported(AssocId::FUTURE).unwrap()));
    check_extension(Socket::set_pr_supported, Socket::pr_supported);
}

#[test]
fn pr_status_counts_abandoned_messages() {
    for style in STYLES {
        let pair = pair_with(style, Family::V4, small_window);
        let end = &pair.client;
        let (all, stream) = (PrPolicy::All, StreamId::new(1));
        let status = |policy| end.socket.pr_assoc_status(end.assoc, policy).unwrap();
        assert_eq!(status(all), PrStatus::default());
        let lifetime = Reliability::Lifetime(Duration::from_millis(1));
        let victim = SendInfo::on_stream(stream).with_reliability(lifetime);
        send_until_abandoned(&pair, &victim);
        assert_eq!(status(all).abandoned_unsent, 1);
        assert_eq!(status(PrPolicy::Lifetime), status(all));
        assert_eq!(status(PrPolicy::Priority), PrStatus::default());
        let of_stream = |stream| end.socket.pr_stream_status(end.assoc, stream, all);
        assert_eq!(of_stream(stream).unwrap(), status(all));
        assert_eq!(of_stream(StreamId::new(2)).unwrap(), PrStatus::default());
        assert_invalid(of_stream(StreamId::new(u16::MAX)));
        if style == Style::OneToMany {
            assert_invalid(end.socket.pr_assoc_status(UNKNOWN, all));
            assert_invalid(end.socket.pr_assoc_status(AssocId::FUTURE, all));
        }
    }
}

#[test]
fn default_reliability_becomes_lifetime_of_reliable_message() {
    let pair = pair_with(Style::OneToMany, Family::V4, small_window);
    let end = &pair.client;
    // The kernel takes one retransmission for a lifetime of one millisecond.
    let default = Reliability::Retransmissions(1);
    end.socket
        .set_default_reliability(end.assoc, default)
        .unwrap();
    let victim = SendInfo::on_stream(1);
    assert_eq!(victim.reliability, Reliability::Reliable);
    send_until_abandoned(&pair, &victim);
}

/// Shrinks the receive buffer, and speeds up retransmission and acknowledgement.
fn small_window(socket: &Socket) {
    let (soon, assoc) = (Duration::from_millis(50), AssocId::FUTURE);
    let rto = RtoInfo::new().with_initial(soon).with_min(soon);
    socket.set_rto_info(assoc, &rto).unwrap();
    socket.set_delayed_sack(assoc, &DelayedSack::off()).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
}

/// Sends a message behind others that exceed the receive buffer, and lets the peer read, until the
/// message expires before it is sent.
fn send_until_abandoned(pair: &Pair, victim: &SendInfo) {
    let (client, server) = (&pair.client, &pair.server);
    let hour = Reliability::Lifetime(Duration::from_secs(3600));
    let long = SendInfo::on_stream(0).with_reliability(hour);
    let send = |info, payload: &[u8]| {
        let payload = [IoSlice::new(payload)];
        client
            .socket
            .send_msg(client.assoc, info, &payload)
            .unwrap();
    };
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < BOUND, "no message was abandoned");
        for _ in 0..20 {
            send(&long, &[0; 1000]);
        }
        send(victim, b"victim");
        send(&long, b"end");
        let mut arrived = false;
        loop {
            match recv(&server.socket) {
                Received::Message(bytes, _) if bytes == b"end" => break,
                Received::Message(bytes, _) => arrived |= bytes == b"victim",
                Received::Notification(_) => {}
            }
        }
        if !arrived {
            return;
        }
    }
}
