//! Service for requests of a client's peer.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tower_service::Service;

use crate::{
    IncomingAssociation, IntoReply, MakeService, Reply, Request,
    sealed::Sealed,
    session::{MakeFuture, Maker},
};

/// Type-erased service of an association.
pub(super) type BoxService =
    Box<dyn Service<Request, Response = Reply, Error = Infallible, Future = Answer> + Send>;

type Answer = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

type Make = dyn Fn(IncomingAssociation) -> MakeFuture<BoxService> + Send + Sync;

/// Service for unsolicited messages of a client's peer.
#[derive(Clone, Default)]
pub(super) enum Serving {
    /// Discards them.
    #[default]
    Nothing,
    By(Arc<Make>),
}

impl Serving {
    pub(super) fn by<M: MakeService<K>, K>(make: M) -> Self {
        // A make-service need not be `Sync`. It is cloned here and called outside of the lock.
        let make = Mutex::new(make);
        Self::By(Arc::new(move |incoming| {
            let make = make.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Box::pin(async move {
                let service = make.make_service(incoming, Sealed(())).await?;
                Ok(Box::new(Boxing(service)) as BoxService)
            })
        }))
    }

    /// Makes the services of one association.
    pub(super) fn maker(&self) -> Maker<BoxService> {
        match self {
            Self::Nothing => {
                Box::new(|_| Box::pin(ready(Ok(Box::new(Boxing(Never)) as BoxService))))
            }
            Self::By(make) => {
                let make = Arc::clone(make);
                Box::new(move |incoming| make(incoming))
            }
        }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::By(_) => "requests",
        })
    }
}

/// A service whose futures are boxed.
struct Boxing<S>(S);

impl<S> Service<Request> for Boxing<S>
where
    S: Service<Request, Response: IntoReply, Error = Infallible, Future: Send + 'static>,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Answer {
        let answer = self.0.call(request);
        Box::pin(async move { Ok(answer.await?.into_reply()) })
    }
}

/// Placeholder for a missing service. The session never calls it.
struct Never;

impl Service<Request> for Never {
    type Response = ();
    type Error = Infallible;
    type Future = std::future::Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Ok(()))
    }
}
