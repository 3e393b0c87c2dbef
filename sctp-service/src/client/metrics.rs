//! Metrics of clients and pools.

use std::fmt;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use super::ClientEvent;
#[cfg(feature = "pool")]
use crate::client::pool::PoolEvent;
use crate::{
    Counts,
    layer::{end_label, path_label},
};

/// Counts what happens to the associations of clients, from their events: what
/// [`AssociationMetrics`](crate::layer::AssociationMetrics) is for a server. It does nothing to them.
///
/// | by [`record`](Self::record) | kind | unit | is |
/// |---|---|---|---|
/// | `sctp_client_associations` | gauge | associations | those that are up |
/// | `sctp_client_associations_up_total` | counter | associations | those that came up |
/// | `sctp_client_associations_closed_total` | counter | associations | label `cause`: `shutdown`, `peer_shutdown`, `abort`, `peer_abort`, `lost` or `other` |
/// | `sctp_client_associations_restarted_total` | counter | restarts | restarts of servers |
/// | `sctp_client_connect_failures_total` | counter | attempts | those that set up no association |
/// | `sctp_client_path_changes_total` | counter | changes | label `state`; a path failure is `unreachable` |
/// | `sctp_client_receive_failures_total` | counter | failures | each the end of an association |
/// | `sctp_client_discarded_total` | counter | calls or messages | counted when an association ends; label `what`: `lost_call`, `unsent_call`, `late_reply`, `request` or `send`, as in [`Counts`] |
///
/// | by `record_pool`, with the feature `pool` | kind | unit | is |
/// |---|---|---|---|
/// | `sctp_pool_servers` | gauge | servers | those that are listed |
/// | `sctp_pool_unavailable_total` | counter | times | that calls began to fail since no server was ready |
/// | `sctp_pool_unavailable_calls_total` | counter | calls | that failed so, counted when a server is ready again |
/// | `sctp_pool_lookup_failures_total` | counter | lookups | those that failed or found nothing |
///
/// No label comes from the network. Calls and how long they take are for a layer around the client, or
/// whoever makes them.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_service::client::{Client, ClientMetrics, Remote};
/// use std::net::SocketAddr;
///
/// let server: SocketAddr = "192.0.2.1:9877".parse()?;
/// let metrics = ClientMetrics::new();
/// let client = Client::builder()
///     .on_event(move |event| metrics.record(event))
///     .connect(Remote::new(server))
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientMetrics {
    associations: Gauge,
    up: Counter,
    restarted: Counter,
    connect_failures: Counter,
    receive_failures: Counter,
}

impl ClientMetrics {
    /// Registers what it records with the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            associations: gauge!("sctp_client_associations"),
            up: counter!("sctp_client_associations_up_total"),
            restarted: counter!("sctp_client_associations_restarted_total"),
            connect_failures: counter!("sctp_client_connect_failures_total"),
            receive_failures: counter!("sctp_client_receive_failures_total"),
        }
    }

    /// Records an event; for [`ClientBuilder::on_event`](super::ClientBuilder::on_event). Events come
    /// seldom, so those with labels ask the recorder of the thread each time.
    pub fn record(&self, event: &ClientEvent<'_>) {
        match event {
            ClientEvent::Up { .. } => {
                self.up.increment(1);
                self.associations.increment(1);
            }
            ClientEvent::Closed { end, counts, .. } => {
                self.associations.decrement(1);
                counter!("sctp_client_associations_closed_total", "cause" => end_label(end))
                    .increment(1);
                discarded(counts);
            }
            ClientEvent::Restarted { .. } => self.restarted.increment(1),
            ClientEvent::PathChanged { change, .. } => {
                let state = path_label(change.state);
                counter!("sctp_client_path_changes_total", "state" => state).increment(1);
            }
            ClientEvent::ReceiveFailed { .. } => self.receive_failures.increment(1),
            ClientEvent::ConnectFailed { .. } => self.connect_failures.increment(1),
            ClientEvent::Open { .. }
            | ClientEvent::Unsolicited { .. }
            | ClientEvent::ReplyRefused { .. }
            | ClientEvent::SendRefused { .. }
            | ClientEvent::HeldBack { .. }
            | ClientEvent::Panicked { .. } => {}
        }
    }

    /// Records an event of a pool, with those of its servers' clients; for
    /// [`PoolBuilder::on_event`](super::pool::PoolBuilder::on_event).
    #[cfg(feature = "pool")]
    pub fn record_pool(&self, event: &PoolEvent<'_>) {
        match event {
            PoolEvent::Client { event, .. } => self.record(event),
            PoolEvent::Added { .. } => gauge!("sctp_pool_servers").increment(1),
            PoolEvent::Removed { .. } => gauge!("sctp_pool_servers").decrement(1),
            PoolEvent::Unavailable { .. } => counter!("sctp_pool_unavailable_total").increment(1),
            PoolEvent::Available { failed_calls, .. } => {
                counter!("sctp_pool_unavailable_calls_total").increment(*failed_calls);
            }
            PoolEvent::LookupFailed { .. } => {
                counter!("sctp_pool_lookup_failures_total").increment(1);
            }
        }
    }
}

impl Default for ClientMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMetrics").finish_non_exhaustive()
    }
}

fn discarded(counts: &Counts) {
    for (what, count) in [
        ("lost_call", counts.lost_calls),
        ("unsent_call", counts.unsent_calls),
        ("late_reply", counts.late_replies),
        ("request", counts.discarded_requests),
        ("send", counts.discarded_sends),
    ] {
        if count > 0 {
            counter!("sctp_client_discarded_total", "what" => what).increment(count);
        }
    }
}

fn describe() {
    let counters = [
        ("associations_up_total", "Associations that came up."),
        (
            "associations_closed_total",
            "Associations that ended, by cause.",
        ),
        ("associations_restarted_total", "Restarts of servers."),
        (
            "connect_failures_total",
            "Attempts that set up no association.",
        ),
        (
            "path_changes_total",
            "Changes of paths, by their new state.",
        ),
        ("receive_failures_total", "Failures to receive."),
        (
            "discarded_total",
            "Calls and messages that were cut off or discarded.",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(format!("sctp_client_{name}"), Unit::Count, text);
    }
    describe_gauge!(
        "sctp_client_associations",
        Unit::Count,
        "Associations of clients that are up."
    );
    #[cfg(feature = "pool")]
    describe_pool();
}

#[cfg(feature = "pool")]
fn describe_pool() {
    let counters = [
        (
            "unavailable_total",
            "Times that calls began to fail for want of a server.",
        ),
        (
            "unavailable_calls_total",
            "Calls that failed for want of a server.",
        ),
        (
            "lookup_failures_total",
            "Lookups that failed or found nothing.",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(format!("sctp_pool_{name}"), Unit::Count, text);
    }
    describe_gauge!("sctp_pool_servers", Unit::Count, "Servers that are listed.");
}
