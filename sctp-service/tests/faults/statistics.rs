//! Statistics of the kernel, over a slow and lossy network.

use std::{
    collections::BTreeMap,
    future::IntoFuture,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use sctp_service::{
    AssociationHandle, Serve, ServerEvent, layer::TransportMetrics, serve, serve_endpoint,
};
use tokio::sync::oneshot;

use super::{network::impatient, *};
use crate::{
    server::{Style, echo},
    support::netns::two_cables,
};

type Recorded = BTreeMap<String, f64>;

/// Echoes 100 messages through a network, and returns the metrics of the server.
async fn measured(style: Style, trouble: &str) -> Recorded {
    let (left, right) = two_cables();
    for end in [&left, &right] {
        end.tc(&format!("qdisc add dev one root netem {trouble}"));
    }
    let (tell, told) = oneshot::channel::<SocketAddr>();
    let (answered, all_answered) = oneshot::channel();
    let serving = right.start(move || async move {
        let socket = impatient(100).with_local_addrs([SocketAddr::from(([10, 1, 0, 2], 0))]);
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
        let mut peer = must(impatient(100).connect(&[addr])).await.unwrap();
        for _ in 0..100 {
            must(peer.send("question")).await.unwrap();
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
    must(transport.collect()).await;
    let handle = handle.lock().unwrap().clone();
    let stats = must(handle.stats()).await.unwrap();
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

both_styles! {
    async fn metrics_have_the_kernels_statistics(style: Style) {
        let slow = measured(style, "delay 20ms").await;
        let lossy = measured(style, "delay 20ms loss 20%").await;
        let of = |recorded: &Recorded, name: &str| recorded[&format!("sctp_transport_{name}")];
        for recorded in [&slow, &lossy] {
            assert_eq!(of(recorded, "associations"), 1.0, "{recorded:#?}");
            assert_eq!(of(recorded, "ordered_chunks_sent_total"), 100.0, "{recorded:#?}");
            assert!(of(recorded, "max_silence_seconds") >= 0.0, "{recorded:#?}");
        }
        // Paths that lose packets are not always active.
        assert!(of(&slow, "paths active") >= 1.0, "{slow:#?}");
        // Both ends delay by 20 ms, and the clock ticks each 10 ms at worst.
        assert!((0.03..1.0).contains(&of(&slow, "max_rtt_seconds")), "{slow:#?}");
        assert!(of(&slow, "min_congestion_window_bytes") > 0.0, "{slow:#?}");
        let resent = "sctp_transport_retransmitted_chunks_total";
        assert!(lossy[resent] > slow[resent], "{slow:#?} {lossy:#?}");
    }
}
