//! Links that are cut in the middle of calls: between a server and a client with two paths, and
//! between those that have one.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use sctp_service::{
    Cause, Config, End, Fate, Payload, Side,
    client::{Client, ClientEvent, Remote},
};
use sctp_tokio::{
    AssocId, SocketBuilder,
    options::{Heartbeat, PeerAddrParams},
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{network::impatient, *};
use crate::{
    server::{Report, Server, Style, echo},
    support::{
        leaks::eventually,
        netns::{NetNs, two_cables},
    },
};

/// Gives a path up after a fraction of a second, and the association not at all.
fn two_paths() -> SocketBuilder {
    impatient(1000).configure(|socket| {
        let path = PeerAddrParams::new()
            .with_heartbeat(Heartbeat::Enabled(Some(Duration::from_millis(50))))
            .with_max_retransmissions(3);
        socket.set_peer_addr_params(AssocId::FUTURE, None, &path)
    })
}

fn addrs(ips: [[u8; 4]; 2], port: u16) -> [SocketAddr; 2] {
    ips.map(|ip| SocketAddr::new(ip.into(), port))
}

/// Starts a server with two addresses. What comes back is its address, its reports, and its end,
/// which comes with that of its association.
async fn serve(
    namespace: &NetNs,
    style: Style,
) -> (
    SocketAddr,
    mpsc::UnboundedReceiver<Report>,
    impl Future<Output = ()>,
) {
    let (tell, told) = oneshot::channel();
    let (report, reports) = mpsc::unbounded_channel();
    let serving = namespace.start(move || async move {
        let ips = [[10, 1, 0, 2], [10, 2, 0, 2]].map(IpAddr::from);
        let mut server = Server::start_on(&ips, style, Config::default(), two_paths(), echo);
        tell.send(server.addr).unwrap();
        while let Some(next) = server.reports.recv().await {
            let over = matches!(next, Report::Closed(..));
            report.send(next).unwrap();
            if over {
                break;
            }
        }
        server.stop();
        server.stopped().await;
    });
    (must(told).await.unwrap(), reports, serving)
}

/// Waits until the server has told that a path of its client has some state.
async fn told(reports: &mut mpsc::UnboundedReceiver<Report>, ip: &str, state: &str) {
    loop {
        match must(reports.recv()).await.unwrap() {
            Report::Other(what)
                if what.starts_with("PathChanged")
                    && what.contains(&format!("addr: Some({ip}:"))
                    && what.contains(&format!("state: {state}")) =>
            {
                return;
            }
            Report::Closed(end, _) => panic!("the association is gone: {end}"),
            _ => {}
        }
    }
}

/// Calls on all streams until it is told to stop; each call is answered.
async fn load(client: &Client, answered: &AtomicUsize, stop: &CancellationToken) {
    let calling = (0..9).map(|caller| async move {
        for number in 0.. {
            if stop.is_cancelled() {
                break;
            }
            let question = format!("{caller}: {number}");
            let reply = must(client.request(question.clone())).await.unwrap();
            assert_eq!(reply.payload, question);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    });
    join_all(calling).await;
}

both_styles! {
    async fn loss_of_one_path_fails_no_call(style: Style) {
        let (left, right) = two_cables();
        let (addr, mut reports, serving) = serve(&right, style).await;
        let answered = Arc::new(AtomicUsize::new(0));
        let changes = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let (count, seen, stopped) = (Arc::clone(&answered), Arc::clone(&changes), stop.clone());
        let calling = left.start(move || async move {
            let socket = two_paths().with_local_addrs(addrs([[10, 1, 0, 1], [10, 2, 0, 1]], 0));
            let remote = Remote::multi_homed(addrs([[10, 1, 0, 2], [10, 2, 0, 2]], addr.port()));
            let builder = Client::builder().on_event(move |event| {
                if let ClientEvent::PathChanged { .. } = event {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
            let connecting = builder.connect(remote.with_socket(socket));
            let client = must(connecting).await.unwrap();
            let association = client.connect_info().unwrap().assoc();
            load(&client, &count, &stopped).await;
            // It is the association of the beginning.
            assert_eq!(client.connect_info().unwrap().assoc(), association);
            must(client.graceful_shutdown()).await
        });
        let trouble = async {
            let calls = async |more| {
                let target = answered.load(Ordering::Relaxed) + more;
                eventually(|| answered.load(Ordering::Relaxed) >= target).await;
            };
            let client_noticed = async |before| {
                eventually(|| changes.load(Ordering::Relaxed) > before).await;
            };
            told(&mut reports, "10.2.0.1", "Confirmed").await;
            calls(300).await;
            let before = changes.load(Ordering::Relaxed);
            left.ip("link set one down");
            // Both ends are told, and go on meanwhile on the other path.
            told(&mut reports, "10.1.0.1", "Unreachable").await;
            client_noticed(before).await;
            calls(300).await;
            let before = changes.load(Ordering::Relaxed);
            left.ip("link set one up");
            told(&mut reports, "10.1.0.1", "Available").await;
            client_noticed(before).await;
            // It is as good as before: the other one is not needed any more.
            left.ip("link set two down");
            told(&mut reports, "10.2.0.1", "Unreachable").await;
            calls(300).await;
            stop.cancel();
            left.ip("link set two up");
        };
        let (end, (), ()) = tokio::join!(calling, trouble, serving);
        assert_eq!(end, Some(End::Shutdown { by: Side::Local }));
        let mut ends = Vec::new();
        while let Ok(report) = reports.try_recv() {
            match report {
                Report::Closed(end, _) => ends.push(end),
                Report::Up => panic!("a second association came up"),
                Report::Other(_) => {}
            }
        }
        assert_eq!(ends, [End::Shutdown { by: Side::Peer }]);
    }

    async fn loss_of_the_only_path_fails_the_calls(style: Style) {
        let (left, right) = two_cables();
        let (tell, addr) = oneshot::channel();
        let running = Arc::new(Semaphore::new(0));
        let (start, started) = (Arc::clone(&running), Arc::clone(&running));
        let serving = right.start(move || async move {
            let service = move |_: Payload| {
                start.add_permits(1);
                std::future::pending::<()>()
            };
            let ip = [10, 1, 0, 2].into();
            let mut server = Server::start_at(ip, style, Config::default(), impatient(4), service);
            tell.send(server.addr).unwrap();
            let (end, _) = server.closed().await;
            server.stop();
            server.stopped().await;
            end
        });
        let addr = must(addr).await.unwrap();
        let calling = left.start(move || async move {
            let remote = Remote::new(addr).with_socket(impatient(4));
            let client = must(Client::connect(remote)).await.unwrap();
            let calls = must(join_all((0..5).map(|_| client.request("stay")))).await;
            for error in calls.into_iter().map(Result::unwrap_err) {
                assert!(matches!(error.cause(), Cause::Lost(_)), "{error}");
                assert_eq!(error.fate(), Fate::Unknown);
            }
            client.last_end()
        });
        let cutting = async {
            // All of them are in the service's hands.
            must(started.acquire_many(5)).await.unwrap().forget();
            left.ip("link set one down");
        };
        let (here, there, ()) = tokio::join!(calling, serving, cutting);
        assert!(matches!(here, Some(End::Lost { .. })), "{here:?}");
        assert!(matches!(there, End::Lost { .. }), "{there}");
    }
}
