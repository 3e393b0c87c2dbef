use std::net::{IpAddr, SocketAddr};

use tower_layer::Layer;
use tracing::{
    Level, Span,
    field::{DisplayValue, Empty, display},
};

use super::Trace;
use crate::Request;

/// Gives each request a span, `request`, within that of its association, and records how it was
/// answered. It does nothing to the association.
///
/// The fields of the span are in [`guide::observability`](crate::guide::observability#traces). The
/// answer is an event of level `DEBUG` in the span, with `messages` (how many are known by then),
/// `shutdown` and `elapsed`; an error that comes from further in is one of level `WARN`, a boxed
/// one, as tower's layers make, with its sources; of all services of the process one in 10 seconds,
/// with the number of errors since the last one as `occurrences`. Where neither the span nor level
/// `DEBUG` is recorded the clock is not read, and an error has no `elapsed`.
#[derive(Clone, Copy, Debug)]
pub struct TraceLayer {
    level: Level,
}

impl TraceLayer {
    /// Makes spans of level `DEBUG`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: Level::DEBUG,
        }
    }

    /// Sets the level of the spans.
    #[must_use]
    pub const fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

impl Default for TraceLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace {
            inner,
            level: self.level,
        }
    }
}

/// Makes the span of a request. The level of a span is part of its static description, so there
/// is one description for each. Numbers are signed: OpenTelemetry has no others, and
/// `tracing-opentelemetry` exports unsigned ones as text.
pub(super) fn span(level: Level, request: &Request) -> Span {
    macro_rules! span {
        ($level:ident) => {
            tracing::span!(
                Level::$level,
                "request",
                otel.kind = "server",
                otel.status_code = Empty,
                otel.status_description = Empty,
                network.transport = "sctp",
                network.peer.address = peer_ip(request),
                network.peer.port = peer_addr(request).map(|addr| i64::from(addr.port())),
                sctp.stream = i64::from(request.stream().get()),
                sctp.ppid = i64::from(request.ppid().get()),
                sctp.request_number = i64::try_from(request.number()).ok(),
                sctp.request_bytes = i64::try_from(request.payload().len()).ok(),
                sctp.termination = Empty,
            )
        };
    }
    match level {
        Level::ERROR => span!(ERROR),
        Level::WARN => span!(WARN),
        Level::INFO => span!(INFO),
        Level::DEBUG => span!(DEBUG),
        _ => span!(TRACE),
    }
}

fn peer_addr(request: &Request) -> Option<SocketAddr> {
    request.connect_info().peer_addr()
}

fn peer_ip(request: &Request) -> Option<DisplayValue<IpAddr>> {
    peer_addr(request).map(|addr| display(addr.ip().to_canonical()))
}
