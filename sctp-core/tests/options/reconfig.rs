//! Stream reconfiguration.

use std::io::{ErrorKind, IoSlice};

use sctp_core::{
    AssocId, EventSet, Family, Notification, ReconfigOutcome, SendInfo, Socket, StreamId,
    StreamReset,
    options::{ResetDirection, StreamResetPolicy, UnsupportedOption},
};

use crate::{
    check::{
        Scope, UNKNOWN, assert_fails, assert_invalid, check_assoc_option, check_extension,
        on_each_end, on_each_fresh_socket,
    },
    support::{End, FAMILIES, Pair, STYLES, Style, pair_with, recv, wait_notification},
};

fn reconfigurable(style: Style, family: Family) -> Pair {
    pair_with(style, family, |socket| {
        socket.set_reconfig_supported(true).unwrap();
        socket
            .set_stream_reset_policy(AssocId::FUTURE, StreamResetPolicy::all())
            .unwrap();
        let events = EventSet::STREAM_RESET | EventSet::ASSOC_RESET | EventSet::STREAM_CHANGE;
        socket.subscribe(AssocId::FUTURE, events).unwrap();
        socket.set_nodelay(true).unwrap();
    })
}

/// Runs a test on associations that can be reconfigured.
fn on_each_pair(test: impl Fn(&End, &End)) {
    for style in STYLES {
        for family in FAMILIES {
            println!("{style:?} {family:?}");
            let pair = reconfigurable(style, family);
            test(&pair.client, &pair.server);
        }
    }
}

#[test]
fn reconfig_supported() {
    on_each_fresh_socket(|socket, _| {
        assert!(!socket.reconfig_supported(AssocId::FUTURE).unwrap());
    });
    check_extension(Socket::set_reconfig_supported, Socket::reconfig_supported);
}

#[test]
fn stream_reset_policy() {
    on_each_fresh_socket(|socket, _| {
        let default = socket.stream_reset_policy(AssocId::FUTURE).unwrap();
        assert_eq!(default, StreamResetPolicy::empty());
    });
    let values = [StreamResetPolicy::all(), StreamResetPolicy::ADD_STREAMS];
    let set = |socket: &Socket, assoc, value: &_| socket.set_stream_reset_policy(assoc, *value);
    check_assoc_option(Scope::Wide, &values, set, Socket::stream_reset_policy);
    on_each_end(|end, _| {
        let unknown = StreamResetPolicy::from_bits_retain(8);
        assert_invalid(end.socket.set_stream_reset_policy(end.assoc, unknown));
    });
}

#[test]
fn reset_streams() {
    on_each_pair(|client, server| {
        let info = SendInfo::on_stream(3);
        client
            .socket
            .send_msg(client.assoc, &info, &[IoSlice::new(b"x")])
            .unwrap();
        recv(&server.socket);
        wait_until_acknowledged(client);
        for (direction, client_sends) in [
            (ResetDirection::Outgoing, true),
            (ResetDirection::Incoming, false),
        ] {
            let streams = [StreamId::new(3)];
            client
                .socket
                .reset_streams(client.assoc, direction, &streams)
                .unwrap();
            for (end, sends) in [(client, client_sends), (server, !client_sends)] {
                let reset = wait_stream_reset(end);
                assert_eq!(reset.outcome, ReconfigOutcome::Done);
                assert_eq!((reset.outgoing, reset.incoming), (sends, !sends));
                assert_eq!(reset.streams, streams);
            }
        }
        let all = client
            .socket
            .reset_streams(client.assoc, ResetDirection::Both, &[]);
        all.unwrap();
        let [one, other] = [(); 2].map(|()| wait_stream_reset(client));
        assert_ne!(one.outgoing, other.outgoing);
        assert!(one.streams.is_empty() && other.streams.is_empty());
        let unknown = [StreamId::new(u16::MAX)];
        for direction in [ResetDirection::Outgoing, ResetDirection::Both] {
            assert_invalid(
                client
                    .socket
                    .reset_streams(client.assoc, direction, &unknown),
            );
        }
    });
}

fn wait_stream_reset(end: &End) -> StreamReset {
    wait_notification(&end.socket, |notification| match notification {
        Notification::StreamReset(reset) => Some(reset),
        _ => None,
    })
}

fn wait_until_acknowledged(end: &End) {
    end.socket
        .subscribe(end.assoc, EventSet::SENDER_DRY)
        .unwrap();
    wait_notification(&end.socket, |notification| {
        matches!(notification, Notification::SenderDry { .. }).then_some(())
    });
}

#[test]
fn reset_assoc() {
    on_each_pair(|client, server| {
        client.socket.reset_assoc(client.assoc).unwrap();
        for end in [client, server] {
            let reset = wait_notification(&end.socket, |notification| match notification {
                Notification::AssocReset(reset) => Some(reset),
                _ => None,
            });
            assert_eq!(reset.outcome, ReconfigOutcome::Done);
        }
    });
}

#[test]
fn add_streams() {
    on_each_pair(|client, server| {
        let before = client.socket.status(client.assoc).unwrap();
        client.socket.add_streams(client.assoc, 0, 5).unwrap();
        for end in [client, server] {
            let change = wait_notification(&end.socket, |notification| match notification {
                Notification::StreamChange(change) => Some(change),
                _ => None,
            });
            assert_eq!(change.outcome, ReconfigOutcome::Done);
        }
        let after = client.socket.status(client.assoc).unwrap();
        assert_eq!(after.outbound_streams, before.outbound_streams + 5);
        let peer = server.socket.status(server.assoc).unwrap();
        assert_eq!(peer.inbound_streams, after.outbound_streams);
        assert_invalid(client.socket.add_streams(client.assoc, 0, 0));
        assert_invalid(client.socket.add_streams(client.assoc, u16::MAX, u16::MAX));
    });
}

#[test]
fn requests_without_reconfig_are_unsupported() {
    on_each_end(|end, style| {
        let requests = |assoc| {
            [
                end.socket.reset_streams(assoc, ResetDirection::Both, &[]),
                end.socket.reset_assoc(assoc),
                end.socket.add_streams(assoc, 1, 1),
            ]
        };
        for result in requests(end.assoc) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(UnsupportedOption::of(&error), None, "the kernel has it");
        }
        if style == Style::OneToMany {
            requests(UNKNOWN).into_iter().for_each(assert_invalid);
            requests(AssocId::FUTURE)
                .into_iter()
                .for_each(assert_invalid);
        }
    });
}

#[test]
fn disallowed_requests_are_unsupported() {
    on_each_pair(|client, _| {
        let (socket, assoc, all) = (&client.socket, client.assoc, StreamResetPolicy::all());
        let allow = |policy| socket.set_stream_reset_policy(assoc, policy).unwrap();
        allow(all - StreamResetPolicy::ASSOC);
        assert_fails(ErrorKind::Unsupported, socket.reset_assoc(assoc));
        allow(all - StreamResetPolicy::STREAMS);
        let result = socket.reset_streams(assoc, ResetDirection::Both, &[]);
        assert_fails(ErrorKind::Unsupported, result);
        allow(all - StreamResetPolicy::ADD_STREAMS);
        assert_fails(ErrorKind::Unsupported, socket.add_streams(assoc, 1, 1));
    });
}
