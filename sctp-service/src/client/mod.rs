//! SCTP clients as tower services, and pools of servers.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use sctp_service::client::Client;
//! use std::net::SocketAddr;
//!
//! let server: SocketAddr = "192.0.2.1:9877".parse()?;
//! let client = Client::connect(server).await?;
//! let reply = client.request("hello").await?;
//! println!("{:?}", reply.payload);
//! client.graceful_shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Correlation
//!
//! SCTP has no request identifier. By default each call has a stream of its own, and its reply
//! arrives on that stream: see [`ByStream`](crate::ByStream). A call waits neither for the reply to
//! another call nor for retransmissions of its packets. Both ends of an association ask for 128
//! streams by default, so up to 127 calls run concurrently, and further calls wait for a stream.
//! For protocols with an identifier in the payload, implement a [`Correlator`](crate::Correlator).
//!
//! Streams alone do not let a short message overtake a *long* one that is already being sent. To
//! prevent calls from waiting for long messages, enable
//! [`SocketBuilder::with_interleaving`](sctp_tokio::SocketBuilder::with_interleaving) at both ends;
//! a client sets it with [`Remote::with_socket`].
//!
//! # Calls
//!
//! `poll_ready` waits for an association and reserves a permit; `call` hands the message to the
//! client's task. The task assigns a stream, sends the message, and completes the
//! [`Call`](crate::Call) with the reply. Otherwise the call fails with a
//! [`CallError`](crate::CallError). No call outlives its association, and no accepted call waits
//! longer than [`call_timeout`](ClientConfig::call_timeout).
//!
//! A call can be dropped at any time. If its message has not been sent yet, it is not sent.
//! Otherwise the client still expects the late reply, and does not use the stream for another call
//! before it has arrived.
//!
//! # Associations
//!
//! A client sets up its association [eagerly](ClientBuilder::connect), [in the
//! background](ClientBuilder::connect_in_background) or [lazily](ClientBuilder::connect_lazily).
//! When the association has closed, the client reconnects after a [pause](Backoff), a lazy client
//! on the next call. [`ClientBuilder::with_reconnect`] can decide otherwise. A client of [one
//! association](ClientBuilder::over) ends with its association. [`Client::last_end`] returns the
//! end of the newest association that has closed. Effect on calls:
//!
//! | event | calls not sent | calls sent |
//! |---|---|---|
//! | the peer shuts down | fail at once, [`ShutDown`](crate::Cause::ShutDown), not sent | complete if the reply was received before; else `ShutDown`, unknown |
//! | the peer aborts | [`Aborted`](crate::Cause::Aborted), not sent | `Aborted`; not sent if the kernel reports it, else unknown |
//! | [`Client::graceful_shutdown`], or the last handle dropped | sent and finished within [`drain_timeout`](ClientConfig::drain_timeout) | finished within that time |
//! | graceful shutdown of its [handle](Client::association) | sent and finished on this association; further calls wait for the next one | finished within that time |
//! | the peer sends a message that is too long | [`TooLarge`](crate::Cause::TooLarge), not sent | `TooLarge`; not sent if the kernel reports it, else unknown |
//! | the network fails | [`Lost`](crate::Cause::Lost), not sent | `Lost`; not sent if the kernel reports it, else unknown |
//! | the peer restarts | those that wait for a stream or an identifier are sent after the restart; the others, and one-way messages that the session has taken, fail, `Restarted`, not sent | [`Restarted`](crate::Cause::Restarted) |
//!
//! The client's service may still be serving requests of a server that shuts down. Calls then fail
//! as listed in the table, and the next association is set up after the pause, while these requests
//! are still served. The same applies while an association drains. At most one such
//! association remains besides the current one. With
//! [`with_reconnect`](ClientBuilder::with_reconnect) the next association is set up only when the
//! previous one has closed, since the function needs its end.
//!
//! [`ClientBuilder::on_event`] adds a hook for events such as established and closed associations
//! and failed attempts: see [`ClientEvent`]. [`ClientMetrics`] records these events with the
//! `metrics` facade.
//!
//! The guide to [errors](crate::guide::errors#errors-of-calls) lists all failures and the resulting
//! errors of calls.
//!
//! # Requests of the server
//!
//! Either end of an association may send requests. A client serves requests of its server with
//! [`ClientBuilder::serving`], or receives them from an [`Inbox`](crate::Inbox) of
//! [`ClientBuilder::with_inbox`]. Otherwise they are discarded, counted, logged, and reported as
//! [`ClientEvent::Unsolicited`].
//!
//! # Several servers
//!
//! With the feature `pool`, the module `pool` balances calls over servers from a fixed list, a name
//! lookup or a channel. A pool has one hook, and one service or inbox for requests of all its
//! servers.

mod backoff;
mod builder;
mod config;
mod connect;
mod current;
mod event;
mod metrics;
#[cfg(feature = "pool")]
pub mod pool;
mod reconnect;
mod service;
mod serving;
mod supervisor;

pub(crate) use backoff::Attempts;
pub use backoff::Backoff;
pub use builder::ClientBuilder;
pub use config::ClientConfig;
pub use connect::{Connect, Remote};
pub(crate) use connect::{connect_within, known_addrs};
pub use event::ClientEvent;
pub(crate) use event::ClientHook;
pub use metrics::ClientMetrics;
pub use reconnect::{Closed, Reconnect};
pub use service::Client;
