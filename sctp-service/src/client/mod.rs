//! Call SCTP servers: a client as a tower service, and pools of servers.
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
//! # Which reply belongs to which call
//!
//! SCTP has no request identifier. By default each call has a stream of its own, and its reply
//! comes back on that stream: [`ByStream`](crate::ByStream). A call does not wait for the answer to
//! another, nor for its lost packets, since streams do not. Both ends of an association ask for 128
//! streams by default, so 127 calls are under way side by side, and more wait their turn. For
//! protocols that have an identifier in the payload there is [`Correlator`](crate::Correlator).
//!
//! What streams do not do by themselves is to let a short message pass a *long* one that has begun
//! to be sent. Where messages are long and calls are not to wait for them, both ends need
//! [`SocketBuilder::with_interleaving`](sctp_tokio::SocketBuilder::with_interleaving), the client by
//! [`Remote::with_socket`].
//!
//! # The life of a call
//!
//! `poll_ready` waits for an association and reserves a place; `call` hands the message to the
//! client's task. There it waits for a stream, goes to the kernel, and its reply completes the
//! [`Call`](crate::Call). Whatever happens instead, the call fails with what is known:
//! [`CallError`](crate::CallError). None outlives its association, and none that was accepted waits
//! longer than [`call_timeout`](ClientConfig::call_timeout).
//!
//! A call can be dropped at any time. A message that has not gone out never does. For one that
//! has, the client remembers that a reply will come: the stream is not used for another call
//! before it has.
//!
//! # The life of an association
//!
//! It is set up [eagerly](ClientBuilder::connect), [in the
//! background](ClientBuilder::connect_in_background) or [lazily](ClientBuilder::connect_lazily). When
//! it has ended, another is set up after a [pause](Backoff), by a lazy client when there is a call.
//! [`ClientBuilder::with_reconnect`] can decide otherwise, and a client of
//! [one association](ClientBuilder::over) ends with it. [`Client::last_end`] returns the end of the
//! newest association that has ended. What happens to calls when it ends:
//!
//! | the end | calls not sent | calls sent |
//! |---|---|---|
//! | the peer shuts down | fail at once, [`ShutDown`](crate::Cause::ShutDown), not sent | answered if the reply came before; else `ShutDown`, unknown |
//! | the peer aborts | [`Aborted`](crate::Cause::Aborted), not sent | `Aborted`; not sent if the kernel says so, else unknown |
//! | [`Client::graceful_shutdown`], or the last handle dropped | sent and finished within [`drain_timeout`](ClientConfig::drain_timeout) | finished within that time |
//! | its [handle](Client::association) drains it | sent and finished there; further calls wait for the next association | finished within that time |
//! | the peer sends a message that is too long | [`TooLarge`](crate::Cause::TooLarge), not sent | `TooLarge`; not sent if the kernel says so, else unknown |
//! | the network fails | [`Lost`](crate::Cause::Lost), not sent | `Lost`; not sent if the kernel says so, else unknown |
//! | the peer starts again | those that wait for a stream or an identifier are sent after the restart; the others, and one-way messages that the session has taken, fail, `Restarted`, not sent | [`Restarted`](crate::Cause::Restarted) |
//!
//! A server that shuts down may have made requests that the client's service has not answered. Calls
//! fail then as the table says, and the next association is set up after the pause, while these
//! requests are still served. So it is while an association drains. At most one association is finished
//! so beside the current one. With [`with_reconnect`](ClientBuilder::with_reconnect) the next one is set
//! up when all is finished, since the function learns of the end first.
//!
//! [`ClientBuilder::on_event`] adds a hook that is called when an association comes up or ends, with
//! the number of calls that were lost, and when an attempt fails: see [`ClientEvent`].
//! [`ClientMetrics`] is such a hook, for the `metrics` facade.
//!
//! The guide to [errors](crate::guide::errors#errors-of-calls) has a table of what can happen, and
//! what a call then fails with.
//!
//! # What the server asks
//!
//! Either end of an association may ask. A client serves requests of its server with
//! [`ClientBuilder::serving`], or takes them by hand from an [`Inbox`](crate::Inbox) of
//! [`ClientBuilder::with_inbox`]. With neither, they are discarded, counted, logged, and reported as
//! [`ClientEvent::Unsolicited`].
//!
//! # Several servers
//!
//! With the feature `pool`, the module `pool` balances calls over servers that are listed, looked
//! up by name, or fed through a channel; with one hook, and one service or inbox for what servers send
//! unasked.

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
