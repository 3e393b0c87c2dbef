//! A wall clock that jumps, as when a machine first hears of the time, or is moved. Timers go by the
//! monotonic clock: nothing ends early, and nothing waits for a time that has become far away.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use sctp_service::{
    CallError, Cause, Config, End, IntoReply, Received, Reply, Request, Shutdown, Side,
    client::{Client, ClientConfig, Remote},
};
use sctp_tokio::{Association, SocketBuilder};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

use super::*;
use crate::{
    server::{Server, Style},
    support::{patience::scaled, probe_client::ProbeClient},
};

const DAY: i64 = 24 * 60 * 60;
/// Messages of a kilobyte, more than the buffers of both ends take.
const MUCH: usize = 150;

/// Runs a scenario where the clock is nobody else's: in a guest.
fn in_a_guest(name: &str, scenario: impl Future<Output = ()>) {
    if std::env::var_os("SCTP_KERNEL_GUEST").is_some() {
        return alone(scenario);
    }
    // This kernel has SCTP, and the clock of somebody's machine.
    let lane = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.kernel/run");
    let output = Command::new(lane)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("SCTP_KERNEL", "uml")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Sets the wall clock forwards, or backwards, and sees that it is.
fn jump(seconds: i64) {
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        i64::try_from(since.unwrap().as_secs()).unwrap()
    };
    let target = now() + seconds;
    let set = Command::new("date")
        .args(["-s", &format!("@{target}")])
        .output()
        .unwrap();
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
    let off = now() - target;
    assert!((0..3600).contains(&off), "the clock is {off} s off");
}

/// Jumps to and fro beside calls that are answered, and ends where it began.
async fn jump_around(good: &mut ProbeClient) {
    for days in [1, -2, 400, -399] {
        jump(days * DAY);
        good.answered(30).await;
    }
}

/// A service that does what it is asked: `wait` for a sign, `stay` for ever, or answer with `much`
/// more than a peer takes in, and end the association; all else is echoed.
#[derive(Clone)]
struct Obedient {
    started: Arc<Notify>,
    go: Arc<Semaphore>,
}

impl Obedient {
    fn new() -> Self {
        Self {
            started: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        }
    }

    async fn serve(self, request: Request) -> Reply {
        let payload = request.into_payload();
        if payload.starts_with(b"good") {
            return Reply::new(payload);
        }
        self.started.notify_one();
        match &payload[..] {
            b"wait" => self.go.acquire().await.unwrap().forget(),
            b"stay" => std::future::pending().await,
            b"much" => {
                let much = vec![Bytes::from(vec![b'm'; 1000]); MUCH];
                return much.into_reply().with_shutdown(Shutdown::AfterAck);
            }
            _ => {}
        }
        Reply::new(payload)
    }

    fn start(&self, style: Style, config: Config) -> Server {
        let this = self.clone();
        let service = move |request: Request| this.clone().serve(request);
        Server::start_with(style, config, SocketBuilder::new(), service)
    }

    /// Asks, and waits until the service has begun.
    async fn ask(&self, server: &Server, question: &'static str) -> Association {
        let lazy = SocketBuilder::new().with_recv_buffer_size(10_000);
        let peer = must(lazy.connect(&[server.addr])).await.unwrap();
        peer.send(question).await.unwrap();
        must(self.started.notified()).await;
        peer
    }

    /// Calls, and waits until the service has begun.
    async fn call(
        &self,
        server: &Server,
        question: &'static str,
        timeout: Duration,
    ) -> JoinHandle<Result<Received, CallError>> {
        let client = Client::builder()
            .with_config(ClientConfig::new().with_call_timeout(timeout))
            .connect(Remote::new(server.addr));
        let client = must(client).await.unwrap();
        let call = tokio::spawn(async move { client.request(question).await });
        must(self.started.notified()).await;
        call
    }
}

fn all_timeouts(time: Duration) -> Config {
    Config::default()
        .with_idle_timeout(time)
        .with_shutdown_timeout(time)
        .with_drain_timeout(time)
}

async fn nothing_ends_early(style: Style) {
    let hour = Duration::from_secs(3600);
    let service = Obedient::new();
    let mut server = service.start(style, all_timeouts(hour));
    let mut good = ProbeClient::connect(server.addr).await;
    let mut idle = service.ask(&server, "hello").await;
    assert_eq!(reply(&mut idle).await.payload, "hello");
    let mut ending = service.ask(&server, "much").await;
    let call = service.call(&server, "wait", hour).await;
    jump_around(&mut good).await;
    idle.send("good, still there?").await.unwrap();
    assert_eq!(reply(&mut idle).await.payload, "good, still there?");
    let (messages, end) = until_end(&mut ending).await;
    assert_eq!(
        (messages.len(), end),
        (MUCH, End::Shutdown { by: Side::Peer })
    );
    service.go.add_permits(1);
    assert_eq!(must(call).await.unwrap().unwrap().payload, "wait");
    good.noticed_nothing().await;
    // And while the server drains.
    let mut first = service.ask(&server, "wait").await;
    let mut second = service.ask(&server, "wait").await;
    server.stop();
    assert_eq!(
        until_end(&mut idle).await.1,
        End::Shutdown { by: Side::Peer }
    );
    jump(DAY);
    for waiting in [&mut first, &mut second] {
        service.go.add_permits(1);
        let (messages, end) = until_end(waiting).await;
        assert_eq!(messages, ["wait"]);
        assert_eq!(end, End::Shutdown { by: Side::Peer });
    }
    server.stopped().await;
    jump(-DAY);
}

async fn nothing_hangs(style: Style) {
    // Time enough to set the clock.
    let soon = scaled(1);
    let service = Obedient::new();
    let mut server = service.start(style, all_timeouts(soon));
    let mut good = ProbeClient::connect(server.addr).await;
    let ending = service.ask(&server, "much").await;
    let mut idle = service.ask(&server, "hello").await;
    let call = service.call(&server, "stay", soon).await;
    jump(-400 * DAY);
    good.answered(30).await;
    let (messages, end) = until_end(&mut idle).await;
    assert_eq!(messages, ["hello"]);
    assert_eq!(end, End::Shutdown { by: Side::Peer });
    let error = must(call).await.unwrap().unwrap_err();
    assert!(matches!(error.cause(), Cause::TimedOut), "{error}");
    while server
        .closed()
        .await
        .1
        .is_none_or(|reason| reason.as_bytes() != b"shutdown timed out")
    {}
    drop(ending);
    good.noticed_nothing().await;
    let mut waiting = service.ask(&server, "stay").await;
    server.stop();
    jump(-DAY);
    let end = until_end(&mut waiting).await.1;
    assert_eq!(end.reason().unwrap(), "drain timed out");
    server.stopped().await;
    jump(401 * DAY);
}

#[test]
fn peeled_off_associations_do_not_end_early() {
    let name = "clock::peeled_off_associations_do_not_end_early";
    in_a_guest(name, nothing_ends_early(Style::PeelOff));
}

#[test]
fn associations_of_a_shared_socket_do_not_end_early() {
    let name = "clock::associations_of_a_shared_socket_do_not_end_early";
    in_a_guest(name, nothing_ends_early(Style::OneToMany));
}

#[test]
fn peeled_off_associations_do_not_hang() {
    let name = "clock::peeled_off_associations_do_not_hang";
    in_a_guest(name, nothing_hangs(Style::PeelOff));
}

#[test]
fn associations_of_a_shared_socket_do_not_hang() {
    let name = "clock::associations_of_a_shared_socket_do_not_hang";
    in_a_guest(name, nothing_hangs(Style::OneToMany));
}
