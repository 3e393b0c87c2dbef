//! The whole file: a server and a pool of clients.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use sctp_service::{
    Config, ReplyStream, RequestOrder,
    client::{
        Backoff, Client, ClientConfig,
        pool::{Pool, PoolBuilder, RetryPolicy},
    },
};
use sctp_tokio::SocketBuilder;
use serde::{Deserialize, Serialize};

use crate::{
    socket::Socket,
    values::{Named, Names, Number, OrNone, Time},
};

type Count = Number<usize, 1, 4_294_967_295>;
type Bytes = Number<usize, 1, 4_294_967_295>;
/// From a millisecond to 30 days.
type Timeout = Time<1, 2_592_000_000>;

/// Contents of the file. A key that it leaves out has the default of the library.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) server: ServerSettings,
    pub(crate) pool: PoolSettings,
}

/// Limits and times of a server.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerSettings {
    max_associations: Count,
    max_in_flight: Count,
    read_ahead: Count,
    read_ahead_bytes: Bytes,
    reply_queue: Count,
    reply_queue_bytes: Bytes,
    outbound_queue: Count,
    outbound_queue_bytes: Bytes,
    max_calls: Count,
    call_timeout: OrNone<Timeout>,
    overdue_after: Timeout,
    request_order: Named<RequestOrder>,
    reply_stream: Named<ReplyStream>,
    handshake_timeout: Timeout,
    connect_timeout: Timeout,
    idle_timeout: OrNone<Time<0, 2_592_000_000>>,
    max_association_age: OrNone<Timeout>,
    max_association_age_grace: OrNone<Timeout>,
    shutdown_timeout: Timeout,
    drain_timeout: Timeout,
    backoff: Pauses,
    pub(crate) socket: Socket,
}

/// Servers, limits and times of a pool.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PoolSettings {
    /// Addresses of each server, which has several if it is multi-homed.
    pub(crate) servers: Vec<Vec<SocketAddr>>,
    ready_timeout: Timeout,
    queue: Count,
    retries: Number<usize, 0, 1_000>,
    retry_after_shutdown: bool,
    client: ClientSettings,
    socket: Socket,
}

/// Limits and times of the client that each server of a pool has.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct ClientSettings {
    max_in_flight: Count,
    call_timeout: OrNone<Timeout>,
    overdue_after: Timeout,
    connect_timeout: Timeout,
    shutdown_timeout: Timeout,
    drain_timeout: Timeout,
    wait_for_connection: bool,
    backoff: Pauses,
}

/// Pauses between attempts to connect.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Pauses {
    min: Timeout,
    max: Timeout,
}

impl Settings {
    /// Reads a file.
    ///
    /// The error has its name, and the first mistake with its line. Keys that contradict each other
    /// are named without lines.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let named = |error: &str| format!("{}: {}", file.display(), error.trim_end());
        let text = fs::read_to_string(file).map_err(|error| named(&error.to_string()))?;
        let settings: Self = toml::from_str(&text).map_err(|error| named(&error.to_string()))?;
        settings.check().map_err(|error| named(&error))?;
        Ok(settings)
    }

    /// Writes the settings that the library has been given.
    pub(crate) fn in_effect(&self) -> Result<String, toml::ser::Error> {
        let pool = self.pool.builder();
        toml::to_string(&Self {
            server: ServerSettings::of(&self.server.config(), &self.server.socket.builder()),
            pool: PoolSettings {
                servers: self.pool.servers.clone(),
                ..PoolSettings::of(&pool)
            },
        })
    }

    /// Returns what is wrong with settings that do not fit each other.
    fn check(&self) -> Result<(), String> {
        let (server, pool) = (&self.server, &self.pool);
        for (table, outcome) in [
            ("server.backoff", server.backoff.check()),
            ("server.socket", server.socket.check()),
            ("pool.client.backoff", pool.client.backoff.check()),
            ("pool.socket", pool.socket.check()),
        ] {
            outcome.map_err(|error| format!("{table}: {error}"))?;
        }
        Ok(())
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self::of(&Config::new(), &SocketBuilder::new())
    }
}

impl ServerSettings {
    fn of(config: &Config, socket: &SocketBuilder) -> Self {
        Self {
            max_associations: Number(config.max_associations),
            max_in_flight: Number(config.max_in_flight),
            read_ahead: Number(config.read_ahead),
            read_ahead_bytes: Number(config.read_ahead_bytes),
            reply_queue: Number(config.reply_queue),
            reply_queue_bytes: Number(config.reply_queue_bytes),
            outbound_queue: Number(config.outbound_queue),
            outbound_queue_bytes: Number(config.outbound_queue_bytes),
            max_calls: Number(config.max_calls),
            call_timeout: OrNone::new(config.call_timeout.map(Time)),
            overdue_after: Time(config.overdue_after),
            request_order: Named(config.request_order),
            reply_stream: Named(config.reply_stream),
            handshake_timeout: Time(config.handshake_timeout),
            connect_timeout: Time(config.connect_timeout),
            idle_timeout: OrNone::new(config.idle_timeout.map(Time)),
            max_association_age: OrNone::new(config.max_association_age.map(Time)),
            max_association_age_grace: OrNone::new(config.max_association_age_grace.map(Time)),
            shutdown_timeout: Time(config.shutdown_timeout),
            drain_timeout: Time(config.drain_timeout),
            backoff: Pauses::of(config.backoff),
            socket: Socket::of(socket),
        }
    }

