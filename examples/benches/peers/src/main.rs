//! Echo servers on the SCTP libraries of others: `echo-peers NAME PORT`.
//!
//! Each is the fastest that its library's interface allows; ../../README.md says why it is
//! written as it is.
#![forbid(unsafe_code)]

#[cfg(feature = "async-sctp")]
mod async_sctp;
#[allow(dead_code, reason = "the other half is for who asks")]
#[path = "../../../../sctp-tokio/benches/support/control.rs"]
mod control;
mod lksctp;
mod oxirush;
mod sctp_rs;

use std::{
    alloc::System,
    env, io,
    net::{Ipv4Addr, SocketAddr},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Buffer size that every server requests, if its library allows it.
pub(crate) const BUFFER: usize = 4 << 20;
/// So that no association is refused however many come at once.
pub(crate) const BACKLOG: i32 = 4096;
/// No message of the benchmark is longer.
pub(crate) const MAX_MESSAGE: usize = 65_536;

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, name, port] = &args[..] else {
        return Err(io::Error::other("echo-peers NAME PORT"));
    };
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::spawn(control::answer(port, ALLOCATOR));
        match name.as_str() {
            #[cfg(feature = "async-sctp")]
            "async-sctp" => async_sctp::serve(address).await.map_err(io::Error::other),
            "lksctp" => lksctp::serve(address).await,
            "oxirush" => oxirush::serve(address, oxirush::single).await,
            "oxirush-batch" => oxirush::serve(address, oxirush::batched).await,
            "sctp-rs" => sctp_rs::serve(address).await,
            other => Err(io::Error::other(format!("{other} was not built"))),
        }
    })
}

/// Says that peers can come.
pub(crate) fn ready() {
    println!("ready");
}
