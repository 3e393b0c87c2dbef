//! Associations whose two ends serve and ask each other.

use std::{
    future::IntoFuture,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sctp_service::{
    AssociationHandle, ByStream, Config, Correlation, Reply, Request, RequestOrder, ServerEvent,
    Shutdown,
    client::Connect as _,
    serve, serve_association,
    testing::{Network, ScriptedListener},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    callers::{Caller, Calling, Service},
    client::duplex,
    fault::Kind,
    handler, outcome,
    payload::{Header, Payload},
    rng::Rng,
    run::Run,
    watch::At,
};

/// Number of the server.
pub(crate) const EQUALS: u16 = 100;

/// The time after which the streams of calls that a restart cut off are used again, below the limit
/// of what is pending.
const OVERDUE: Duration = Duration::from_secs(3);

/// The requests that an asker makes on one association.
const BURST: usize = 64;

/// The accepted associations that are up.
#[derive(Debug, Default)]
pub(crate) struct Equals(Mutex<Vec<AssociationHandle>>);

impl Equals {
    fn lock(&self) -> MutexGuard<'_, Vec<AssociationHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn any(&self, rng: &mut Rng) -> Option<AssociationHandle> {
        let handles = self.lock();
        handles.get(rng.below(handles.len().max(1))).cloned()
    }

    fn hear(&self, run: &Run, event: &ServerEvent<'_>) {
        match event {
            ServerEvent::Up { association, .. } | ServerEvent::Restarted { association, .. } => {
                let mut handles = self.lock();
                handles.retain(|handle| !handle.is_closed());
                handles.push((*association).clone());
            }
            ServerEvent::Closed { end, .. } => run.tally.add(outcome::of_end(end), 1),
            _ => report(run, event),
        }
    }
}

/// Reports what may not happen at either end.
fn report(run: &Run, event: &ServerEvent<'_>) {
    let line = match event {
        ServerEvent::Panicked { message, .. } => {
            format!("a handler between equals panicked: {message}")
        }
        ServerEvent::ReplyRefused { error, .. } => {
            format!("a reply between equals was refused: {error}")
        }
        ServerEvent::SendRefused { error, .. } => {
            format!("a message between equals was refused: {error}")
        }
        _ => return,
    };
    run.faults.add(Kind::Lost, line);
}

/// Runs the accepting end again and again.
pub(crate) async fn serve_all(
    run: Arc<Run>,
    equals: Arc<Equals>,
    network: Arc<Network>,
    listener: ScriptedListener,
    mut rng: Rng,
) {
    let slot = run.watch.slot("server of equals");
    let at = At {
        server: Some(EQUALS),
        assoc: None,
    };
    let mut listener = Some(listener);
    let mut round = 0;
    loop {
        round += 1;
        let Some(listening) = listener.take().or_else(|| network.listen().ok()) else {
            run.faults.add(Kind::Lost, "equals cannot listen");
            return;
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (hearing, handles) = (Arc::clone(&run), Arc::clone(&equals));
        let serving = Arc::clone(&run);
        let handler = move |request: Request| answer(Arc::clone(&serving), request);
        let served = serve(listening, handler)
            .with_config(config(&mut rng))
            .with_correlation(correlation(&mut rng, ByStream::on(20..70)))
            .on_event(move |event| handles.hear(&hearing, event))
            .with_graceful_shutdown(async { drop(stopped.await) });
        let task = tokio::spawn(served.into_future());
        let deserted = timeout(rng.millis(200, 3000), run.deserted()).await.is_ok();
        drop(stop);
        if slot.during("shutdown", at, round, task).await.is_err() {
            run.faults.add(Kind::Lost, "the server of equals panicked");
        }
        if deserted {
            return;
        }
        sleep(rng.micros(2000)).await;
    }
}

/// Runs the connecting end again and again.
pub(crate) async fn dial(
    run: Arc<Run>,
    name: u32,
    network: Arc<Network>,
    mut callers: Vec<Caller>,
    mut rng: Rng,
) {
    let slot = run.watch.slot(format!("equal {name}"));
    let at = At {
        server: Some(EQUALS),
        assoc: None,
    };
    let mut round = 0;
    while !run.is_over() {
        round += 1;
        let mut connector = network.connector_with(duplex(&mut rng));
        let connect = slot.during("connect", at, round, connector.connect());
        let Ok(transport) = connect.await else {
            run.pause(rng.micros(3000)).await;
            continue;
        };
        let answering = Arc::clone(&run);
        let handler = move |request: Request| answer(Arc::clone(&answering), request);
        let hearing = Arc::clone(&run);
        let mut serving = serve_association(transport, handler)
            .with_config(config(&mut rng))
            .on_event(move |event| report(&hearing, event))
            .with_correlation(correlation(&mut rng, ByStream::on(70..120)));
        let handle = serving.handle();
        let served = tokio::spawn(serving.into_future());
        let service = Service::Handle {
            handle: handle.clone(),
            server: EQUALS,
        };
        let calling = Calling::start(&run, callers, &service);
        drop(service);
        run.pause(rng.millis(5, 1000)).await;
        // With calls under way, or without.
        let early = rng.one_in(2);
        if early {
            end(&handle, &mut rng);
        }
        calling.stop();
        callers = slot
            .during("last calls", at, round, calling.stopped(&run))
            .await;
        if !early {
            end(&handle, &mut rng);
        }
        let ended = slot.during("end of an equal", at, round, served);
        if ended.await.is_err() {
            run.faults.add(Kind::Lost, format!("equal {name} panicked"));
        }
    }
}

/// Asks on one accepted association after another until the run is over.
pub(crate) async fn ask(run: Arc<Run>, equals: Arc<Equals>, mut caller: Caller, mut rng: Rng) {
    while !run.is_over() {
        if let Some(handle) = equals.any(&mut rng) {
            let service = Service::Handle {
                handle,
                server: EQUALS,
            };
            caller.burst(&run, &service, rng.below(BURST)).await;
        }
        run.pause(rng.micros(1000)).await;
    }
}

/// Ends an association. It may have ended already.
fn end(handle: &AssociationHandle, rng: &mut Rng) {
    match rng.below(4) {
        0 => drop(handle.shutdown(Shutdown::abort("by an equal"))),
        1 => drop(handle.shutdown(Shutdown::AfterAck)),
        _ => handle.graceful_shutdown(),
    }
}

async fn answer(run: Arc<Run>, request: Request) -> Reply {
    match Payload::decode(request.payload()) {
        // A message of a reply before its last one is no request, but no reply either.
        Payload::Notice => Reply::none(),
        _ => handler::serve(run, EQUALS, request).await,
    }
}

/// Handlers that ask back must not wait for each other: in order, or with few of them, they would.
fn config(rng: &mut Rng) -> Config {
    Config::new()
        .with_request_order(RequestOrder::Unordered)
        .with_max_in_flight(256)
        .with_read_ahead(1 + rng.skewed(64))
        .with_reply_queue(1 + rng.skewed(256))
        .with_reply_queue_bytes(1 + rng.skewed(1 << 16))
        .with_outbound_queue(1 + rng.skewed(64))
        .with_outbound_queue_bytes(1 + rng.skewed(1 << 14))
        .with_max_calls(1 + rng.skewed(64))
        .with_call_timeout(None)
        .with_overdue_after(OVERDUE)
        .with_shutdown_timeout(Duration::from_secs(1))
        .with_drain_timeout(Duration::from_secs(2))
}

fn correlation(rng: &mut Rng, streams: ByStream) -> Correlation {
    match rng.one_in(2) {
        true => Header::correlation(),
        false => streams.into(),
    }
}
