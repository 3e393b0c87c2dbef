//! Stream schedulers and interleaving.

use std::io::ErrorKind;

use sctp_core::{
    AssocId, Socket, StreamId,
    options::{StreamScheduler, UnsupportedOption},
};

use crate::{
    check::{
        Scope, UNKNOWN, assert_fails, assert_invalid, check_assoc_option, on_each_end,
        on_each_fresh_socket,
    },
    support::Style,
};

#[test]
fn stream_scheduler() {
    let values = [
        StreamScheduler::Priority,
        StreamScheduler::RoundRobin,
        StreamScheduler::FirstComeFirstServed,
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_stream_scheduler(assoc, *value);
    check_assoc_option(Scope::Wide, &values, set, Socket::stream_scheduler);
}

#[test]
fn unknown_scheduler_is_unsupported() {
    on_each_end(|end, style| {
        let set = |assoc, scheduler| end.socket.set_stream_scheduler(assoc, scheduler);
        let unknown = StreamScheduler::Other(99);
        for assoc in [end.assoc, AssocId::FUTURE, AssocId::CURRENT, AssocId::ALL] {
            assert_fails(ErrorKind::Unsupported, set(assoc, unknown));
        }
        // Linux 6.4 and later have these two.
        for newer in [
            StreamScheduler::FairCapacity,
            StreamScheduler::WeightedFairQueueing,
        ] {
            match set(end.assoc, newer) {
                Ok(()) => assert_eq!(end.socket.stream_scheduler(end.assoc).unwrap(), newer),
                result => assert_fails(ErrorKind::Unsupported, result),
            }
        }
        if style == Style::OneToMany {
            assert_invalid(set(UNKNOWN, unknown));
            assert_invalid(set(UNKNOWN, StreamScheduler::Priority));
        }
    });
}

#[test]
fn stream_scheduler_value() {
    on_each_end(|end, style| {
        let (socket, assoc) = (&end.socket, end.assoc);
        socket
            .set_stream_scheduler(assoc, StreamScheduler::Priority)
            .unwrap();
        let stream = StreamId::new(3);
        let get = || socket.stream_scheduler_value(assoc, stream).unwrap();
        assert_eq!(get(), 0);
        for value in [7, u16::MAX, 0] {
            socket
                .set_stream_scheduler_value(assoc, stream, value)
                .unwrap();
            assert_eq!(get(), value);
        }
        let unknown = StreamId::new(u16::MAX);
        assert_invalid(socket.stream_scheduler_value(assoc, unknown));
        assert_invalid(socket.set_stream_scheduler_value(assoc, unknown, 1));
        let set = |assoc| socket.set_stream_scheduler_value(assoc, stream, 9);
        set(AssocId::CURRENT).unwrap();
        assert_eq!(get(), 9);
        if style == Style::OneToMany {
            for assoc in [UNKNOWN, AssocId::FUTURE, AssocId::ALL] {
                assert_invalid(set(assoc));
                assert_invalid(socket.stream_scheduler_value(assoc, stream));
            }
        }
        // A change of the scheduler discards the values.
        for scheduler in [
            StreamScheduler::FirstComeFirstServed,
            StreamScheduler::Priority,
        ] {
            socket.set_stream_scheduler(assoc, scheduler).unwrap();
        }
        assert_eq!(get(), 0);
    });
    on_each_fresh_socket(|socket, style| {
        let result = socket.set_stream_scheduler_value(AssocId::FUTURE, StreamId::new(0), 1);
        match style {
            Style::OneToOne => result.unwrap(),
            Style::OneToMany | Style::PeeledOff => assert_invalid(result),
        }
    });
}

/// The other case, with the sysctl, is in another test binary.
#[test]
fn interleaving_requires_sysctl() {
    on_each_fresh_socket(|socket, _| {
        let get = || socket.interleaving_supported(AssocId::FUTURE).unwrap();
        assert!(!get());
        for interleave in [false, true] {
            socket.set_fragment_interleave(interleave).unwrap();
            let error = socket.set_interleaving_supported(true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert_eq!(UnsupportedOption::of(&error), None);
        }
        assert!(!get());
    });
    on_each_end(|end, _| assert!(!end.socket.interleaving_supported(end.assoc).unwrap()));
}
