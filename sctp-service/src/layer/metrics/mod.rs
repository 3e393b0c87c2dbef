//! Middleware that counts and measures, and does nothing to the association.
//!
//! There are two halves, since a layer sees requests and not associations: [`MetricsLayer`]
//! measures what a service does, and [`AssociationMetrics`] counts what the server's
//! [events](crate::ServerEvent) tell. Clients have [`ClientMetrics`](crate::client::ClientMetrics).
//! [`TransportMetrics`] reads the kernel's statistics, when it is asked to.
//! All of them speak to the [`metrics`] facade: install a recorder (an exporter for Prometheus,
//! StatsD, ...) before they are made, or nothing is recorded.

mod aggregate;
mod associations;
mod future;
mod instruments;
mod layer;
mod stream;
mod transport;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

pub use associations::AssociationMetrics;
pub(crate) use associations::{end_label, path_label};
pub use future::MetricsFuture;
use instruments::Instruments;
pub use layer::MetricsLayer;
pub use transport::TransportMetrics;

use crate::{IntoReply, Reply, Request};

/// Counts and measures requests and replies; see [`MetricsLayer`].
#[derive(Clone)]
pub struct Metrics<S> {
    inner: S,
    instruments: Arc<Instruments>,
}

impl<S> Metrics<S> {
    /// Returns the inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the inner service out.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S> Service<Request> for Metrics<S>
where
    S: Service<Request, Response: IntoReply>,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = MetricsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let call = Instruments::begin(&self.instruments, &request);
        MetricsFuture::new(self.inner.call(request), call)
    }
}

impl<S: fmt::Debug> fmt::Debug for Metrics<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
