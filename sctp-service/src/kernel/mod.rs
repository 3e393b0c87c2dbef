//! The kernel's associations as transports.

mod association;
mod demux;
mod endpoint;
mod inbox;
mod shared;

pub use endpoint::{EndpointListener, serve_endpoint};
pub use shared::EndpointTransport;
