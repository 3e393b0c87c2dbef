//! Subscriptions to notifications.

use sctp_core::{AssocId, EventSet, Family, Socket};

use crate::{
    check::{assert_invalid, check_assoc_option, check_socket_option, on_each_end},
    support::{STYLES, pair_with},
};

#[test]
fn events() {
    let values = [
        EventSet::all(),
        EventSet::ASSOC_CHANGE,
        EventSet::ASSOC_CHANGE | EventSet::SHUTDOWN,
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_events(assoc, *value);
    check_assoc_option(crate::check::Scope::Wide, &values, set, Socket::events);
}

#[test]
fn set_all_events_applies_to_all_associations() {
    let each = EventSet::all() - EventSet::SENDER_DRY;
    let values = [
        EventSet::empty(),
        each,
        EventSet::ASSOC_CHANGE,
        EventSet::SEND_FAILED,
        EventSet::SEND_FAILED_DEPRECATED,
    ];
    let set = |socket: &Socket, value: &EventSet| socket.set_all_events(*value);
    check_socket_option(&values, set, |socket| socket.events(AssocId::FUTURE));
    for style in STYLES {
        let pair = pair_with(style, Family::V4, |socket| {
            socket.set_all_events(each).unwrap();
        });
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.socket.events(end.assoc).unwrap(), each);
            end.socket.set_all_events(EventSet::SHUTDOWN).unwrap();
            assert_eq!(end.socket.events(end.assoc).unwrap(), EventSet::SHUTDOWN);
        }
    }
}

#[test]
fn unknown_bits_change_no_subscription() {
    on_each_end(|end, _| {
        let (socket, assoc) = (&end.socket, end.assoc);
        let before = socket.events(assoc).unwrap();
        let unknown = EventSet::SHUTDOWN | EventSet::from_bits_retain(0x8000);
        assert_invalid(socket.set_events(assoc, unknown));
        assert_invalid(socket.subscribe(assoc, unknown));
        assert_invalid(socket.set_all_events(unknown));
        assert_eq!(socket.events(assoc).unwrap(), before);
    });
}
