//! Checks shared by many options.

use std::{fmt::Debug, io, net::SocketAddr};

use sctp_core::{AssocId, Socket};

use crate::support::{End, FAMILIES, STYLES, Style, pair, pair_with};

/// Association that no socket of these tests has.
pub(crate) const UNKNOWN: AssocId = AssocId::new(i32::MAX);

/// Support of a setter for `AssocId::CURRENT` and `AssocId::ALL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Wide,
    Narrow,
}

/// Runs a test on an end of an association, for each style and family.
pub(crate) fn on_each_end(test: impl Fn(&End, Style)) {
    for style in STYLES {
        for family in FAMILIES {
            println!("{style:?} {family:?}");
            test(&pair(style, family).client, style);
        }
    }
}

/// Runs a test on a new socket of each style and family.
pub(crate) fn on_each_fresh_socket(test: impl Fn(&Socket, Style)) {
    for style in [Style::OneToOne, Style::OneToMany] {
        for family in FAMILIES {
            println!("fresh {style:?} {family:?}");
            test(&style.socket(family), style);
        }
    }
}

/// Checks an option of the whole socket, before and after it is connected.
pub(crate) fn check_socket_option<V: Debug + PartialEq>(
    values: &[V],
    set: impl Fn(&Socket, &V) -> io::Result<()>,
    get: impl Fn(&Socket) -> io::Result<V>,
) {
    let round_trip = |socket: &Socket| {
        for value in values {
            set(socket, value).unwrap();
            assert_eq!(get(socket).unwrap(), *value);
        }
    };
    on_each_fresh_socket(|socket, _| round_trip(socket));
    on_each_end(|end, _| round_trip(&end.socket));
}

/// Checks an option of associations: existing, future, inherited and unknown ones.
pub(crate) fn check_assoc_option<V: Debug + PartialEq>(
    scope: Scope,
    values: &[V],
    set: impl Fn(&Socket, AssocId, &V) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<V>,
) {
    let round_trip = |socket: &Socket, assoc| {
        for value in values {
            set(socket, assoc, value).unwrap();
            assert_eq!(get(socket, assoc).unwrap(), *value);
        }
    };
    on_each_fresh_socket(|socket, _| round_trip(socket, AssocId::FUTURE));
    on_each_end(|end, style| {
        let future = get(&end.socket, AssocId::FUTURE).unwrap();
        round_trip(&end.socket, end.assoc);
        match style {
            Style::OneToMany => {
                assert_eq!(get(&end.socket, AssocId::FUTURE).unwrap(), future);
                check_unknown_assoc(end, &values[0], &set, &get);
                check_scope(scope, end, values, &set, &get);
            }
            // The kernel ignores the association, since there is only one.
            Style::OneToOne | Style::PeeledOff => round_trip(&end.socket, UNKNOWN),
        }
    });
    for style in STYLES {
        for family in FAMILIES {
            let value = &values[0];
            let pair = pair_with(style, family, |socket| {
                set(socket, AssocId::FUTURE, value).unwrap();
            });
            for end in [&pair.client, &pair.server] {
                assert_eq!(get(&end.socket, end.assoc).unwrap(), *value, "{style:?}");
            }
        }
    }
}

fn check_unknown_assoc<V: Debug>(
    end: &End,
    value: &V,
    set: impl Fn(&Socket, AssocId, &V) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<V>,
) {
    assert_invalid(set(&end.socket, UNKNOWN, value));
    for assoc in [UNKNOWN, AssocId::CURRENT, AssocId::ALL] {
        assert_invalid(get(&end.socket, assoc));
    }
}

fn check_scope<V: Debug + PartialEq>(
    scope: Scope,
    end: &End,
    values: &[V],
    set: impl Fn(&Socket, AssocId, &V) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<V>,
) {
    let [first, second, ..] = values else {
        panic!("two values, to see a change");
    };
    if scope == Scope::Narrow {
        assert_invalid(set(&end.socket, AssocId::CURRENT, first));
        assert_invalid(set(&end.socket, AssocId::ALL, first));
        return;
    }
    let both = || [AssocId::FUTURE, end.assoc].map(|assoc| get(&end.socket, assoc).unwrap());
    set(&end.socket, AssocId::ALL, first).unwrap();
    assert_eq!(both().each_ref(), [first, first]);
    set(&end.socket, AssocId::CURRENT, second).unwrap();
    assert_eq!(both().each_ref(), [first, second]);
}

/// Checks an option that offers an extension. Other tests cover the negotiation.
pub(crate) fn check_extension(
    set: impl Fn(&Socket, bool) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<bool>,
) {
    on_each_fresh_socket(|socket, style| {
        for on in [true, false] {
            set(socket, on).unwrap();
            assert_eq!(get(socket, AssocId::FUTURE).unwrap(), on);
        }
        if style == Style::OneToMany {
            assert_invalid(get(socket, UNKNOWN));
        }
    });
    for (style, family, offered) in product(STYLES, FAMILIES, [true, false]) {
        println!("{style:?} {family:?} {offered}");
        let pair = pair_with(style, family, |socket| set(socket, offered).unwrap());
        for end in [&pair.client, &pair.server] {
            assert_eq!(get(&end.socket, end.assoc).unwrap(), offered);
            // The negotiated value of this association cannot change any more.
            set(&end.socket, !offered).unwrap();
            assert_eq!(get(&end.socket, end.assoc).unwrap(), offered);
        }
    }
}

fn product<A: Copy, B: Copy, C: Copy>(
    first: impl IntoIterator<Item = A>,
    second: impl IntoIterator<Item = B> + Copy,
    third: impl IntoIterator<Item = C> + Copy,
) -> Vec<(A, B, C)> {
    let pairs = first
        .into_iter()
        .flat_map(|a| second.into_iter().map(move |b| (a, b)));
    pairs
        .flat_map(|(a, b)| third.into_iter().map(move |c| (a, b, c)))
        .collect()
}

/// Returns an address that no peer has, of the same family.
pub(crate) fn unknown_addr(like: SocketAddr) -> SocketAddr {
    let addr = if like.is_ipv4() {
        "192.0.2.1:9"
    } else {
        "[2001:db8::1]:9"
    };
    addr.parse().unwrap()
}

#[track_caller]
pub(crate) fn assert_invalid<T: Debug>(result: io::Result<T>) {
    assert_fails(io::ErrorKind::InvalidInput, result);
}

#[track_caller]
pub(crate) fn assert_fails<T: Debug>(kind: io::ErrorKind, result: io::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
}
