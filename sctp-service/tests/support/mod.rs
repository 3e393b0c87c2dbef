//! Helpers that the tests share.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses its own part of it"
)]
#![allow(clippy::unwrap_used, reason = "a failed set-up fails the test")]

pub(crate) mod header;
mod must;

use std::{
    future::IntoFuture,
    sync::{Arc, Mutex},
    time::Duration,
};

pub(crate) use must::{must, within};
use sctp_service::{
    Config, MakeService, Message, Serve, ServerEvent, serve,
    testing::{Network, Peer, ScriptedListener},
};
use tokio::{sync::oneshot, task::JoinHandle};

/// A server that runs, and what it reported.
pub(crate) struct Server {
    pub(crate) network: Network,
    pub(crate) log: Log,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) fn new<M, K>(make_service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        Self::with_config(Config::new(), make_service)
    }

    pub(crate) fn with_config<M, K>(config: Config, make_service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        Self::with(make_service, |server| server.with_config(config))
    }

    pub(crate) fn with<M, K>(
        make_service: M,
        set_up: impl FnOnce(Serve<ScriptedListener, M, K>) -> Serve<ScriptedListener, M, K>,
    ) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let (listener, network) = ScriptedListener::new();
        let (stop, stopped) = oneshot::channel::<()>();
        let log = Log::default();
        let hook = log.clone();
        let server = set_up(serve(listener, make_service))
            .on_event(move |event| hook.note(event))
            .with_graceful_shutdown(async { drop(stopped.await) });
        Self {
            network,
            log,
            stop: Some(stop),
            task: tokio::spawn(server.into_future()),
        }
    }

    pub(crate) async fn connect(&self) -> Peer {
        must(self.network.connect()).await.unwrap()
    }

    /// Begins the graceful shutdown.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has come to its end.
    pub(crate) async fn stopped(self) {
        must(self.task).await.unwrap();
    }
}

/// Sends without a pause, for as long as it is polled.
pub(crate) async fn flood(peer: &Peer) {
    loop {
        if !peer.try_send("hello") || peer.unread_by_server() > 500 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The events of a server, one line for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, event: &ServerEvent<'_>) {
        let line = match event {
            ServerEvent::Up { .. } => "up".into(),
            ServerEvent::Open { .. } => return,
            ServerEvent::Closed {
                end,
                reason,
                counts,
                ..
            } => {
                let reason = reason
                    .map(|reason| format!(" ({reason})"))
                    .unwrap_or_default();
                format!("{end}{reason}, {counts:?}")
            }
            ServerEvent::Restarted { .. } => "restarted".into(),
            ServerEvent::PathChanged { change, .. } => {
                format!("path {} {:?}", change.addr.unwrap(), change.state)
            }
            ServerEvent::ReplyRefused { error, .. } => format!("reply refused: {error}"),
            ServerEvent::ReceiveFailed { error, .. } => format!("receive failed: {error}"),
            ServerEvent::Panicked { message, .. } => format!("panicked: {message}"),
            ServerEvent::Refused { .. } => "refused".into(),
            ServerEvent::AcceptFailed { error, .. } => format!("accept failed: {error}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Returns the line about the end of the last association that ended.
    pub(crate) fn closed(&self) -> String {
        self.lines()
            .iter()
            .rfind(|line| line.contains("Counts"))
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn count(&self, line: &str) -> u32 {
        self.lines().iter().map(|l| u32::from(l == line)).sum()
    }

    #[track_caller]
    pub(crate) fn assert_has(&self, line: &str) {
        assert!(
            self.lines().iter().any(|l| l.starts_with(line)),
            "no \"{line}\" in {:#?}",
            self.lines()
        );
    }
}

/// Lets every other task run until it waits.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_micros(1)).await;
}

/// A message on a stream.
pub(crate) fn on(stream: u16, payload: impl Into<bytes::Bytes>) -> Message {
    Message::new(payload).on_stream(stream)
}
