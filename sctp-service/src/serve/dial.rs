//! Associations that a server sets up itself.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use sctp_tokio::ConnectError;
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::accept::Server;
use crate::{AssociationHandle, MakeService, ServerEvent, Side, Transport, client::Connect};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Loop that sets up associations with one peer. It does not name the type of their transport.
pub(super) struct Dial<M>(Box<dyn FnOnce(Arc<Server>, M) -> BoxFuture + Send>);

impl<M> Dial<M> {
    pub(super) fn new<C, K>(connect: C) -> Self
    where
        C: Connect,
        M: MakeService<K>,
        K: 'static,
    {
        Self(Box::new(move |server, make| {
            Box::pin(dial(server, connect, make))
        }))
    }

    /// Like [`new`](Self::new), with a make-service that is not the server's.
    pub(super) fn with_service<C, M2, K2>(connect: C, make: M2) -> Self
    where
        C: Connect,
        M2: MakeService<K2>,
        K2: 'static,
    {
        Self(Box::new(move |server, _| {
            Box::pin(dial(server, connect, make))
        }))
    }

    pub(super) fn run(self, server: Arc<Server>, make: M) -> BoxFuture {
        (self.0)(server, make)
    }
}

/// Sets up associations until the server is to shut down.
async fn dial<C, M, K>(server: Arc<Server>, connect: C, make: M)
where
    C: Connect,
    M: MakeService<K>,
{
    let drain = server.drain.clone();
    select! {
        biased;
        () = drain.cancelled() => {}
        () = server.dial(connect, make) => {}
    }
}

impl Server {
    /// Sets up one association after the other.
    async fn dial<C, M, K>(&self, mut connect: C, make: M)
    where
        C: Connect,
        M: MakeService<K>,
    {
        let mut failures = 0;
        loop {
            connect.wanted().await;
            let connected = timeout(self.config.connect_timeout, connect.connect()).await;
            let connected = connected.unwrap_or(Err(ConnectError::TimedOut { peer: Vec::new() }));
            let begun = Instant::now();
            let error = match connected {
                Ok(transport) => {
                    if let Some((handle, ended)) = self.start_dialled(transport, &make) {
                        // The sender is dropped with the task of the association, too.
                        let _ = ended.await;
                        let is_long = begun.elapsed() >= self.config.backoff.max();
                        if handle.has_opened() && is_long {
                            failures = 0;
                        }
                    }
                    None
                }
                Err(error) => Some(error),
            };
            failures += 1;
            let pause = self.config.backoff.pause(failures);
            if let Some(error) = error {
                self.dial_failed(&connect, &error, failures, pause);
            }
            sleep(pause).await;
        }
    }

    /// Starts serving a dialled association. The receiver hears of its end.
    fn start_dialled<T, M, K>(
        &self,
        transport: T,
        make: &M,
    ) -> Option<(AssociationHandle, oneshot::Receiver<()>)>
    where
        T: Transport,
        M: MakeService<K>,
    {
        let (done, ended) = oneshot::channel::<()>();
        let then = move |()| drop(done);
        Some((self.start(transport, make, Side::Local, then)?, ended))
    }

    fn dial_failed(
        &self,
        connect: &impl Connect,
        error: &ConnectError,
        failures: u32,
        next: Duration,
    ) {
        let addrs = connect.addrs();
        if let Some(occurrences) = self.events.limits().connect_failed.record() {
            let error = error as &dyn std::error::Error;
            tracing::warn!(
                ?addrs,
                error,
                failures,
                ?next,
                occurrences,
                "cannot connect"
            );
        }
        self.events.emit(&ServerEvent::ConnectFailed {
            addrs,
            error,
            failures,
            next,
        });
    }
}
