//! Metrics of requests, replies and associations.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;
#[path = "metrics/table.rs"]
mod table;

use std::{
    collections::BTreeMap, convert::Infallible, future::IntoFuture, io::ErrorKind, time::Duration,
};

use bytes::Bytes;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use sctp_core::PeerAddrChangeState;
use sctp_service::{
    Config, Reply, Request, ServerEvent, Shutdown, TransportStats,
    client::{
        Client, ClientMetrics,
        pool::{Pool, PoolBuilder},
    },
    handler::handler_fn,
    layer::{AbortOnErrorLayer, AssociationMetrics, MetricsLayer},
    serve,
    testing::{Network, Peer, ScriptedListener},
};
use support::{must, on, settle};
use tokio::{sync::watch, time::sleep};
use tower::{Service, ServiceBuilder};

/// Serves with both halves, as a user would put them together.
fn server<S>(config: Config, service: S) -> Network
where
    S: Service<Request, Response = Reply, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let (listener, network) = ScriptedListener::new();
    let associations = AssociationMetrics::new();
    let server = serve(listener, service)
        .with_config(config)
        .on_event(move |event| associations.record(event));
    tokio::spawn(server.into_future());
    network
}

/// Returns what changed since the last time; of a histogram the new values.
fn recorded(snapshotter: &Snapshotter) -> BTreeMap<String, Vec<f64>> {
    let mut all = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let (_, key) = key.into_parts();
        table::assert_has(&key);
        let labels: Vec<_> = key.labels().map(|label| label.value()).collect();
        let name = [key.name(), &labels.join(" ")].join(" ");
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let values = match value {
            DebugValue::Counter(count) => vec![count as f64],
            DebugValue::Gauge(value) => vec![value.0],
            DebugValue::Histogram(values) => values.into_iter().map(|value| value.0).collect(),
        };
        if values != [0.0] {
            all.insert(name.trim_end().to_owned(), values);
        }
    }
    all
}

