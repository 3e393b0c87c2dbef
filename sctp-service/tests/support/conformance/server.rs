//! A server in the background.

use std::sync::Arc;

use sctp_service::{
    AbortReason, Config, Drain, End, IntoReply, Reply, ReplyMessage, Request, SendInfo,
    ServerEvent, Shutdown, serve,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{must, world::Listener};

/// The calls that wait, for the drain or for a permit.
#[derive(Clone)]
pub(super) struct Calls {
    waiting: Arc<Semaphore>,
    release: Arc<Semaphore>,
}

pub(super) struct Server {
    calls: Calls,
    closed: mpsc::UnboundedReceiver<(End, Option<AbortReason>)>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    pub(super) fn start(listener: Listener) -> Self {
        Self::start_with(listener, Config::new(), "server")
    }

    pub(super) fn start_with(listener: Listener, config: Config, name: &'static str) -> Self {
        let calls = Calls {
            waiting: Arc::new(Semaphore::new(0)),
            release: Arc::new(Semaphore::new(0)),
        };
        let (report, closed) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = calls.clone();
        let server = serve(listener, move |drain: Drain, request: Request| {
            service(name, served.clone(), drain, request)
        })
        .with_config(config)
        .on_event(move |event| {
            if let ServerEvent::Closed { end, reason, .. } = event {
                report.send(((*end).clone(), reason.cloned())).unwrap();
            }
        })
        .with_graceful_shutdown(async { drop(stopped.await) });
        Self {
            calls,
            closed,
            stop: Some(stop),
            running: tokio::spawn(server.into_future()),
        }
    }

    /// Waits until so many more calls wait.
    pub(super) async fn await_waiting(&self, calls: u32) {
        must(self.calls.waiting.acquire_many(calls))
            .await
            .unwrap()
            .forget();
    }

    /// Answers one that waits.
    pub(super) fn release(&self) {
        self.calls.release.add_permits(1);
    }

    /// Waits for the end of an association, and the reason that it was aborted with.
    pub(super) async fn closed(&mut self) -> (End, Option<AbortReason>) {
        must(self.closed.recv()).await.unwrap()
    }

    /// Asks for a graceful shutdown.
    pub(super) fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until every association is closed.
    pub(super) async fn stopped(self) {
        must(self.running).await.unwrap();
    }
}

/// Does what the request says.
async fn service(name: &'static str, calls: Calls, drain: Drain, request: Request) -> Reply {
    let payload = request.into_payload();
    if let Some(reason) = payload.strip_prefix(b"abort ") {
        let reason = AbortReason::new(payload.slice_ref(reason)).unwrap();
        return Shutdown::Abort(reason).into_reply();
    }
    match &payload[..] {
        b"quit" => Reply::new(payload).with_shutdown(Shutdown::AfterAck),
        b"push" => {
            let mut push = ReplyMessage::from("news");
            push.info = SendInfo::default().into();
            Reply::new(push).with_message("pushed")
        }
        b"wait" => {
            calls.waiting.add_permits(1);
            tokio::select! {
                () = drain.started() => {}
                permit = calls.release.acquire() => permit.unwrap().forget(),
            }
            Reply::new(payload)
        }
        b"never" => {
            calls.waiting.add_permits(1);
            std::future::pending().await
        }
        b"who" => Reply::new(name),
        _ => Reply::new(payload),
    }
}
