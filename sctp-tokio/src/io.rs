//! Readiness: the one place that knows when to try again.

use std::{
    io,
    task::{Context, Poll, ready},
};

use sctp_core::Socket;
use tokio::io::{Interest, unix::AsyncFd};

/// A socket registered with the runtime's reactor (edge-triggered epoll).
///
/// The rule of every loop here: try, and wait only after the kernel has said `WouldBlock`. Any
/// other error goes to the caller; looping on it would spin, since it does not clear readiness.
#[derive(Debug)]
pub(crate) struct Io {
    fd: AsyncFd<Socket>,
}

impl Io {
    /// Registers a socket. Panics outside a tokio runtime with its I/O driver enabled, as all of
    /// tokio's sockets do.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        #[allow(
            deprecated,
            reason = "its successor is unsafe for the sake of types that lend a descriptor out; a Socket owns \
                      its descriptor for life, and this crate forbids unsafe code"
        )]
        let fd = AsyncFd::with_interest(socket, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { fd })
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.fd.get_ref()
    }

    /// Calls `receive` until it does not block; keeps the waker of the last task to ask.
    pub(crate) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(&Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            match receive(self.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                result => return Poll::Ready(result),
            }
        }
    }

    /// Calls `send` until it does not block; keeps the waker of the last task to ask.
    pub(crate) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.fd.poll_write_ready(cx))?;
            match send(self.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                result => return Poll::Ready(result),
            }
        }
    }

    /// The same for any number of tasks at once.
    pub(crate) async fn write<T>(
        &self,
        mut send: impl FnMut(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let mut guard = self.fd.writable().await?;
            match send(self.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                result => return result,
            }
        }
    }

    /// Waits for writability, and forgets it: for callers that try again after each wait, whether
    /// it was stale or not.
    pub(crate) async fn forget_writable(&self) -> io::Result<()> {
        self.fd.writable().await?.clear_ready();
        Ok(())
    }
}
