//! Test handlers, layers, servers and clients without a kernel.
//!
//! An association in memory has two ends. Each is a [`Transport`](crate::Transport), for
//! [`serve`](crate::serve()) or a [`Client`](crate::client::Client), or a [`Peer`], in the hands of
//! the test. A [`ScriptedListener`] and the [`Network`] that leads to it set them up:
//!
//! | the server is | the client is | the server's end | the client's end |
//! |---|---|---|---|
//! | `serve` | the test | `serve(listener, ..)` | [`network.connect()`](Network::connect) |
//! | `serve` | a `Client` | `serve(listener, ..)` | [`network.connector()`](Network::connector) |
//! | the test | a `Client` | [`listener.accept_peer()`](ScriptedListener::accept_peer) | [`network.connector()`](Network::connector) |
//!
//! [`duplex`] gives both ends of one association that needs no listener. A single service needs no
//! association at all: tower's `oneshot` calls it with a [`request`], or with one of a
//! [`Recorder`], which records what it does with its handle. Nothing here takes time of its own, so
//! tests of timeouts run at once under tokio's paused clock. The [guide](crate::guide::testing)
//! says how to test what.
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
//! was delivered stays readable before an end. An end that is dropped is closed as the kernel closes
//! a socket. There are no packets, no paths and no loss; the [guide](crate::guide::testing) lists
//! what differs from the kernel.

mod listener;
mod mock;
mod notification;
mod peer;
mod recorder;
mod transport;
mod wire;

pub use listener::{Connector, Network, ScriptedListener};
pub use mock::{MockConnectInfo, MockConnectInfoService, request};
pub use peer::Peer;
pub use recorder::{RecordedCall, Recorder};
pub use transport::{Duplex, InMemory, duplex};
