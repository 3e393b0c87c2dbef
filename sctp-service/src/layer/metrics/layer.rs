use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{Metrics, instruments::Instruments};

/// Counts and measures the requests of a service and its replies. It does nothing to the
/// association.
///
/// Both tables together are all that is recorded of a server; the second is that of
/// [`AssociationMetrics`](super::AssociationMetrics). Counters only ever rise. What is recorded of
/// clients is in the tables of [`ClientMetrics`](crate::client::ClientMetrics).
///
/// | by this layer | kind | unit | is |
/// |---|---|---|---|
/// | `sctp_requests_total` | counter | requests | calls of the service |
/// | `sctp_request_bytes_total` | counter | bytes | their payloads |
/// | `sctp_requests_in_flight` | gauge | requests | calls that were not yet answered or dropped |
/// | `sctp_request_duration_seconds` | histogram | seconds | from the call to its answer; where that is a stream, to its beginning |
/// | `sctp_request_failures_total` | counter | requests | calls that ended with an error of the service |
/// | `sctp_reply_messages_total` | counter | messages | messages of replies, those of streams as they come |
/// | `sctp_reply_bytes_total` | counter | bytes | their payloads |
/// | `sctp_terminations_total` | counter | replies | replies that end their association; label `kind`: `after_ack` or `abort` |
///
/// | by the hook | kind | unit | is |
/// |---|---|---|---|
/// | `sctp_associations` | gauge | associations | those that are up |
/// | `sctp_associations_up_total` | counter | associations | those that came up |
/// | `sctp_associations_closed_total` | counter | associations | label `cause`: `shutdown`, `peer_shutdown`, `abort`, `peer_abort`, `lost` or `other` |
/// | `sctp_associations_refused_total` | counter | associations | those beyond the limit |
/// | `sctp_associations_restarted_total` | counter | restarts | restarts of peers |
/// | `sctp_path_changes_total` | counter | changes | label `state`; a path failure is `unreachable` |
/// | `sctp_discarded_total` | counter | messages or calls | what an end cut off, counted when it comes; label `what`: `request`, `reply`, `call` or `send` |
/// | `sctp_failures_total` | counter | failures | label `what`: `panic`, `reply` or `send` (refused), `receive`, `accept` or `connect` |
/// | `sctp_calls_held_back_total` | counter | times | calls that waited behind too many requests |
///
/// Replies are counted as the service gives them; what of them an end cut off is in
/// `sctp_discarded_total`. No label comes from the peer, so nobody can make their number grow.
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
/// As the outermost layer it measures what a peer waits for; further in, what a part of the
/// stack takes. Two of them in one stack count twice.
#[derive(Clone)]
pub struct MetricsLayer {
    instruments: Arc<Instruments>,
}

impl MetricsLayer {
    /// Registers what it records with the recorder that is installed now. One that is installed
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
