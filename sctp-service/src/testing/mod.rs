//! In-memory tests of handlers, layers, servers and clients.
//!
//! An in-memory association has two ends. Each is either a [`Transport`](crate::Transport), for
//! [`serve`](crate::serve()) or a [`Client`](crate::client::Client), or a [`Peer`] that the test
//! controls. A [`ScriptedListener`] and its [`Network`] set them up:
//!
//! | the server is | the client is | the server's end | the client's end |
//! |---|---|---|---|
//! | `serve` | the test | `serve(listener, ..)` | [`network.connect()`](Network::connect) |
//! | `serve` | a `Client` | `serve(listener, ..)` | [`network.connector()`](Network::connector) |
//! | the test | a `Client` | [`listener.accept_peer()`](ScriptedListener::accept_peer) | [`network.connector()`](Network::connector) |
//!
//! [`duplex`] returns both ends of an association without a listener. A single service needs no
//! association: tower's `oneshot` calls it with a [`request`], or with a request of a [`Recorder`],
//! which records what the service does with its handle. Nothing in this module takes real time, so
//! tests of timeouts complete at once under tokio's paused clock. The
//! [guide](crate::guide::testing) has examples.
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
//! # Model
//!
//! Queues are bounded in both directions, so backpressure can be tested. Sent messages count as
//! acknowledged, unless the peer [withholds acknowledgements](Peer::hold_acks). Delivered messages
//! remain readable when the association closes. Dropping an end closes it as the kernel closes a
//! socket. There are no packets, paths or loss; the [guide](crate::guide::testing) lists the
//! differences from the kernel.

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