#[track_caller]
fn assert_recorded(snapshotter: &Snapshotter, expected: &[(&str, &[f64])]) {
    let recorded = recorded(snapshotter);
    for (name, values) in expected {
        assert_eq!(
            recorded.get(*name).map(Vec::as_slice),
            Some(*values),
            "{name} in {recorded:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn requests_and_replies() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let service = ServiceBuilder::new()
        .layer(MetricsLayer::new())
        .service(handler_fn(async |payload: Bytes| {
            sleep(Duration::from_secs(2)).await;
            match &payload[..] {
                b"stream" => Reply::stream(futures::stream::iter(["one", "two", "three"])),
                b"quit" => Reply::new("bye").with_shutdown(Shutdown::AfterAck),
                _ => Reply::new(payload),
            }
        }));
    let peer = server(Config::new(), service).connect().await.unwrap();
    peer.send(on(1, "hello")).await;
    peer.send(on(2, "stream")).await;
    settle().await;
    assert_recorded(&snapshotter, &[("sctp_requests_in_flight", &[2.0])]);
    for reply in ["hello", "one", "two", "three"] {
        peer.expect_message(reply).await;
    }
    peer.send("quit").await;
    peer.expect_message("bye").await;
    peer.expect_shutdown().await;
    settle().await;
    let recorded = recorded(&snapshotter);
    assert_eq!(recorded["sctp_requests_in_flight"], [-2.0]);
    assert_eq!(recorded["sctp_associations"], [-1.0]);
    let total = |name: &str| recorded[name].clone();
    assert_eq!(total("sctp_reply_messages_total"), [5.0]);
    assert_eq!(total("sctp_reply_bytes_total"), [19.0]);
    assert_eq!(total("sctp_request_duration_seconds").len(), 3);
    assert!(
        total("sctp_request_duration_seconds")
            .iter()
            .all(|&s| (2.0..2.1).contains(&s))
    );
    assert_eq!(total("sctp_terminations_total after_ack"), [1.0]);
    assert_eq!(total("sctp_associations_closed_total shutdown"), [1.0]);
}

#[tokio::test(start_paused = true)]
async fn errors_and_calls_that_were_dropped() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let service = ServiceBuilder::new()
        .layer(MetricsLayer::new())
        .layer(AbortOnErrorLayer::new())
        .layer(MetricsLayer::new())
        .timeout(Duration::from_secs(5))
        .service(handler_fn(std::future::pending::<()>));
    let peer = server(Config::new(), service).connect().await.unwrap();
    for stream in 1..4 {
        peer.send(on(stream, "hang")).await;
    }
    peer.expect_abort("internal error").await;
    settle().await;
    // There are two of the layer, and each counts: the inner one sees the error.
    assert_recorded(
        &snapshotter,
        &[
            ("sctp_requests_total", &[6.0]),
            ("sctp_request_bytes_total", &[24.0]),
            ("sctp_request_failures_total", &[1.0]),
            ("sctp_terminations_total abort", &[1.0]),
            ("sctp_discarded_total call", &[2.0]),
            ("sctp_associations_closed_total abort", &[1.0]),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn each_cause_and_failure_has_its_label() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let service = handler_fn(async |payload: Bytes| match &payload[..] {
        b"panic" => panic!("as told"),
        _ => Reply::new(on(777, payload)),
    });
    let network = server(Config::new().with_max_associations(4), service);
    let mut peers = Vec::new();
    for _ in 0..5 {
        peers.push(network.connect().await.unwrap());
    }
    network.fail_accept(std::io::Error::other("as told")).await;
    peers[0].send("panic").await;
    peers[1].send("stream 777 does not exist").await;
    peers[2].change_path(
        "192.0.2.9:7".parse().unwrap(),
        PeerAddrChangeState::Unreachable,
    );
    peers[2].restart();
    settle().await;
    peers[2].lose();
    peers[3].abort("enough");
    settle().await;
    assert_recorded(
        &snapshotter,
        &[
            ("sctp_associations_established_total", &[4.0]),
            ("sctp_associations_refused_total", &[1.0]),
            ("sctp_associations_restarted_total", &[1.0]),
            ("sctp_path_changes_total unreachable", &[1.0]),
            ("sctp_associations_closed_total abort", &[2.0]),
            ("sctp_associations_closed_total lost", &[1.0]),
            ("sctp_associations_closed_total peer_abort", &[1.0]),
            ("sctp_failures_total panic", &[1.0]),
            ("sctp_failures_total reply", &[1.0]),
            ("sctp_failures_total accept", &[1.0]),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn stats_of_a_transport_without_them_are_unsupported() {
    let (listener, network) = ScriptedListener::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server =
        serve(listener, handler_fn(async |payload: Bytes| payload)).on_event(move |event| {
            if let ServerEvent::Up { association, .. } = event {
                tell.send((*association).clone()).unwrap();
            }
        });
    tokio::spawn(server.into_future());
    let peer = network.connect().await.unwrap();
    let handle = must(told.recv()).await.unwrap();
    let kind = |stats: std::io::Result<_>| stats.map(|_: TransportStats| ()).unwrap_err().kind();
    assert_eq!(kind(must(handle.stats()).await), ErrorKind::Unsupported);
    drop(peer);
    must(handle.closed()).await;
    assert_eq!(kind(must(handle.stats()).await), ErrorKind::NotConnected);
}

/// A client of a server by hand, both ends of one association.
async fn by_hand(metrics: &ClientMetrics) -> (ScriptedListener, Client, Peer) {
    let (mut listener, network) = ScriptedListener::new();
    let metrics = metrics.clone();
    let client = Client::builder()
        .on_event(move |event| metrics.record(event))
        .connect(network.connector())
        .await
        .unwrap();
    let peer = must(listener.accept_peer()).await.unwrap();
    (listener, client, peer)
}

#[tokio::test(start_paused = true)]
async fn associations_of_clients() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let metrics = ClientMetrics::new();
    let (mut listener, client, peer) = by_hand(&metrics).await;
    let caller = client.clone();
    let call = tokio::spawn(async move { must(caller.request("x")).await });
    must(peer.recv()).await.unwrap();
    peer.restart();
    call.await.unwrap().unwrap_err();
    peer.change_path(
        "192.0.2.9:7".parse().unwrap(),
        PeerAddrChangeState::Unreachable,
    );
    for _ in 0..65 {
        peer.send("of its own accord").await;
    }
    settle().await;
    peer.abort("enough");
    let peer = must(listener.accept_peer()).await.unwrap();
    peer.fail_receive(sctp_service::RecvError::Io(std::io::Error::other(
        "as told",
    )));
    settle().await;
    drop(listener);
    sleep(Duration::from_millis(300)).await;
    must(client.graceful_shutdown()).await;
    let recorded = recorded(&snapshotter);
    assert!(
        !recorded.contains_key("sctp_client_associations"),
        "{recorded:#?}"
    );
    assert!(recorded["sctp_client_connect_failures_total"][0] >= 1.0);
    for (name, count) in [
        ("sctp_client_associations_established_total", 2.0),
        ("sctp_client_associations_closed_total peer_abort", 1.0),
        ("sctp_client_associations_closed_total abort", 1.0),
        ("sctp_client_associations_restarted_total", 1.0),
        ("sctp_client_path_changes_total unreachable", 1.0),
        ("sctp_client_receive_failures_total", 1.0),
        ("sctp_client_discarded_total lost_call", 1.0),
        ("sctp_client_discarded_total request", 65.0),
    ] {
        assert_eq!(
            recorded.get(name),
            Some(&vec![count]),
            "{name} in {recorded:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn servers_of_pools() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let metrics = ClientMetrics::new();
    let reported = |builder: PoolBuilder| {
        let metrics = metrics.clone();
        builder.on_event(move |event| metrics.record_pool(event))
    };
    let (listener, network) = ScriptedListener::new();
    drop(listener);
    let server = std::net::SocketAddr::from(([192, 0, 2, 1], 9877));
    let (list, listed) = watch::channel(vec![server.into()]);
    let connector = network.connector();
    let pool = reported(Pool::builder()).watch_with(listed, move |_, client| {
        client.connect_in_background(connector.clone())
    });
    for _ in 0..3 {
        must(pool.request("x")).await.unwrap_err();
    }
    assert_recorded(
        &snapshotter,
        &[
            ("sctp_pool_servers", &[1.0]),
            ("sctp_pool_outages_total", &[1.0]),
        ],
    );
    let mut listener = network.listen().unwrap();
    let peer = must(listener.accept_peer()).await.unwrap();
    settle().await;
    let call = tokio::spawn(async move { must(pool.request("x")).await });
    let request = must(peer.recv()).await.unwrap();
    peer.send(request).await;
    call.await.unwrap().unwrap();
    drop(list);
    settle().await;
    assert_recorded(
        &snapshotter,
        &[
            ("sctp_pool_servers", &[-1.0]),
            ("sctp_pool_rejected_calls_total", &[3.0]),
            ("sctp_client_associations_established_total", &[1.0]),
            ("sctp_client_associations_closed_total shutdown", &[1.0]),
        ],
    );
    let nothing = || std::future::ready(Ok(Vec::new()));
    let lookup = reported(Pool::builder()).resolve(nothing, Duration::from_secs(1));
    must(lookup).await.unwrap_err();
    assert_recorded(&snapshotter, &[("sctp_pool_lookup_failures_total", &[1.0])]);
}
