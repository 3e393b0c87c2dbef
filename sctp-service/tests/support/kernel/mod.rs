//! Support of the tests on the kernel's SCTP: a server of either style in the background, clients
//! that keep echoing beside the trouble, and figures of what is held and logged.
//!
//! These tests need a kernel with SCTP: cargo runs them through `.kernel/run`, which provides one
//! or says how to get it.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test binary uses its own part of it"
)]
#![allow(clippy::unwrap_used, reason = "a failed set-up fails the test")]

#[path = "../header.rs"]
pub(crate) mod header;
pub(crate) mod leaks;
pub(crate) mod log;
#[allow(unreachable_pub, reason = "it is shared with another crate's tests")]
#[path = "../../../../sctp-tokio/tests/support/netns.rs"]
pub(crate) mod netns;
#[allow(unreachable_pub, reason = "it is shared with another crate's tests")]
#[path = "../../../../sctp-tokio/tests/support/patience.rs"]
pub(crate) mod patience;
pub(crate) mod probe_client;
pub(crate) mod rng;
pub(crate) mod server;

use std::future::Future;

use sctp_tokio::{Association, End, Event, Received};

pub(crate) use patience::patience;

/// Waits for something that must happen.
#[track_caller]
pub(crate) fn must<F: Future>(what: F) -> impl Future<Output = F::Output> {
    patience::within(patience(), what)
}

pub(crate) async fn reply(client: &mut Association) -> Received {
    must(client.recv())
        .await
        .unwrap()
        .expect("the association ended without a reply")
}

/// Receives until the end, and returns the payloads that came before it, and how it ended.
pub(crate) async fn until_end(client: &mut Association) -> (Vec<bytes::Bytes>, End) {
    let mut messages = Vec::new();
    loop {
        match must(client.next_event()).await.unwrap() {
            Event::Message(message) => messages.push(message.payload),
            Event::Closed(end) => return (messages, end),
            _ => {}
        }
    }
}

/// Writes each test twice: over peeled-off sockets, and over one shared by all. Each runs alone.
macro_rules! both_styles {
    ($($(#[$doc:meta])* async fn $name:ident($style:ident: Style) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn scenario($style: crate::support::server::Style) $body

            #[test]
            fn peel_off() {
                crate::support::leaks::alone(scenario(crate::support::server::Style::PeelOff));
            }

            #[test]
            fn one_to_many() {
                crate::support::leaks::alone(scenario(crate::support::server::Style::OneToMany));
            }
        })*
    };
}
pub(crate) use both_styles;
