//! Readiness of sockets. No other module waits for a socket.

pub(crate) mod reassembly;
pub(crate) mod recv_batch;
pub(crate) mod wakers;

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    io,
    sync::Arc,
    task::{Context, Poll, Wake, ready},
    time::Duration,
};

use sctp_core::{Part, Socket};
use tokio::{
    io::{
        Interest, Ready,
        unix::{AsyncFd, AsyncFdReadyGuard},
    },
    task::coop,
    time::sleep,
};

use recv_batch::{More, receive};
use wakers::{Waiter, Wakers};

/// Interval at which a pending send is retried without a wake-up.
///
/// When an association is closed, the kernel frees its queue without raising writability
/// (`sctp_association_free` removes it from the list that `sctp_write_space` walks). The last
/// notification raises it, but possibly before the space is free.
const RETRY: Duration = Duration::from_secs(1);

/// Retry interval of a socket that has reported an error, for which the reactor delivers no further
/// wake-ups.
const RETRY_AFTER_ERROR: Duration = Duration::from_millis(20);

/// Error returned when a socket cannot be registered: the user's limit of watches
/// (`fs.epoll.max_user_watches`) is reached, or memory is exhausted.
///
/// Both conditions are transient, and the socket may carry an established association.
#[derive(Debug)]
pub(crate) struct RegisterError {
    pub(crate) socket: Socket,
    pub(crate) error: io::Error,
}

/// Closes the socket, for callers that do not retry.
impl From<RegisterError> for io::Error {
    fn from(error: RegisterError) -> Self {
        error.error
    }
}

/// Socket registered with the runtime's reactor (edge-triggered epoll).
///
/// Every loop attempts the operation first and waits only after `WouldBlock`. Any other error is
/// returned: it does not clear readiness, so a retry would spin.
#[derive(Debug)]
pub(crate) struct Io {
    fd: AsyncFd<Socket>,
    writers: Arc<Wakers>,
}

