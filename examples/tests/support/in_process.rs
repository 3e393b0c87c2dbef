//! Servers in the process of a test.

use std::{
    net::SocketAddr,
    sync::mpsc::{Sender, channel},
    thread,
};

use sctp_tokio::SocketBuilder;
use tokio::runtime::{Builder, Runtime};

use super::PATIENCE;

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sockets on a port of loopback that the kernel chooses.
pub(crate) fn loopback() -> SocketBuilder {
    SocketBuilder::new().with_local_addrs([SocketAddr::from(([127, 0, 0, 1], 0))])
}

/// Runs a server in a thread of its own. Returns the address that the server reports.
pub(crate) fn start<S>(server: S) -> SocketAddr
where
    S: AsyncFnOnce(Sender<SocketAddr>) + Send + 'static,
{
    let (sender, receiver) = channel();
    thread::spawn(move || runtime().block_on(server(sender)));
    receiver.recv_timeout(PATIENCE).unwrap()
}
