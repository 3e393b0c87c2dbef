//! The accept loop of one listener.

use std::{
    error::Error,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{select, sync::Semaphore, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::Executor;
use crate::{
    Config, ConnectInfo, Listener, Transport,
    driver::{Driver, reasons},
    event::{EventHook, ServerEvent},
    make::MakeService,
    log_limit::LogLimiter,
};

/// How long to wait when accepting fails. Descriptors and memory come back when associations
/// end, and the kernel keeps those that wait.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What the accept loops of a server share.
pub(super) struct Server<E> {
    pub(super) config: Arc<Config>,
    pub(super) events: EventHook,
    pub(super) executor: E,
    /// Cancelled when the server is to shut down.
    pub(super) drain: CancellationToken,
    /// One permit for each association. That it is a limit, and that all permits are back when
    /// all associations are closed, makes it the whole book-keeping of the server.
    pub(super) permits: Arc<Semaphore>,
    pub(super) refusals: LogLimiter,
}

impl<E: Executor> Server<E> {
    /// Accepts until the server is to shut down.
    pub(super) async fn accept<L, M, K>(&self, mut listener: L, make: M)
    where
        L: Listener,
        M: MakeService<K>,
    {
        loop {
            let accepted = select! {
                biased;
                () = self.drain.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(transport) => self.start(transport, make.clone()),
                Err(error) if is_lost_association(&error) => {
                    tracing::debug!(
                        error = &error as &dyn Error,
                        "an association was lost as it came up"
                    );
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn Error,
                        "cannot accept, trying again in a second"
                    );
                    self.events
                        .emit(&ServerEvent::AcceptFailed { error: &error });
                    select! {
                        () = self.drain.cancelled() => break,
                        () = sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        self.stop(listener, make).await;
    }

    /// Stops listening, and sees to those that came up in the meantime: were the listener just
    /// dropped, the kernel would end them unserved, and abort those that had sent something without a word.
    async fn stop<L, M, K>(&self, mut listener: L, make: M)
    where
        L: Listener,
        M: MakeService<K>,
    {
        if let Err(error) = listener.stop_listening() {
            tracing::warn!(error = &error as &dyn Error, "cannot stop listening");
        }
        while let Some(Ok(transport)) = try_accept(&mut listener).await {
            self.start(transport, make.clone());
        }
    }

    fn start<T, M, K>(&self, mut transport: T, make: M)
    where
        T: Transport,
        M: MakeService<K>,
    {
        let connect_info = transport.connect_info();
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            if let Some(refused) = self.refusals.record() {
                let limit = self.config.max_associations;
                tracing::warn!(limit, refused, "too many associations, refusing more");
            }
            self.events.emit(&ServerEvent::Refused {
                connect_info: &connect_info,
            });
            if let Err(error) = transport.abort(&reasons::TOO_MANY_ASSOCIATIONS) {
                tracing::debug!(error = &error as &dyn Error, "cannot abort");
            }
            return;
        };
        let span = span(&connect_info);
        let config = Arc::clone(&self.config);
        let events = self.events.clone();
        // A child has its own waiters: the associations do not contend for one lock.
        let drain = self.drain.child_token();
        let driver = Driver::new(transport, make, config, events, drain);
        let task = driver.run(move |_| drop(permit));
        self.executor.spawn(task.instrument(span));
    }
}

/// Makes the span that all of an association's life is in.
pub(super) fn span(connect_info: &ConnectInfo) -> Span {
    let peer = connect_info.peer_addr();
    tracing::info_span!("association", id = %connect_info.assoc(), ?peer)
}

/// Accepts an association only if one is there already.
async fn try_accept<L: Listener>(listener: &mut L) -> Option<io::Result<L::Transport>> {
    let mut accept = pin!(listener.accept());
    poll_fn(|cx| match accept.as_mut().poll(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Whether an error is about one association alone, so that the next one may be fine.
fn is_lost_association(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected
    )
}
