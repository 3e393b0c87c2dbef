//! Shared parts of the example programs: the echo service and client of *UNIX Network
//! Programming*, volume 1, section 10.7, on this stack.
//!
//! | module | what |
//! |---|---|
//! | [`address`] | from names to addresses |
//! | [`client`] | the client: lines to messages, replies to lines, and how it all ended |
//! | [`diameter`] | messages of Diameter's base protocol |
//! | [`line`](mod@line) | the text that people type and read |
//! | [`m3ua_codec`] | messages of M3UA |
//! | [`program`] | log, exit status, printed lines, times on the command line |
//! | [`service`] | the server's service, and the layers around it |
//! | [`signal`] | when to stop |
#![forbid(unsafe_code)]

pub mod address;
pub mod client;
pub mod diameter;
pub mod line;
pub mod m3ua_codec;
pub mod program;
pub mod service;
pub mod signal;
