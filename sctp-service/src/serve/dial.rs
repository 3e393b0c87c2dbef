//! Associations that a server initiates.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use sctp_tokio::ConnectError;
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep},
};

use super::accept::Server;
use crate::{
    AssociationHandle, MakeService, ServerEvent, Side, Transport,
    client::{Attempts, Connect, connect_within, known_addrs},
};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Loop that sets up associations with one peer, with an erased transport type.
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

/// Sets up associations until the server shuts down.
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
        let mut attempts = Attempts::new(self.config.backoff);
        loop {
            let pause = match connect_within(&mut connect, self.config.connect_timeout).await {
                Ok(transport) => {
                    let begun = Instant::now();
                    let mut has_opened = false;
                    if let Some((handle, ended)) = self.start_dialled(transport, &make) {
                        // The sender is dropped with the task of the association, too.
                        let _ = ended.await;
                        has_opened = handle.has_opened();
                    }
                    attempts.ended(has_opened, begun.elapsed()).1
                }
                Err(error) => {
                    let (failures, pause) = attempts.failed();
                    self.dial_failed(&connect, &error, failures, pause);
                    pause
                }
            };
            sleep(pause).await;
        }
    }

    /// Starts serving a dialled association. The receiver resolves at its end.
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
        let addrs = known_addrs(connect);
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
