//! Paths that fail: two namespaces, two cables between them, and one or both are cut.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sctp_tokio::{
    AssocId, Association, End, Event, Message, Notification, RecvError, Side, SocketBuilder,
    options::{AssocInfo, Heartbeat, InitMsg, PeerAddrParams, PfExposure, RtoInfo},
    sctp_core::PeerAddrChangeState,
};
use support::{
    must,
    netns::{NetNs, two_cables},
    notification,
};
use tokio::sync::oneshot;

const STREAMS: u16 = 4;

/// Finds failures out in a fraction of a second rather than in minutes.
fn impatient() -> SocketBuilder {
    let millis = Duration::from_millis;
    SocketBuilder::new()
        .with_init(InitMsg::new().with_outbound_streams(STREAMS))
        .configure(move |socket| {
            let timeouts = RtoInfo::new()
                .with_initial(millis(200))
                .with_min(millis(50))
                .with_max(millis(200));
            socket.set_rto_info(AssocId::FUTURE, &timeouts)?;
            let path = PeerAddrParams::new()
                .with_heartbeat(Heartbeat::Enabled(Some(millis(100))))
                .with_max_retransmissions(2);
            socket.set_peer_addr_params(AssocId::FUTURE, None, &path)?;
            socket.set_pf_exposure(AssocId::FUTURE, PfExposure::Exposed)?;
            let association = AssocInfo::new().with_max_retransmissions(4);
            socket.set_assoc_info(AssocId::FUTURE, &association)
        })
}

fn addrs(list: &[&str], port: u16) -> Vec<SocketAddr> {
    list.iter()
        .map(|addr| SocketAddr::new(addr.parse().unwrap(), port))
        .collect()
}

/// Accepts one association in the namespace and serves it. Returns the port.
async fn serve<T, F>(
    namespace: &NetNs,
    bind: &'static [&'static str],
    work: impl FnOnce(Association) -> F + Send + 'static,
) -> (u16, impl Future<Output = T>)
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let (tell, port) = oneshot::channel();
    let serving = namespace.start(move || async move {
        let mut listener = impatient()
            .with_local_addrs(addrs(bind, 0))
            .listen()
            .unwrap();
        tell.send(listener.local_addrs().unwrap()[0].port())
            .unwrap();
        work(must(listener.accept()).await.unwrap()).await
    });
    (must(port).await.unwrap(), serving)
}

fn message(number: u32) -> Message {
    let stream = u16::try_from(number % u32::from(STREAMS)).unwrap();
    Message::new(number.to_be_bytes().repeat(100)).on_stream(stream)
}

/// Receives until the end, and checks that each message came once, and in order on its stream.
async fn receive_all(mut server: Association, count: u32) {
    let mut next: HashMap<u16, u32> = (0..STREAMS).map(|at| (at, at.into())).collect();
    let mut received = 0;
    loop {
        let message = match must(server.recv()).await {
            Ok(Some(message)) => message,
            Ok(None) => break,
            // What reaches the client behind its end (a heartbeat, a chunk that came twice) is answered
            // with an ABORT without a cause. Where SHUTDOWN COMPLETE is lost, or overtaken, that is the end
            // which is heard; everything has been received by then.
            Err(RecvError::Closed(End::Aborted {
                by: Side::Peer,
                causes,
            })) if causes.is_empty() => {
                break;
            }
            Err(error) => panic!("{error}"),
        };
        let number = u32::from_be_bytes(*message.payload.first_chunk().unwrap());
        let next = next.get_mut(&message.info.stream.get()).unwrap();
        assert_eq!(number, *next, "on {:?}", message.info.stream);
        assert!(message.payload == number.to_be_bytes().repeat(100));
        *next += u32::from(STREAMS);
        received += 1;
    }
    assert_eq!(received, count);
}

async fn path_becomes(client: &mut Association, addr: &str, wanted: PeerAddrChangeState) {
    let ip: IpAddr = addr.parse().unwrap();
    notification(client, |event| match event {
        Notification::PeerAddrChange(change) => {
            let this = change.addr.unwrap().ip() == ip && change.state == wanted;
            this.then_some(())
        }
        _ => None,
    })
    .await;
}