    /// Makes the configuration of a server.
    pub(crate) fn config(&self) -> Config {
        Config::new()
            .with_max_associations(self.max_associations.0)
            .with_max_in_flight(self.max_in_flight.0)
            .with_read_ahead(self.read_ahead.0)
            .with_read_ahead_bytes(self.read_ahead_bytes.0)
            .with_reply_queue(self.reply_queue.0)
            .with_reply_queue_bytes(self.reply_queue_bytes.0)
            .with_outbound_queue(self.outbound_queue.0)
            .with_outbound_queue_bytes(self.outbound_queue_bytes.0)
            .with_max_calls(self.max_calls.0)
            .with_call_timeout(time(&self.call_timeout))
            .with_overdue_after(self.overdue_after.0)
            .with_request_order(self.request_order.0)
            .with_reply_stream(self.reply_stream.0)
            .with_handshake_timeout(self.handshake_timeout.0)
            .with_connect_timeout(self.connect_timeout.0)
            .with_idle_timeout(time(&self.idle_timeout))
            .with_max_association_age(time(&self.max_association_age))
            .with_max_association_age_grace(time(&self.max_association_age_grace))
            .with_shutdown_timeout(self.shutdown_timeout.0)
            .with_drain_timeout(self.drain_timeout.0)
            .with_backoff(self.backoff.backoff())
    }
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self::of(&Pool::builder())
    }
}

impl PoolSettings {
    fn of(pool: &PoolBuilder) -> Self {
        Self {
            servers: Vec::new(),
            ready_timeout: Time(pool.ready_timeout()),
            queue: Number(pool.queue()),
            retries: Number(pool.retry().retries()),
            retry_after_shutdown: pool.retry().after_shutdown(),
            client: ClientSettings::of(pool.client().config()),
            socket: Socket::of(pool.socket()),
        }
    }

    /// Makes the builder of a pool.
    pub(crate) fn builder(&self) -> PoolBuilder {
        let retry = RetryPolicy::new()
            .with_retries(self.retries.0)
            .with_after_shutdown(self.retry_after_shutdown);
        Pool::builder()
            .with_client(Client::builder().with_config(self.client.config()))
            .with_socket(self.socket.builder())
            .with_ready_timeout(self.ready_timeout.0)
            .with_queue(self.queue.0)
            .with_retry(retry)
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self::of(Pool::builder().client().config())
    }
}

impl ClientSettings {
    fn of(config: &ClientConfig) -> Self {
        Self {
            max_in_flight: Number(config.max_in_flight),
            call_timeout: OrNone::new(config.call_timeout.map(Time)),
            overdue_after: Time(config.overdue_after),
            connect_timeout: Time(config.connect_timeout),
            shutdown_timeout: Time(config.shutdown_timeout),
            drain_timeout: Time(config.drain_timeout),
            wait_for_connection: config.wait_for_connection,
            backoff: Pauses::of(config.backoff),
        }
    }

    fn config(&self) -> ClientConfig {
        ClientConfig::new()
            .with_max_in_flight(self.max_in_flight.0)
            .with_call_timeout(time(&self.call_timeout))
            .with_overdue_after(self.overdue_after.0)
            .with_connect_timeout(self.connect_timeout.0)
            .with_shutdown_timeout(self.shutdown_timeout.0)
            .with_drain_timeout(self.drain_timeout.0)
            .with_wait_for_connection(self.wait_for_connection)
            .with_backoff(self.backoff.backoff())
    }
}

impl Default for Pauses {
    fn default() -> Self {
        Self::of(Backoff::default())
    }
}

impl Pauses {
    fn of(backoff: Backoff) -> Self {
        Self {
            min: Time(backoff.min()),
            max: Time(backoff.max()),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.min.0, self.max.0)
    }

    fn check(&self) -> Result<(), String> {
        let (min, max) = (self.min.0, self.max.0);
        match min <= max {
            true => Ok(()),
            false => Err(format!("min of {min:?} exceeds max of {max:?}")),
        }
    }
}

impl Names for RequestOrder {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("per-stream", Self::PerStream),
        ("per-association", Self::PerAssociation),
        ("unordered", Self::Unordered),
    ];
}

impl Names for ReplyStream {
    const NAMES: &'static [(&'static str, Self)] =
        &[("same", Self::Same), ("same-or-zero", Self::SameOrZero)];
}

fn time<const MIN: u64, const MAX: u64>(value: &OrNone<Time<MIN, MAX>>) -> Option<Duration> {
    value.0.map(|time| time.0)
}
