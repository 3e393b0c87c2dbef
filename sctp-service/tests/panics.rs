//! Panics that are documented name the line that is to blame, one in the program.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

#[path = "support/panics.rs"]
mod panics;

use std::panic::Location;

use panics::place_of_panic;
use sctp_service::{
    AbortReason, ConnectInfo, KeyRouter, Message, Ppid, Router,
    testing::{Duplex, duplex},
};

/// Asserts that a closure of one line panics, and blames the line of this call.
#[track_caller]
fn assert_panics_here<T>(blamed: impl FnOnce() -> T) {
    let here = Location::caller();
    assert_eq!(place_of_panic(blamed), (here.file().into(), here.line()));
}

#[test]
fn router_names_the_line_that_adds_a_route_again() {
    let router = || Router::<()>::new().route(Ppid::NGAP, async || ());
    let (once, other) = (router(), router());
    assert_panics_here(|| once.clone().route(Ppid::NGAP, async || ()));
    assert_panics_here(|| once.clone().route_service(Ppid::NGAP, router()));
    assert_panics_here(|| once.clone().nest(Ppid::NGAP, router()));
    assert_panics_here(|| once.clone().merge(other));
    let once = KeyRouter::<u8>::new(|_| None).route(7, async || ());
    assert_panics_here(|| once.clone().route(7, async || ()));
    assert_panics_here(|| once.clone().route_service(7, router()));
    assert_panics_here(|| once.clone().nest(7, router()));
    let fallback = || Router::<()>::new().fallback(async || ());
    assert_panics_here(|| fallback().merge(fallback()));
}

#[test]
#[should_panic = "the peer cannot send on stream 128: it has 128, from 0"]
fn peer_has_no_more_streams_than_there_are() {
    let (_server, peer) = duplex();
    peer.try_send(Message::new("hello").on_stream(128));
}

#[test]
#[should_panic = "SCTP cannot carry an empty message"]
fn peer_sends_nothing_empty() {
    let (_server, peer) = duplex();
    drop(peer.send(""));
}

#[test]
fn unsendable_message_of_a_peer_names_the_line() {
    let few = ConnectInfo::default().with_streams(2, 8);
    let (_server, peer) = Duplex::new().with_connect_info(few).build();
    let on = |stream| Message::new("hello").on_stream(stream);
    assert!(peer.try_send(on(1)));
    // Before anything is awaited: there is no runtime.
    assert_panics_here(|| peer.send(on(2)));
    assert_panics_here(|| peer.try_send(on(2)));

    let (_server, peer) = duplex();
    assert_panics_here(|| peer.send(""));
    assert_panics_here(|| peer.try_send(""));
    let long = vec![b'x'; AbortReason::MAX_LEN + 1];
    assert_panics_here(|| peer.abort(long));
}
