//! Functions of `on_drain`.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::AssociationHandle;

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Function that runs when an association begins to drain, set by
/// [`Serve::on_drain`](crate::Serve::on_drain).
#[derive(Clone)]
pub(crate) struct DrainHook(Arc<dyn Fn(AssociationHandle) -> BoxFuture + Send + Sync>);

impl DrainHook {
    pub(crate) fn new<F, Fut>(hook: F) -> Self
    where
        F: Fn(AssociationHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |association| Box::pin(hook(association))))
    }

    pub(crate) fn call(&self, association: AssociationHandle) -> BoxFuture {
        (self.0)(association)
    }
}
