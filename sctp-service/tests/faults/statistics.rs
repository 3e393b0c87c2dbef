//! Statistics of the kernel, over a slow network.

use std::{
    collections::BTreeMap,
    future::IntoFuture,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use sctp_service::{
    AssociationHandle, Serve, ServerEvent, TransportStats, layer::TransportMetrics, serve,
    serve_endpoint,
};
use sctp_tokio::SocketBuilder;
use tokio::{sync::oneshot, time::sleep};

use super::{network::impatient, *};
use crate::{
    server::{Style, echo},
    support::netns::{NetNs, two_cables},
};

type Recorded = BTreeMap<String, f64>;

/// Echoes 100 messages with this delay in each direction. Returns the metrics of the server once all
/// is acknowledged.
async fn measured(
    style: Style,
    ends: [&NetNs; 2],
    delay: &str,
    socket: fn() -> SocketBuilder,
) -> Recorded {
    for end in ends {
        let delays = ["one", "two"]
            .map(|cable| format!("qdisc replace dev {cable} root netem delay {delay}"));
        end.tc(&delays.join("\n"));
    }
    let [left, right] = ends;
    let (tell, told) = oneshot::channel::<SocketAddr>();
    let (answered, all_answered) = oneshot::channel();
    let serving = right.start(move || async move {
        let socket = socket().with_local_addrs([SocketAddr::from(([10, 1, 0, 2], 0))]);
        match style {
            Style::PeelOff => {
                let listener = socket.listen().unwrap();
                tell.send(listener.local_addrs().unwrap()[0]).unwrap();
                collected(serve(listener, echo), all_answered).await
            }
            Style::OneToMany => {
                let endpoint = socket.endpoint().unwrap();
                tell.send(endpoint.local_addrs().unwrap()[0]).unwrap();
                collected(serve_endpoint(endpoint, echo), all_answered).await
            }
        }
    });
    let addr = must(told).await.unwrap();
    let (done, finished) = oneshot::channel::<()>();
    let asking = left.start(move || async move {
        let mut peer = must(socket().connect(&[addr])).await.unwrap();
        for _ in 0..100 {
            must(peer.send("question")).await.unwrap();
        }
        for _ in 0..100 {
            reply(&mut peer).await;
        }
        answered.send(()).unwrap();
        let _ = finished.await;
    });
    let recorded = must(serving).await;
    drop(done);
    must(asking).await;
    recorded
}

async fn collected<L, M, K>(server: Serve<L, M, K>, ready: oneshot::Receiver<()>) -> Recorded
where
    Serve<L, M, K>: IntoFuture<Output = (), IntoFuture: Send + 'static>,
{
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let transport = TransportMetrics::new();
    let hook = transport.clone();
    let handle = Arc::new(Mutex::new(AssociationHandle::default()));
    let up = Arc::clone(&handle);
    let server = server.on_event(move |event| {
        hook.record(event);
        if let ServerEvent::Up { association, .. } = event {
            *up.lock().unwrap() = (*association).clone();
        }
    });
    let running = tokio::spawn(server.into_future());
    must(ready).await.unwrap();
    let handle = handle.lock().unwrap().clone();
    let stats = must(acknowledged(&handle)).await;
    must(transport.collect()).await;
    assert_eq!(stats.paths.len(), 2, "one for each cable: {stats:?}");
    assert_eq!(stats.paths[0].addr, stats.status.primary.addr);
    running.abort();
    let mut recorded = Recorded::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| label.value()).collect();
        let name = [key.key().name(), &labels.join(" ")].join(" ");
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.0,
            DebugValue::Histogram(_) => continue,
        };
        recorded.insert(name.trim_end().to_owned(), value);
    }
    recorded
}

/// Waits until all is acknowledged, and returns the statistics.
async fn acknowledged(handle: &AssociationHandle) -> TransportStats {
    loop {
        let stats = handle.stats().await.unwrap();
        if stats.status.unacknowledged_chunks == 0 {
            return stats;
        }
        sleep(Duration::from_millis(2)).await;
    }
}

both_styles! {
    async fn metrics_have_the_kernels_statistics(style: Style) {
        let (left, right) = two_cables();
        let ends = [&left, &right];
        let slow = measured(style, ends, "20ms", SocketBuilder::new).await;
        // No acknowledgement comes within the longest retransmission timeout, which is 100 ms.
        let late = measured(style, ends, "75ms", || impatient(100)).await;
        let of = |recorded: &Recorded, name: &str| recorded[&format!("sctp_transport_{name}")];
        for recorded in [&slow, &late] {
            assert_eq!(of(recorded, "associations"), 1.0, "{recorded:#?}");
            assert_eq!(of(recorded, "ordered_chunks_sent_total"), 100.0, "{recorded:#?}");
            assert!(of(recorded, "max_silence_seconds") >= 0.0, "{recorded:#?}");
        }
        // A path without timely acknowledgements is not always active.
        assert!(of(&slow, "paths active") >= 1.0, "{slow:#?}");
        // Both ends delay by 20 ms, the acknowledgement may wait for 200 ms, and the clock ticks each
        // 10 ms at worst.
        assert!((0.03..1.0).contains(&of(&slow, "max_rtt_seconds")), "{slow:#?}");
        assert!(of(&slow, "min_congestion_window_bytes") > 0.0, "{slow:#?}");
        let resent = "sctp_transport_retransmitted_chunks_total";
        assert!(late[resent] > slow[resent], "{slow:#?} {late:#?}");
    }
}
