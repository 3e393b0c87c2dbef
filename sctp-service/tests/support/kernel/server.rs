//! A server in the background, and what it reports.

use std::{
    future::{Future, IntoFuture, ready},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use sctp_service::{
    AbortReason, Config, End, IntoReply, MakeService, Payload, Reply, Request, Serve, ServeFuture,
    ServerEvent, Shutdown, serve, serve_endpoint,
};
use sctp_tokio::{
    AssocId, Association, SocketBuilder,
    options::{AssocInfo, RtoInfo},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::header::by_header;
use super::must;

/// The kind of socket that carries the associations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    PeelOff,
    OneToMany,
}

/// Options of a server that soon repeats what a peer's full buffer has discarded.
///
/// By default the kernel waits for a second, twice as long after each repeated loss, and gives up
/// after ten.
pub(crate) fn quick() -> SocketBuilder {
    let millis = Duration::from_millis;
    let timeouts = RtoInfo::new()
        .with_initial(millis(200))
        .with_min(millis(100))
        .with_max(millis(200));
    let persistent = AssocInfo::new().with_max_retransmissions(u16::MAX);
    SocketBuilder::new().configure(move |socket| {
        socket.set_rto_info(AssocId::FUTURE, &timeouts)?;
        socket.set_assoc_info(AssocId::FUTURE, &persistent)
    })
}

/// Events that the server's hook reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Up,
    Closed(End, Option<AbortReason>),
    Other(String),
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start<M, K>(style: Style, service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        Self::start_with(style, Config::default(), SocketBuilder::new(), service)
    }

    pub(crate) fn start_with<M, K>(
        style: Style,
        config: Config,
        socket: SocketBuilder,
        service: M,
    ) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Self::start_at(loopback, style, config, socket, service)
    }

    pub(crate) fn start_at<M, K>(
        ip: IpAddr,
        style: Style,
        config: Config,
        socket: SocketBuilder,
        service: M,
    ) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        Self::start_on(&[ip], style, config, socket, service)
    }

    /// Starts a server with several addresses, all of them with one port.
    pub(crate) fn start_on<M, K>(
        ips: &[IpAddr],
        style: Style,
        config: Config,
        socket: SocketBuilder,
        service: M,
    ) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let socket = socket.with_local_addrs(ips.iter().map(|ip| SocketAddr::new(*ip, 0)));
        match style {
            Style::PeelOff => Self::spawn(serve(socket.listen().unwrap(), service), config),
            Style::OneToMany => {
                Self::spawn(serve_endpoint(socket.endpoint().unwrap(), service), config)
            }
        }
    }

    /// Starts a server that can make calls.
    pub(crate) fn start_correlated<M, K>(style: Style, config: Config, service: M) -> Self
    where
        M: MakeService<K>,
        K: 'static,
    {
        let socket = SocketBuilder::new().with_local_addrs([SocketAddr::from(([127, 0, 0, 1], 0))]);
        match style {
            Style::PeelOff => {
                let server = serve(socket.listen().unwrap(), service);
                Self::spawn(server.with_correlation(by_header()), config)
            }
            Style::OneToMany => {
                let server = serve_endpoint(socket.endpoint().unwrap(), service);
                Self::spawn(server.with_correlation(by_header()), config)
            }
        }
    }

    fn spawn<L, M, K>(serve: Serve<L, M, K>, config: Config) -> Self
    where
        L: sctp_service::Listener,
        M: MakeService<K>,
        K: 'static,
    {
        let addr = serve.local_addrs().unwrap()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let (report, reports) = mpsc::unbounded_channel();
        let serve = serve
            .with_config(config)
            .on_event(move |event| {
                let _ = report.send(match event {
                    ServerEvent::Up { .. } => Report::Up,
                    ServerEvent::Open { .. } => return,
                    ServerEvent::Closed { end, reason, .. } => {
                        Report::Closed((*end).clone(), reason.cloned())
                    }
                    other => Report::Other(format!("{other:?}")),
                });
            })
            .with_graceful_shutdown(async {
                let _ = stopped.await;
            });
        let running = tokio::spawn(async move { serve.await });
        Self {
            addr,
            reports,
            stop: Some(stop),
            running,
        }
    }

    pub(crate) async fn connect(&self) -> Association {
        must(Association::connect(self.addr)).await.unwrap()
    }

    /// Asks for a graceful shutdown.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until the server has ended.
    pub(crate) async fn stopped(self) {
        must(self.running).await.unwrap();
    }

    /// Waits until the server has ended, and returns what it reported and nobody has asked for.
    pub(crate) async fn reports_to_the_end(mut self) -> Vec<Report> {
        must(self.running).await.unwrap();
        let mut reports = Vec::new();
        while let Some(report) = self.reports.recv().await {
            reports.push(report);
        }
        reports
    }

    /// Waits for the next association that closed.
    pub(crate) async fn closed(&mut self) -> (End, Option<AbortReason>) {
        loop {
            if let Report::Closed(end, reason) = must(self.reports.recv()).await.unwrap() {
                return (end, reason);
            }
        }
    }
}

/// Listens, and returns the address, and a server that shuts down as soon as it runs.
pub(crate) fn draining_server<M, K>(
    style: Style,
    service: M,
) -> (SocketAddr, impl Future<Output = ()> + Send + 'static)
where
    M: MakeService<K>,
    K: 'static,
{
    fn drain<L, M, K>(serve: Serve<L, M, K>) -> (SocketAddr, ServeFuture)
    where
        L: sctp_service::Listener,
        M: MakeService<K>,
        K: 'static,
    {
        let addr = serve.local_addrs().unwrap()[0];
        let serve = serve.with_graceful_shutdown(ready(()));
        (addr, serve.into_future())
    }
    let socket = SocketBuilder::new().with_local_addrs([SocketAddr::from(([127, 0, 0, 1], 0))]);
    match style {
        Style::PeelOff => drain(serve(socket.listen().unwrap(), service)),
        Style::OneToMany => drain(serve_endpoint(socket.endpoint().unwrap(), service)),
    }
}

/// The textbook's server with per-message termination: `quit` is answered, then the association
/// is shut down; `abort REASON` aborts it; anything else is echoed.
pub(crate) async fn textbook(request: Request) -> Reply {
    let payload = request.into_payload();
    match payload.strip_prefix(b"abort ") {
        Some(reason) => match AbortReason::new(payload.slice_ref(reason)) {
            Ok(reason) => Shutdown::Abort(reason).into_reply(),
            Err(_) => Shutdown::abort("reason too long").into_reply(),
        },
        None if payload == "quit" => Reply::new(payload).with_shutdown(Shutdown::AfterAck),
        None => Reply::new(payload),
    }
}

pub(crate) async fn echo(Payload(payload): Payload) -> Payload {
    Payload(payload)
}