impl Io {
    /// Registers a socket, or returns it with the error. Panics outside a tokio runtime with its
    /// I/O and time drivers enabled.
    #[track_caller]
    pub(crate) fn new(socket: Socket) -> Result<Self, RegisterError> {
        // Waits have timers. Without a time driver this panics here, instead of in the first send
        // that finds the buffer full.
        drop(sleep(Duration::ZERO));
        #[allow(
            deprecated,
            reason = "its successor is unsafe for the sake of types that lend a descriptor out; a Socket owns \
                      its descriptor for life, and this crate forbids unsafe code"
        )]
        let registered =
            AsyncFd::try_with_interest(socket, Interest::READABLE | Interest::WRITABLE);
        match registered {
            Ok(fd) => Ok(Self {
                fd,
                writers: Arc::default(),
            }),
            Err(error) => {
                let (socket, error) = error.into_parts();
                Err(RegisterError { socket, error })
            }
        }
    }

    /// Takes the socket back from the reactor.
    pub(crate) fn into_socket(self) -> Socket {
        self.fd.into_inner()
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.fd.get_ref()
    }

    /// Calls `receive` until it does not block. Only the waker of the most recent call is kept.
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

    /// Receives a batch, appended to `parts`. Only the waker of the most recent call is kept.
    ///
    /// A partial batch means that the queue is empty, so readiness is cleared without another
    /// system call. A concurrent edge is not lost: only the readiness observed before the receive
    /// is cleared.
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        parts: &mut VecDeque<Part>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            match receive(self.socket(), parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Ok(More::No) => {
                    guard.clear_ready();
                    return Poll::Ready(Ok(()));
                }
                result => return Poll::Ready(result.map(drop)),
            }
        }
    }

    /// Calls `send` until it does not block, and again after each [`RETRY`]. Only the waker of the
    /// most recent call is kept for each waiter.
    ///
    /// Unlike `poll_read`, this method attempts the operation before it waits: the writability of a
    /// new socket is often unknown, and a task woken by [`Io::wake_writers`] must see the error.
    pub(crate) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        waiter: &Waiter,
        mut send: impl FnMut(&Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        // A peer that reads as fast as this task sends must not starve other tasks.
        let coop = ready!(coop::poll_proceed(cx));
        loop {
            match send(self.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    coop.made_progress();
                    waiter.finish();
                    return Poll::Ready(result);
                }
            }
            ready!(self.poll_writable(cx, waiter))?;
        }
    }

    /// Waits until another attempt to send is worthwhile.
    fn poll_writable(&self, cx: &mut Context<'_>, waiter: &Waiter) -> Poll<io::Result<()>> {
        let waker = self.writers.register(waiter, cx.waker());
        let interval = match self.fd.poll_write_ready(&mut Context::from_waker(&waker)) {
            // Readiness is cleared before the next attempt, never after one, so no edge is lost.
            Poll::Ready(guard) => match forget(guard?) {
                true => return Poll::Ready(Ok(())),
                false => RETRY_AFTER_ERROR,
            },
            Poll::Pending => RETRY,
        };
        waiter.poll_retry(cx, interval).map(Ok)
    }

    /// Calls `send` until it does not block, for any number of tasks at once.
    pub(crate) async fn write<T>(
        &self,
        mut send: impl FnMut(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        // Fast path without a waiter.
        coop::consume_budget().await;
        match send(self.socket()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        let waiter = Waiter::default();
        poll_fn(|cx| self.poll_write(cx, &waiter, &mut send)).await
    }

    /// Wakes all pending sends, which then retry.
    pub(crate) fn wake_writers(&self) {
        self.writers.wake_by_ref();
    }

    /// Waits for writability and clears it. Callers must also retry on a timer: after the socket
    /// has reported an error, this future may never complete.
    pub(crate) async fn forget_writable(&self) -> io::Result<()> {
        if !forget(self.fd.writable().await?) {
            pending::<()>().await;
        }
        Ok(())
    }
}

/// Clears writability. Returns `false` if the socket is not writable but had an error, for example
/// of ICMP (`IP_RECVERR`). The reactor treats an error as closed for writing, a state that it never
/// clears.
fn forget(mut guard: AsyncFdReadyGuard<'_, Socket>) -> bool {
    let writable = guard.ready() & Ready::WRITABLE;
    guard.clear_ready();
    !writable.is_empty()
}

#[cfg(test)]
mod tests {
    use sctp_core::Family;
    use tokio::time::Instant;

    use super::*;

    /// A send that finds space after a while, without a wake-up by the kernel.
    fn silent_room() -> impl FnMut(&Socket) -> io::Result<()> {
        let room_at = Instant::now() + 3 * RETRY / 2;
        move |_| match Instant::now() < room_at {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }

    fn unbound() -> Io {
        Io::new(Socket::one_to_many(Family::V4).unwrap()).unwrap()
    }

    /// Returns the duration of a send. The clock stands still until every task waits.
    async fn time(sending: impl Future<Output = io::Result<()>>) -> Duration {
        let began = Instant::now();
        tokio::time::timeout(10 * RETRY, sending)
            .await
            .unwrap()
            .unwrap();
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn polled_send_finds_space_without_wakeup() {
        let (io, waiter) = (unbound(), Waiter::default());
        for _ in 0..2 {
            let mut send = silent_room();
            let taken = time(poll_fn(|cx| io.poll_write(cx, &waiter, &mut send))).await;
            assert!(taken < 3 * RETRY, "{taken:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn awaited_send_finds_space_without_wakeup() {
        let taken = time(unbound().write(silent_room())).await;
        assert!(taken < 3 * RETRY, "{taken:?}");
    }
    /// A socket that has had an error: the peer refused its association.
    async fn refused() -> Io {
        let io = Io::new(Socket::one_to_one(Family::V4).unwrap()).unwrap();
        let nobody = "127.0.0.1:9".parse().unwrap();
        io.socket().connectx(&[nobody]).unwrap();
        loop {
            let mut guard = io.fd.writable().await.unwrap();
            if guard.ready().is_write_closed() {
                break;
            }
            guard.clear_ready();
        }
        io
    }

    #[tokio::test(start_paused = true)]
    async fn send_after_an_error_waits_without_spinning() {
        let (io, waiter) = (refused().await, Waiter::default());
        let (mut attempts, mut room) = (0, silent_room());
        let mut send = |socket: &Socket| {
            attempts += 1;
            assert!(attempts < 1000, "spins");
            room(socket)
        };
        time(poll_fn(|cx| io.poll_write(cx, &waiter, &mut send))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn writability_after_an_error_is_not_reported_at_once() {
        let io = refused().await;
        io.fd.writable().await.unwrap().clear_ready();
        let waiting = tokio::time::timeout(RETRY, io.forget_writable());
        assert!(waiting.await.is_err());
    }
}
