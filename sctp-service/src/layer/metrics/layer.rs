use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{Metrics, instruments::Instruments};

/// Counts and measures the requests of a service and its replies. It does nothing to the
/// association.
///
/// The guide [`observability`](crate::guide::observability) has a table of what it records. Replies are
/// counted as the service returns them; messages of them that an end cut off are in
/// `sctp_discarded_total`. No label comes from the peer, so a peer cannot add time series.
///
/// ```
/// use sctp_service::{
///     handler::handler_fn,
///     layer::{AssociationMetrics, MetricsLayer},
///     serve,
/// };
/// use tower::ServiceBuilder;
///
/// # async fn run(listener: impl sctp_service::Listener) {
/// let service = ServiceBuilder::new()
///     .layer(MetricsLayer::new())
///     .service(handler_fn(async |text: String| text));
/// let associations = AssociationMetrics::new();
/// serve(listener, service)
///     .on_event(move |event| associations.record(event))
///     .await;
/// # }
/// ```
///
/// The outermost layer measures what a peer waits for; one further in, what a part of the stack
/// takes. Two of them in one stack count twice.
#[derive(Clone)]
pub struct MetricsLayer {
    instruments: Arc<Instruments>,
}

impl MetricsLayer {
    /// Registers its metrics with the recorder that is installed now. One that is installed
    /// later hears nothing: looking it up with every message would cost more than all else here.
    #[must_use]
    pub fn new() -> Self {
        Self {
            instruments: Arc::new(Instruments::new()),
        }
    }
}

impl Default for MetricsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        Metrics {
            inner,
            instruments: Arc::clone(&self.instruments),
        }
    }
}

impl fmt::Debug for MetricsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsLayer").finish_non_exhaustive()
    }
}
