//! What is the same for many options.

use std::{fmt::Debug, io};

use sctp_core::{AssocId, Socket};

use crate::support::{End, FAMILIES, STYLES, Style, pair, pair_with};

/// An association that no socket here has.
pub(crate) const UNKNOWN: AssocId = AssocId::new(i32::MAX);

/// Whether a setter takes `AssocId::CURRENT` and `AssocId::ALL`.
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

/// Runs a test on a socket without associations, of each style and family.
pub(crate) fn on_each_fresh_socket(test: impl Fn(&Socket, Style)) {
    for style in [Style::OneToOne, Style::OneToMany] {
        for family in FAMILIES {
            println!("fresh {style:?} {family:?}");
            test(&style.socket(family), style);
        }
    }
}

/// Sets and gets what belongs to the socket as a whole, before and after it is connected.
pub(crate) fn of_socket<V: Debug + PartialEq>(
    values: &[V],
    set: impl Fn(&Socket, &V) -> io::Result<()>,
    get: impl Fn(&Socket) -> io::Result<V>,
) {
    let there_and_back = |socket: &Socket| {
        for value in values {
            set(socket, value).unwrap();
            assert_eq!(get(socket).unwrap(), *value);
        }
    };
    on_each_fresh_socket(|socket, _| there_and_back(socket));
    on_each_end(|end, _| there_and_back(&end.socket));
}

/// Sets and gets what belongs to an association: its own, what those to come begin with, what
/// they inherit, what is said to unknown ones.
pub(crate) fn of_assoc<V: Debug + PartialEq>(
    scope: Scope,
    values: &[V],
    set: impl Fn(&Socket, AssocId, &V) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<V>,
) {
    let there_and_back = |socket: &Socket, assoc| {
        for value in values {
            set(socket, assoc, value).unwrap();
            assert_eq!(get(socket, assoc).unwrap(), *value);
        }
    };
    on_each_fresh_socket(|socket, _| there_and_back(socket, AssocId::FUTURE));
    on_each_end(|end, style| {
        let future = get(&end.socket, AssocId::FUTURE).unwrap();
        there_and_back(&end.socket, end.assoc);
        match style {
            Style::OneToMany => {
                assert_eq!(get(&end.socket, AssocId::FUTURE).unwrap(), future);
                unknown_is_invalid(end, &values[0], &set, &get);
                wide_scope(scope, end, values, &set, &get);
            }
            // The association is ignored: there is only one.
            Style::OneToOne | Style::PeeledOff => there_and_back(&end.socket, UNKNOWN),
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

fn unknown_is_invalid<V: Debug>(
    end: &End,
    value: &V,
    set: impl Fn(&Socket, AssocId, &V) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<V>,
) {
    invalid(set(&end.socket, UNKNOWN, value));
    for assoc in [UNKNOWN, AssocId::CURRENT, AssocId::ALL] {
        invalid(get(&end.socket, assoc));
    }
}

fn wide_scope<V: Debug + PartialEq>(
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
        invalid(set(&end.socket, AssocId::CURRENT, first));
        invalid(set(&end.socket, AssocId::ALL, first));
        return;
    }
    let both = || [AssocId::FUTURE, end.assoc].map(|assoc| get(&end.socket, assoc).unwrap());
    set(&end.socket, AssocId::ALL, first).unwrap();
    assert_eq!(both().each_ref(), [first, first]);
    set(&end.socket, AssocId::CURRENT, second).unwrap();
    assert_eq!(both().each_ref(), [first, second]);
}

/// Sets and gets whether an extension is offered. What associations agreed on is for other tests.
pub(crate) fn of_offer(
    set: impl Fn(&Socket, bool) -> io::Result<()>,
    get: impl Fn(&Socket, AssocId) -> io::Result<bool>,
) {
    on_each_fresh_socket(|socket, style| {
        for on in [true, false] {
            set(socket, on).unwrap();
            assert_eq!(get(socket, AssocId::FUTURE).unwrap(), on);
        }
        if style == Style::OneToMany {
            invalid(get(socket, UNKNOWN));
        }
    });
    for (style, family, offered) in product(STYLES, FAMILIES, [true, false]) {
        println!("{style:?} {family:?} {offered}");
        let pair = pair_with(style, family, |socket| set(socket, offered).unwrap());
        for end in [&pair.client, &pair.server] {
            assert_eq!(get(&end.socket, end.assoc).unwrap(), offered);
            // It is too late to change what this association agreed on.
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

#[track_caller]
pub(crate) fn invalid<T: Debug>(result: io::Result<T>) {
    fails(io::ErrorKind::InvalidInput, result);
}

#[track_caller]
pub(crate) fn fails<T: Debug>(kind: io::ErrorKind, result: io::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
}
