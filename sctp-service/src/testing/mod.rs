//! Test handlers, layers and whole servers without a kernel.
//!
//! [`duplex`] gives both ends of an association in memory: a [`Transport`](crate::Transport) to
//! serve, and the [`Peer`] that it talks to. [`ScriptedListener`] hands such associations to
//! [`serve`](crate::serve()). Nothing here takes time of its own, so tests of timeouts run at
//! once under tokio's paused clock.
//!
//! ```
//! use sctp_service::{serve, testing::ScriptedListener, Payload, Shutdown};
//!
//! async fn echo(Payload(payload): Payload) -> (Payload, Shutdown) {
//!     (Payload(payload), Shutdown::AfterAck)
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let (listener, network) = ScriptedListener::new();
//! tokio::spawn(serve(listener, echo).into_future());
//!
//! let peer = network.connect().await.unwrap();
//! peer.send("hello").await;
//! peer.expect_message("hello").await;
//! peer.expect_shutdown().await;
//! # }
//! # use std::future::IntoFuture;
//! ```
//!
//! # What it models
//!
//! Queues are bounded in both directions, so backpressure shows. What the transport took counts
//! as acknowledged, unless the peer [holds acknowledgements back](Peer::hold_acks). Data that
//! was delivered stays readable before an end. There are no packets, no paths and no loss.

mod listener;
mod mock;
mod notification;
mod peer;
mod transport;
mod wire;

pub use listener::{Network, ScriptedListener};
pub use mock::{MockConnectInfo, MockConnectInfoService, request};
pub use peer::Peer;
pub use transport::{Duplex, InMemory, duplex};
