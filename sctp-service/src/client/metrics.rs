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
/// The guide [`observability`](crate::guide::observability) has a table of what it records. No label
/// comes from the network. Calls and their durations are for a layer around the client.
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
    established: Counter,
    restarted: Counter,
    connect_failures: Counter,
    receive_failures: Counter,
}

impl ClientMetrics {
    /// Registers its metrics with the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            associations: gauge!("sctp_client_associations"),
            established: counter!("sctp_client_associations_established_total"),
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
                self.established.increment(1);
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
            PoolEvent::Unavailable { .. } => counter!("sctp_pool_outages_total").increment(1),
            PoolEvent::Available { failed_calls, .. } => {
                counter!("sctp_pool_rejected_calls_total").increment(*failed_calls);
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
    for (kind, count) in [
        ("lost_call", counts.lost_calls),
        ("unsent_call", counts.unsent_calls),
        ("late_reply", counts.late_replies),
        ("request", counts.discarded_requests),
        ("send", counts.discarded_sends),
    ] {
        if count > 0 {
            counter!("sctp_client_discarded_total", "kind" => kind).increment(count);
        }
    }
}

fn describe() {
    let counters = [
        (
            "associations_established_total",
            "Associations that were established.",
        ),
        (
            "associations_closed_total",
            "Associations that are closed, by cause.",
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
            "Calls and messages that were cut off or discarded, by kind.",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(format!("sctp_client_{name}"), Unit::Count, text);
    }
    describe_gauge!(
        "sctp_client_associations",
        Unit::Count,
        "Associations of clients that are established."
    );
    #[cfg(feature = "pool")]
    describe_pool();
}

#[cfg(feature = "pool")]
fn describe_pool() {
    let counters = [
        (
            "outages_total",
            "Times that calls began to fail for want of a server.",
        ),
        (
            "rejected_calls_total",
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
    describe_gauge!("sctp_pool_servers", Unit::Count, "Servers in the pool.");
}
