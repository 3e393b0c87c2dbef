//! The server on the kernel's SCTP: every scenario over both styles of socket.
//!
//! These tests need a kernel with SCTP: cargo runs them through `.kernel/run`, which provides one
//! or says how to get it.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod isolation;
mod server;
mod shutdown;
mod terminations;

use std::{future::Future, time::Duration};

use sctp_tokio::{Association, End, Event, Received};

/// A bound against hanging: nothing here takes a tenth of it, and reaching it fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
async fn must<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("nothing happened for too long")
}

async fn reply(client: &mut Association) -> Received {
    must(client.recv())
        .await
        .unwrap()
        .expect("the association ended without a reply")
}

/// Receives until the end, and returns the payloads that came before it, and how it ended.
async fn until_end(client: &mut Association) -> (Vec<bytes::Bytes>, End) {
    let mut messages = Vec::new();
    loop {
        match must(client.next_event()).await.unwrap() {
            Event::Message(message) => messages.push(message.payload),
            Event::Ended(end) => return (messages, end),
            _ => {}
        }
    }
}

/// Writes each test twice: over peeled-off sockets, and over one shared by all.
macro_rules! both_styles {
    ($($(#[$doc:meta])* async fn $name:ident($style:ident: Style) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn scenario($style: crate::server::Style) $body

            #[tokio::test]
            async fn peel_off() {
                scenario(crate::server::Style::PeelOff).await;
            }

            #[tokio::test]
            async fn one_to_many() {
                scenario(crate::server::Style::OneToMany).await;
            }
        })*
    };
}
pub(crate) use both_styles;
