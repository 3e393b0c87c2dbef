#![doc = include_str!("docs/overview.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))] // says beside an item which feature it needs

// So that the example on the first page of the package is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod abort_reasons;
mod arity;
pub mod client;
pub mod codec;
mod config;
mod connect_info;
mod correlate;
mod drain;
mod drain_hook;
mod event;
mod executor;
mod extensions;
pub mod extract;
pub mod guide;
mod handle;
pub mod handler;
mod inbox;
mod incoming;
mod jitter;
pub mod layer;
mod log_limit;
mod make;
mod panics;
mod peer_table;
mod ready;
mod reply;
mod request;
mod router;
mod sealed;
mod serve;
mod session;
mod shutdown;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
mod transport;

pub use codec::Typed;
pub use config::{Config, ReplyStream, RequestOrder};
pub use connect_info::ConnectInfo;
pub use correlate::{ByStream, Correlation, Correlator, Identity, Waiting};
pub use drain::Drain;
pub use event::{Counts, ServerEvent};
pub use executor::Executor;
pub use extensions::Extensions;
pub use extract::{Extension, Payload, State, Turn};
pub use handle::{
    AssociationHandle, Caller,
    call::Call,
    error::{CallError, Cause, Fate, Refusal, TrySendError},
};
pub use handler::Handler;
pub use inbox::Inbox;
pub use incoming::IncomingAssociation;
pub use make::{MakeService, ViaMakeService, ViaService};
pub use peer_table::{Claimed, PeerTable};
pub use reply::{
    IntoReply, Reply, ReplyClosed, ReplyInfo, ReplyMessage, ReplyPart, ReplySender, Unordered,
};
pub use request::{Parts, Request};
pub use router::{KeyRouter, Match, NestedRouter, Route, Router};
#[cfg(feature = "pool")]
#[doc(no_inline)]
pub use tower;
#[doc(no_inline)]
pub use {bytes, futures_core, tokio, tokio_util, tower_layer, tower_service, tracing};

pub use sctp_core::{AbortReason, AssocId, Ppid, RecvInfo, Reliability, SendInfo, StreamId};
pub use sctp_tokio::{self, End, Event, Message, Received, RecvError, SendError, Side};
pub use serve::{Serve, ServeAssociation, ServeFuture, serve, serve_association};
pub use shutdown::Shutdown;
pub use transport::{
    EndpointListener, EndpointTransport, LimitAssociations, Limited, Listener, ListenerExt, Tap,
    Transport, TransportStats, serve_endpoint,
};
