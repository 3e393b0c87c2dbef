//! Tasks that make one call after another.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sctp_service::{
    AssociationHandle, CallError, Cause, Message, Received,
    client::{Client, pool::Pool},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    fault::Kind,
    outcome,
    payload::{Payload, Push, Request},
    rng::Rng,
    run::Run,
    watch::{At, Slot},
    work::Work,
};

/// The streams that calls go on, from 1.
const STREAMS: usize = 16;

/// A client, a pool, or an end of an association that is served as well.
#[derive(Clone, Debug)]
pub(crate) enum Service {
    Client {
        client: Client,
        server: u16,
    },
    Handle {
        handle: AssociationHandle,
        server: u16,
    },
    Pool(Pool),
}

impl Service {
    fn at(&self) -> At {
        match self {
            Self::Client { client, server } => At {
                server: Some(*server),
                assoc: client.connect_info().map(|info| info.assoc().get()),
            },
            Self::Handle { handle, server } => At {
                server: Some(*server),
                assoc: handle.connect_info().map(|info| info.assoc().get()),
            },
            Self::Pool(_) => At::default(),
        }
    }

    fn work(&self, rng: &mut Rng) -> Work {
        match self {
            Self::Handle { .. } if rng.one_in(4) => Work::Back,
            _ => Work::random(rng),
        }
    }

    async fn call(self, message: Message, by_reserving: bool) -> Result<Received, CallError> {
        match self {
            Self::Client { client, .. } if by_reserving => client.oneshot(message).await,
            Self::Client { client, .. } => client.request(message).await,
            Self::Handle { handle, .. } if by_reserving => handle.caller().oneshot(message).await,
            Self::Handle { handle, .. } => handle.request(message).await,
            Self::Pool(pool) => pool.request(message).await,
        }
    }
}

/// A caller. Its requests are numbered from its first to its last, whatever it calls.
#[derive(Debug)]
pub(crate) struct Caller {
    id: u32,
    number: u64,
    slot: Arc<Slot>,
    rng: Rng,
}

impl Caller {
    pub(crate) fn new(run: &Run, id: u32, rng: Rng) -> Self {
        Self {
            id,
            number: 0,
            slot: run.watch.caller(id),
            rng,
        }
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn next(&mut self, work: Work, one_way: bool) -> Request {
        self.number += 1;
        Request {
            caller: self.id,
            number: self.number,
            work: work as u8,
            seed: self.rng.seed(),
            one_way,
        }
    }

    /// Calls until it is stopped, or the service is closed.
    async fn run(mut self, run: Arc<Run>, service: Service, stop: CancellationToken) -> Self {
        let mut counts = BTreeMap::new();
        while !stop.is_cancelled() && !run.is_over() {
            let mut pause = false;
            if let Some(outcome) = self.once(&run, &service, &mut pause).await {
                *counts.entry(outcome).or_default() += 1;
            }
            if pause {
                sleep(self.rng.micros(2000)).await;
            }
        }
        run.tally.merge(counts);
        self
    }

    /// Makes some calls, until one fails.
    pub(crate) async fn burst(&mut self, run: &Run, service: &Service, calls: usize) {
        for _ in 0..calls {
            let mut failed = false;
            if let Some(outcome) = self.once(run, service, &mut failed).await {
                run.tally.add(outcome, 1);
            }
            if failed {
                return;
            }
        }
    }

    /// Makes one call from within a handler, whose peer must not ask back in turn.
    async fn ask_back(&mut self, run: &Run, service: &Service) {
        let work = Work::random(&mut self.rng);
        if let Some(outcome) = self.ask(run, service, work, &mut false).await {
            run.tally.add(outcome, 1);
        }
    }

    async fn once(
        &mut self,
        run: &Run,
        service: &Service,
        pause: &mut bool,
    ) -> Option<&'static str> {
        if let Service::Client { client, .. } = service
            && self.rng.one_in(32)
        {
            let request = self.next(Work::Echo, true);
            let send = client.send(Message::new(request.encode()).on_stream(0));
            let sent = self
                .slot
                .during("one-way send", service.at(), request.number, send)
                .await;
            return match sent {
                Ok(()) => Some("one-way messages sent"),
                Err(error) => {
                    *pause = true;
                    judge(run, &request, &error).map(|_| "one-way messages failed")
                }
            };
        }
        let work = service.work(&mut self.rng);
        self.ask(run, service, work, pause).await
    }

