//! Timers.

use std::{io::ErrorKind, time::Duration};

use sctp_core::{
    AssocId, Socket,
    options::{AssocInfo, DelayedSack, InitMsg, RtoInfo},
};

use crate::{
    check::{
        Scope, assert_fails, assert_invalid, check_assoc_option, check_socket_option, on_each_end,
        on_each_fresh_socket,
    },
    support::Style,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn rto_info() {
    let values = [
        RtoInfo::new()
            .with_initial(secs(2))
            .with_min(secs(1))
            .with_max(secs(9)),
        RtoInfo::new()
            .with_initial(secs(4))
            .with_min(secs(3))
            .with_max(secs(3)),
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_rto_info(assoc, value);
    check_assoc_option(Scope::Narrow, &values, set, Socket::rto_info);
}

#[test]
fn rto_info_defaults_and_bounds() {
    on_each_fresh_socket(|socket, _| {
        let defaults = RtoInfo::new()
            .with_initial(secs(3))
            .with_min(secs(1))
            .with_max(secs(60));
        assert_eq!(socket.rto_info(AssocId::FUTURE).unwrap(), defaults);
        let set = |info| socket.set_rto_info(AssocId::FUTURE, &info);
        set(RtoInfo::new()).unwrap();
        set(RtoInfo::new().with_initial(secs(5))).unwrap();
        assert_eq!(
            socket.rto_info(AssocId::FUTURE).unwrap(),
            defaults.with_initial(secs(5))
        );
        assert_invalid(set(RtoInfo::new().with_min(secs(61))));
        assert_invalid(set(RtoInfo::new().with_min(secs(2)).with_max(secs(1))));
    });
}

#[test]
fn association_times_are_rounded_up_to_ticks() {
    on_each_end(|end, _| {
        let odd = Duration::from_micros(1_000_001);
        let info = RtoInfo::new().with_initial(odd);
        end.socket.set_rto_info(end.assoc, &info).unwrap();
        let got = end.socket.rto_info(end.assoc).unwrap().initial;
        assert!(
            got > odd && got <= odd + Duration::from_millis(11),
            "{got:?}"
        );
    });
}

#[test]
fn assoc_info() {
    let values = [(7, secs(5)), (3, secs(90))];
    let set = |socket: &Socket, assoc, (count, life): &(u16, Duration)| {
        let info = AssocInfo::new()
            .with_max_retransmissions(*count)
            .with_cookie_life(*life);
        socket.set_assoc_info(assoc, &info)
    };
    let get = |socket: &Socket, assoc| {
        let info = socket.assoc_info(assoc)?;
        Ok((info.max_retransmissions, info.cookie_life))
    };
    check_assoc_option(Scope::Narrow, &values, set, get);
}

#[test]
fn assoc_info_returns_windows() {
    on_each_fresh_socket(|socket, _| {
        let defaults = AssocInfo::new()
            .with_max_retransmissions(10)
            .with_cookie_life(secs(60));
        assert_eq!(socket.assoc_info(AssocId::FUTURE).unwrap(), defaults);
    });
    on_each_end(|end, _| {
        let info = end.socket.assoc_info(end.assoc).unwrap();
        assert!(info.peer_paths >= 1);
        assert!(info.peer_window > 0 && info.local_window > 0, "{info:?}");
        end.socket
            .set_assoc_info(end.assoc, &AssocInfo::new())
            .unwrap();
        assert_eq!(end.socket.assoc_info(end.assoc).unwrap(), info);
    });
}

#[test]
fn delayed_sack() {
    let values = [
        DelayedSack::new()
            .with_delay(Duration::from_millis(100))
            .with_frequency(3),
        DelayedSack::off(),
        DelayedSack::new()
            .with_delay(Duration::from_millis(500))
            .with_frequency(2),
    ];
    let set = |socket: &Socket, assoc, value: &_| socket.set_delayed_sack(assoc, value);
    check_assoc_option(Scope::Wide, &values, set, Socket::delayed_sack);
}

#[test]
fn delayed_sack_defaults_and_bounds() {
    on_each_fresh_socket(|socket, _| {
        let get = || socket.delayed_sack(AssocId::FUTURE).unwrap();
        let defaults = DelayedSack::new()
            .with_delay(Duration::from_millis(200))
            .with_frequency(2);
        assert_eq!(get(), defaults);
        let set = |sack| socket.set_delayed_sack(AssocId::FUTURE, &sack);
        set(DelayedSack::new()).unwrap();
        set(DelayedSack::new().with_frequency(5)).unwrap();
        assert_eq!(get(), defaults.with_frequency(5));
        assert_invalid(set(
            DelayedSack::new().with_delay(Duration::from_millis(501))
        ));
    });
}

#[test]
fn init_msg() {
    let values = [
        InitMsg::new()
            .with_outbound_streams(3)
            .with_max_inbound_streams(4)
            .with_max_attempts(5)
            .with_max_timeout(secs(6)),
        InitMsg::new()
            .with_outbound_streams(1)
            .with_max_inbound_streams(2)
            .with_max_attempts(1)
            .with_max_timeout(Duration::from_millis(65_535)),
    ];
    check_socket_option(&values, Socket::set_init_msg, Socket::init_msg);
    on_each_fresh_socket(|socket, _| {
        let defaults = InitMsg::new()
            .with_outbound_streams(10)
            .with_max_inbound_streams(65_535)
            .with_max_attempts(8)
            .with_max_timeout(secs(60));
        assert_eq!(socket.init_msg().unwrap(), defaults);
        socket.set_init_msg(&InitMsg::new()).unwrap();
        assert_eq!(socket.init_msg().unwrap(), defaults);
    });
}

#[test]
fn autoclose() {
    on_each_fresh_socket(|socket, style| match style {
        Style::OneToOne => {
            assert_fails(ErrorKind::Unsupported, socket.autoclose());
            assert_fails(ErrorKind::Unsupported, socket.set_autoclose(secs(1)));
        }
        Style::OneToMany | Style::PeeledOff => {
            assert_eq!(socket.autoclose().unwrap(), Duration::ZERO);
            for (set, got) in [
                (Duration::from_millis(1), secs(1)),
                (secs(7), secs(7)),
                (Duration::ZERO, Duration::ZERO),
            ] {
                socket.set_autoclose(set).unwrap();
                assert_eq!(socket.autoclose().unwrap(), got);
            }
        }
    });
    on_each_end(|end, style| {
        if style != Style::OneToOne {
            end.socket.set_autoclose(secs(7)).unwrap();
            assert_eq!(end.socket.autoclose().unwrap(), secs(7));
        }
    });
}