/// Cuts the first cable in the middle of the traffic, and mends it again.
async fn survives(cut: fn(&NetNs, &NetNs), mend: fn(&NetNs, &NetNs)) {
    const BEFORE: u32 = 200;
    const COUNT: u32 = 1000;
    let (left, right) = two_cables();
    let (left, right) = (Arc::new(left), Arc::new(right));
    let (port, serving) = serve(&right, &["10.1.0.2", "10.2.0.2"], |server| {
        receive_all(server, COUNT)
    })
    .await;
    let links = (Arc::clone(&left), Arc::clone(&right));
    let sending = left.start(move || async move {
        let (left, right) = links;
        let mut client = must(
            impatient()
                .with_local_addrs(addrs(&["10.1.0.1", "10.2.0.1"], 0))
                .connect(&addrs(&["10.1.0.2"], port)),
        )
        .await
        .unwrap();
        // The peer has named its second address; a heartbeat confirms that it leads there.
        path_becomes(&mut client, "10.2.0.2", PeerAddrChangeState::Confirmed).await;
        let sender = client.sender();
        let sending = tokio::spawn(async move {
            for number in 0..COUNT {
                if number == BEFORE {
                    cut(&left, &right);
                }
                must(sender.send(message(number))).await.unwrap();
            }
            (left, right)
        });
        path_becomes(
            &mut client,
            "10.1.0.2",
            PeerAddrChangeState::PotentiallyFailed,
        )
        .await;
        path_becomes(&mut client, "10.1.0.2", PeerAddrChangeState::Unreachable).await;
        let (left, right) = must(sending).await.unwrap();
        mend(&left, &right);
        path_becomes(&mut client, "10.1.0.2", PeerAddrChangeState::Available).await;
        assert!(must(client.shutdown()).await.unwrap().is_orderly());
    });
    tokio::join!(serving, sending);
}

#[tokio::test]
async fn silent_path_is_left_and_used_again() {
    survives(
        |left, _| left.tc("qdisc add dev one root netem loss 100%"),
        |left, _| left.tc("qdisc del dev one root"),
    )
    .await;
}

#[tokio::test]
async fn path_with_peer_link_down_is_left_and_used_again() {
    survives(
        |_, right| right.ip("link set one down"),
        |_, right| right.ip("link set one up"),
    )
    .await;
}

#[tokio::test]
async fn path_with_own_link_down_is_left_and_used_again() {
    survives(
        |left, _| left.ip("link set one down"),
        |left, _| left.ip("link set one up"),
    )
    .await;
}

#[tokio::test]
async fn cut_association_is_lost_to_both() {
    let (left, right) = two_cables();
    let left = Arc::new(left);
    let (port, serving) = serve(&right, &["10.1.0.2"], async |mut server: Association| {
        support::next(&mut server).await;
        support::until_end(&mut server).await.1
    })
    .await;
    let link = Arc::clone(&left);
    let client = left.start(move || async move {
        let mut client = must(
            impatient()
                .with_local_addrs(addrs(&["10.1.0.1"], 0))
                .connect(&addrs(&["10.1.0.2"], port)),
        )
        .await
        .unwrap();
        client.send("hello").await.unwrap();
        support::acknowledged(&client).await;
        link.tc("qdisc add dev one root netem loss 100%");
        client.send("into the void").await.unwrap();
        let mut failed = 0;
        let end = loop {
            match must(client.next_event()).await.unwrap() {
                Event::Notification(Notification::SendFailed(event)) => {
                    assert_eq!(event.payload, "into the void");
                    failed += 1;
                }
                Event::Closed(end) => break end,
                _ => {}
            }
        };
        assert_eq!(failed, 1, "what was not delivered is told");
        end
    });
    let lost = End::Lost {
        error: io::ErrorKind::TimedOut,
    };
    assert_eq!(tokio::join!(serving, client), (lost.clone(), lost));
}

#[tokio::test]
async fn bad_cable_is_unnoticeable() {
    const COUNT: u32 = 1000;
    let (left, right) = two_cables();
    for end in [&left, &right] {
        end.tc(
            "qdisc add dev one root netem delay 3ms 2ms loss 5% reorder 25% duplicate 5% limit 5000",
        );
    }
    let (port, serving) = serve(&right, &["10.1.0.2"], |server| receive_all(server, COUNT)).await;
    let sending = left.start(move || async move {
        let patient = SocketBuilder::new()
            .with_init(InitMsg::new().with_outbound_streams(STREAMS))
            .configure(|socket| {
                let millis = Duration::from_millis;
                let timeouts = RtoInfo::new()
                    .with_initial(millis(100))
                    .with_min(millis(30))
                    .with_max(millis(100));
                socket.set_rto_info(AssocId::FUTURE, &timeouts)
            });
        let mut client = must(patient.connect(&addrs(&["10.1.0.2"], port)))
            .await
            .unwrap();
        for number in 0..COUNT {
            must(client.send(message(number))).await.unwrap();
        }
        assert!(must(client.shutdown()).await.unwrap().is_orderly());
    });
    tokio::join!(serving, sending);
}