    /// Makes one call. Returns its outcome if that is none of the faults.
    async fn ask(
        &mut self,
        run: &Run,
        service: &Service,
        work: Work,
        pause: &mut bool,
    ) -> Option<&'static str> {
        let request = self.next(work, false);
        // Where the client does not choose it itself.
        let stream = u16::try_from(1 + self.rng.below(STREAMS)).unwrap_or(1);
        let message = Message::new(request.encode()).on_stream(stream);
        let call = service.clone().call(message, self.rng.one_in(4));
        let at = service.at();
        let patience = self.rng.one_in(16).then(|| self.rng.micros(500));
        let result = match patience {
            None => {
                self.slot
                    .during(work.name(), at, request.number, call)
                    .await
            }
            Some(patience) => {
                let call = timeout(patience, call);
                match self
                    .slot
                    .during(work.name(), at, request.number, call)
                    .await
                {
                    Ok(result) => result,
                    Err(_) => return Some(outcome::DROPPED),
                }
            }
        };
        match result {
            Ok(received) => {
                if Payload::decode(&received.payload) == Payload::Reply(request) {
                    return Some(outcome::ANSWERED);
                }
                run.lost(&request, "answered with another message");
                None
            }
            Err(error) => {
                *pause = true;
                judge(run, &request, &error)
            }
        }
    }
}

/// The callers of handlers that ask back.
#[derive(Debug, Default)]
pub(crate) struct Askers(Mutex<Vec<Caller>>);

impl Askers {
    pub(crate) fn add(&self, caller: Caller) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.push(caller);
    }

    fn take(&self) -> Option<Caller> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.pop()
    }
}

/// A caller that goes back to the others, even if its handler is dropped.
struct Asker<'a> {
    run: &'a Run,
    caller: Option<Caller>,
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        if let Some(caller) = self.caller.take() {
            self.run.askers.add(caller);
        }
    }
}

/// Asks the peer of a handler, unless all callers are busy.
pub(crate) async fn ask_back(run: &Run, handle: AssociationHandle, server: u16) {
    let mut asker = Asker {
        run,
        caller: run.askers.take(),
    };
    if let Some(caller) = &mut asker.caller {
        caller
            .ask_back(run, &Service::Handle { handle, server })
            .await;
    }
}

/// Holds the error of a request against what is known of it.
fn judge(run: &Run, request: &Request, error: &CallError) -> Option<&'static str> {
    if error.is_safe_to_retry()
        && let Some(wrong) = run.ledger.unsent(request)
    {
        run.lost(request, wrong);
    }
    if matches!(error.cause(), Cause::ShutDown) && run.ledger.is_answered(request) {
        run.lost(
            request,
            "answered by its handler before the association ended in order",
        );
    }
    let outcome = outcome::of_error(error);
    if outcome.is_none() {
        run.lost(request, &error.to_string());
    }
    outcome
}

/// Has callers call a service, until they are stopped.
#[derive(Debug)]
pub(crate) struct Calling {
    tasks: JoinSet<Caller>,
    stop: CancellationToken,
}

impl Calling {
    pub(crate) fn start(run: &Arc<Run>, callers: Vec<Caller>, service: &Service) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for caller in callers {
            tasks.spawn(caller.run(Arc::clone(run), service.clone(), stop.clone()));
        }
        Self { tasks, stop }
    }

    /// Has them make no further call.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for their last calls.
    pub(crate) async fn stopped(mut self, run: &Run) -> Vec<Caller> {
        let mut callers = Vec::new();
        while let Some(caller) = self.tasks.join_next().await {
            match caller {
                Ok(caller) => callers.push(caller),
                Err(error) => run.faults.add(Kind::Lost, format!("a caller: {error}")),
            }
        }
        callers
    }
}

/// Takes note of what a client got without having asked for it.
pub(crate) fn pushed(run: &Run, received: &[u8]) {
    match Payload::decode(received) {
        Payload::Push(push) => received_push(run, &push),
        Payload::Notice => {}
        other => run
            .faults
            .add(Kind::Lost, format!("{other:?} was received as a push")),
    }
}

pub(crate) fn received_push(run: &Run, push: &Push) {
    if let Some(wrong) = run.book.receive(push) {
        run.faults.add(Kind::Lost, wrong);
    }
}

/// The time that calls of a pool wait for a server.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
