//! Servers that are started, shut down and started again.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use sctp_service::{
    Config, RequestOrder, ServerEvent, serve,
    testing::{Network, ScriptedListener},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{fault::Kind, handler, outcome, rng::Rng, run::Run, watch::At};

/// Runs a server again and again, each time with other limits.
pub(crate) async fn run(
    run: Arc<Run>,
    server: u16,
    network: Arc<Network>,
    listener: ScriptedListener,
    mut rng: Rng,
) {
    let slot = run.watch.slot(format!("server {server}"));
    let at = At {
        server: Some(server),
        assoc: None,
    };
    let mut listener = Some(listener);
    let mut round = 0;
    loop {
        round += 1;
        let listening = match listener.take() {
            Some(listener) => listener,
            None => match network.listen() {
                Ok(listener) => listener,
                Err(error) => {
                    run.faults.add(
                        Kind::Lost,
                        format!("server {server} cannot listen: {error}"),
                    );
                    return;
                }
            },
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let handling = Arc::clone(&run);
        let handler = move |request: sctp_service::Request| {
            handler::serve(Arc::clone(&handling), server, request)
        };
        let hearing = Arc::clone(&run);
        let served = serve(listening, handler)
            .with_config(config(&mut rng))
            .on_event(move |event| hear(&hearing, server, event))
            .with_graceful_shutdown(async { drop(stopped.await) });
        let task = tokio::spawn(served.into_future());
        let deserted = timeout(rng.millis(20, 1500), run.deserted()).await.is_ok();
        drop(stop);
        if slot.during("shutdown", at, round, task).await.is_err() {
            run.faults
                .add(Kind::Lost, format!("server {server} panicked"));
        }
        if deserted {
            return;
        }
        sleep(rng.micros(2000)).await;
    }
}

fn config(rng: &mut Rng) -> Config {
    let ordering = [
        RequestOrder::PerStream,
        RequestOrder::PerAssociation,
        RequestOrder::Unordered,
    ];
    // Two of three, since calls of one association that are served one at a time show little.
    let ordering = if rng.one_in(8) {
        ordering[1]
    } else {
        rng.pick(&[ordering[0], ordering[2]])
    };
    Config::new()
        .with_request_order(ordering)
        .with_max_in_flight(if rng.one_in(4) { 1 + rng.below(4) } else { 64 })
        .with_read_ahead(1 + rng.skewed(64))
        .with_reply_queue(1 + rng.skewed(256))
        .with_reply_queue_bytes(1 + rng.skewed(1 << 16))
        .with_outbound_queue(1 + rng.skewed(64))
        .with_outbound_queue_bytes(1 + rng.skewed(1 << 14))
        .with_shutdown_timeout(Duration::from_secs(1))
        .with_drain_timeout(Duration::from_secs(2))
}

fn hear(run: &Run, server: u16, event: &ServerEvent<'_>) {
    let Some(info) = event.connect_info() else {
        return;
    };
    let assoc = info.assoc().get();
    match event {
        ServerEvent::Up { association, .. } => {
            run.book.open(server, assoc, (*association).clone());
        }
        ServerEvent::Restarted { association, .. } => {
            run.book.restart(server, assoc, (*association).clone());
        }
        ServerEvent::Closed { end, counts, .. } => {
            run.tally.add(outcome::of_end(end), 1);
            run.book
                .close(server, assoc, (*end).clone(), **counts, &run.watch);
        }
        ServerEvent::Panicked { message, .. } => {
            run.faults.add(
                Kind::Lost,
                format!("a handler of server {server} panicked: {message}"),
            );
        }
        ServerEvent::SendRefused { error, .. } => {
            run.faults.add(
                Kind::Lost,
                format!("a push on server {server} was refused: {error}"),
            );
        }
        ServerEvent::ReplyRefused { error, .. } => {
            run.faults.add(
                Kind::Lost,
                format!("a reply of server {server} was refused: {error}"),
            );
        }
        _ => {}
    }
}
