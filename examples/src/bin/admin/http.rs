//! The endpoint: HTTP for operators, probes and Prometheus.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST,
            WWW_AUTHENTICATE,
        },
        uri::Authority,
    },
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusHandle;
use sctp_service::{AbortReason, Shutdown, layer::TransportMetrics};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tower::ServiceExt as _;

use crate::table::{Listing, Row, Table};

/// Maximum number of connections at a time. Others wait until one of these ends.
const MAX_CONNECTIONS: usize = 64;
/// Minimum time between two log lines about refused tokens.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// The page runs its own script, asks this server alone, and is in no frame.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      form-action 'none'";

/// State of the endpoint.
pub(crate) struct Admin {
    pub(crate) table: Arc<Table>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) prometheus: PrometheusHandle,
    pub(crate) transport: TransportMetrics,
    /// The text that those must know who end associations.
    pub(crate) token: Option<String>,
    /// Names of this server besides IP addresses and localhost.
    pub(crate) hosts: Vec<String>,
    pub(crate) refusals: Refusals,
}

type Shared = State<Arc<Admin>>;
/// Address of whoever sent a request.
type Operator = ConnectInfo<SocketAddr>;

/// Serves HTTP without end.
///
/// Each connection is for one request, so that one time limit bounds all of it: a client that sends
/// or reads nothing gives its place to another.
pub(crate) async fn serve(mut listener: TcpListener, admin: Admin, limit: Duration) {
    let router = router(admin);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Nobody closes the semaphore.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, operator) = Listener::accept(&mut listener).await;
        let router = router.clone();
        let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(operator));
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move {
            // A client that is gone, too slow or wrong is no concern of an operator.
            let _ = timeout(limit, connection).await;
            drop(place);
        });
    }
}

fn router(admin: Admin) -> Router {
    let admin = Arc::new(admin);
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/associations", get(associations))
        .route("/associations/{id}/drain", post(drain))
        .route("/associations/{id}/abort", post(abort))
        .layer(DefaultBodyLimit::max(AbortReason::MAX_LEN + 1))
        .layer(from_fn_with_state(Arc::clone(&admin), check_host))
        .with_state(admin)
}

/// Refuses requests for other hosts: a page of another site whose name is made to point here would
/// be of the same origin.
async fn check_host(State(admin): Shared, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let is_ours = host.is_some_and(|host| {
        let name = host.host();
        let is_addr = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let mut hosts = admin.hosts.iter().map(String::as_str).chain(["localhost"]);
        is_addr || hosts.any(|ours| ours.eq_ignore_ascii_case(name))
    });
    match is_ours {
        true => next.run(request).await,
        false => (
            StatusCode::MISDIRECTED_REQUEST,
            "not this host, see --host\n",
        )
            .into_response(),
    }
}

async fn page() -> impl IntoResponse {
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(include_str!("page.html")))
}

/// For liveness: a server that drains is alive.
async fn healthz(State(admin): Shared) -> &'static str {
    match admin.draining.load(Ordering::Relaxed) {
        true => "draining\n",
        false => "ok\n",
    }
}

/// For readiness: a server that drains gets no new associations.
async fn readyz(State(admin): Shared) -> (StatusCode, &'static str) {
    match admin.draining.load(Ordering::Relaxed) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        false => (StatusCode::OK, "ok\n"),
    }
}

async fn metrics(State(admin): Shared) -> impl IntoResponse {
    admin.transport.collect().await;
    let format = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, format)], admin.prometheus.render())
}

#[derive(Deserialize)]
struct Filter {
    /// Part of an address of the peer.
    #[serde(default)]
    peer: String,
}

async fn associations(State(admin): Shared, Query(filter): Query<Filter>) -> Json<Listing> {
    Json(admin.table.list(filter.peer.trim()).await)
}

async fn drain(
    State(admin): Shared,
    Path(id): Path<u64>,
    ConnectInfo(operator): Operator,
    headers: HeaderMap,
) -> Result<StatusCode, Refused> {
    let row = admin.authorize(operator, &headers, id)?;
    row.handle.graceful_shutdown();
    let peer = row.peer().map(tracing::field::display);
    tracing::info!(%operator, id, peer, "an operator drains an association");
    Ok(StatusCode::ACCEPTED)
}

/// Aborts an association. The body is the reason, which the peer can read.
async fn abort(
    State(admin): Shared,
    Path(id): Path<u64>,
    ConnectInfo(operator): Operator,
    headers: HeaderMap,
    reason: Bytes,
) -> Result<StatusCode, Refused> {
    let row = admin.authorize(operator, &headers, id)?;
    let reason = AbortReason::new(reason)
        .map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))?;
    row.handle
        .shutdown(Shutdown::Abort(reason.clone()))
        .map_err(|error| Refused(StatusCode::CONFLICT, error.to_string()))?;
    let peer = row.peer().map(tracing::field::display);
    tracing::info!(%operator, id, peer, %reason, "an operator aborts an association");
    Ok(StatusCode::ACCEPTED)
}

impl Admin {
    /// Finds an association for somebody who knows the token. A header is never sent by a page of
    /// another site without this server's consent, which it does not give.
    fn authorize(
        &self,
        operator: SocketAddr,
        headers: &HeaderMap,
        id: u64,
    ) -> Result<Arc<Row>, Refused> {
        let Some(token) = &self.token else {
            let text = "nobody can end associations: there is no --token-file";
            return Err(Refused(StatusCode::FORBIDDEN, text.to_owned()));
        };
        let sent = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_at_checked(7))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
        if !sent.is_some_and(|(_, sent)| is_same(sent, token.as_bytes())) {
            self.refusals.log(operator);
            return Err(Refused(StatusCode::UNAUTHORIZED, "wrong token".to_owned()));
        }
        let row = self.table.get(id);
        row.ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no association {id}")))
    }
}

/// A refusal, with its reason for people.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, reason) = self;
        let mut response = (status, reason + "\n").into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Refused tokens that were not logged yet, and the time of the last log line.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<(u64, Option<Instant>)>);

impl Refusals {
    /// Logs a refused token, or counts it until the next line is due.
    fn log(&self, operator: SocketAddr) {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, logged) = &mut *refusals;
        *tokens += 1;
        if logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            tracing::warn!(%operator, tokens, "refused wrong tokens");
            (*tokens, *logged) = (0, Some(Instant::now()));
        }
    }
}

/// Compares in a time that does not depend on where the first difference is.
fn is_same(sent: &[u8], token: &[u8]) -> bool {
    let differences = sent.iter().zip(token).fold(0, |all, (a, b)| all | (a ^ b));
    sent.len() == token.len() && differences == 0
}
