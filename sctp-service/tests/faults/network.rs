//! A bad network, made with netem(8) between two namespaces.

use std::{net::SocketAddr, time::Duration};

use sctp_service::{Config, End, Side};
use sctp_tokio::{
    AssocId, Association, Event, Message, Socket, SocketBuilder,
    options::{AssocInfo, Heartbeat, InitMsg, PeerAddrParams, RtoInfo},
};
use tokio::sync::oneshot;

use super::*;
use crate::{
    server::{Server, Style, echo},
    support::{
        leaks::eventually,
        netns::{NetNs, two_cables},
    },
};

/// Timers short enough for a test: a lost packet is sent again after 50 ms.
///
/// The handshake has limits of its own: by default it gives up after 8 retransmissions, and doubles the
/// pause before each.
pub(super) fn impatient(retransmissions: u16) -> SocketBuilder {
    let init = InitMsg::new()
        .with_max_attempts(100)
        .with_max_timeout(Duration::from_millis(100));
    SocketBuilder::new()
        .with_init(init)
        .configure(move |socket| {
            let times = RtoInfo::new()
                .with_initial(Duration::from_millis(50))
                .with_min(Duration::from_millis(50))
                .with_max(Duration::from_millis(100));
            socket.set_rto_info(AssocId::FUTURE, &times)?;
            // So that an end that has nothing to send finds out as well.
            let heartbeat = Heartbeat::Enabled(Some(Duration::from_millis(50)));
            let path = PeerAddrParams::new().with_heartbeat(heartbeat);
            socket.set_peer_addr_params(AssocId::FUTURE, None, &path)?;
            let limit = AssocInfo::new().with_max_retransmissions(retransmissions);
            socket.set_assoc_info(AssocId::FUTURE, &limit)
        })
}

/// Connects to a server through a network that loses packets.
///
/// The kernel gives up a shutdown after five times the maximum timeout that the association began with
/// (`sctp_association_init`). With 100 ms that is time for half a dozen attempts, all of which such a
/// network can lose.
async fn connect(addr: SocketAddr) -> Association {
    let set_max =
        |socket: &Socket, assoc, max| socket.set_rto_info(assoc, &RtoInfo::new().with_max(max));
    let minute = Duration::from_secs(60);
    let builder = impatient(100).configure(move |socket| set_max(socket, AssocId::FUTURE, minute));
    let peer = must(builder.connect(&[addr])).await.unwrap();
    let socket = peer.socket().unwrap();
    set_max(socket, peer.id(), Duration::from_millis(100)).unwrap();
    peer
}

/// Runs a server in one namespace until the client in the other is done. What comes back is how
/// the server saw the association end.
async fn across<T, F>(
    (left, right): (&NetNs, &NetNs),
    style: Style,
    retransmissions: u16,
    client: impl FnOnce(SocketAddr) -> F + Send + 'static,
) -> (T, End)
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let (tell, told) = oneshot::channel();
    let serving = right.start(move || async move {
        let ip = [10, 1, 0, 2].into();
        let socket = impatient(retransmissions);
        let mut server = Server::start_at(ip, style, Config::default(), socket, echo);
        tell.send(server.addr).unwrap();
        let (end, _) = server.closed().await;
        server.stop();
        server.stopped().await;
        end
    });
    let addr = must(told).await.unwrap();
    let asking = left.start(move || client(addr));
    must(async { tokio::join!(asking, serving) }).await
}

/// Everything that is asked is answered once and in order, whatever the network does.
async fn through(style: Style, trouble: &'static str) {
    let (left, right) = two_cables();
    for (end, own, other) in [(&left, 1, 2), (&right, 2, 1)] {
        // ARP has no checksum: an answer with a flipped bit would lead all packets astray for half
        // a minute, so nobody asks.
        end.ip(&format!(
            "link set one address 02:00:0a:01:00:0{own}\n\
             neigh add 10.1.0.{other} lladdr 02:00:0a:01:00:0{other} dev one nud permanent"
        ));
        end.tc(&format!("qdisc add dev one root netem {trouble}"));
    }
    let client = async |addr| {
        const QUESTIONS: u16 = 150;
        let (sender, mut receiver) = connect(addr).await.split();
        let asking = tokio::spawn(async move {
            for number in 0..QUESTIONS {
                let question = [&number.to_be_bytes()[..], &[b'q'; 700]].concat();
                must(sender.send(Message::new(question).on_stream(number % 5)))
                    .await
                    .unwrap();
            }
            sender
        });
        let mut next: Vec<u16> = (0..5).collect();
        for _ in 0..QUESTIONS {
            let answer = must(receiver.recv()).await.unwrap().unwrap();
            let number = u16::from_be_bytes(*answer.payload.first_chunk().unwrap());
            let stream = answer.info.stream.get();
            assert_eq!(number, next[usize::from(stream)], "on stream {stream}");
            next[usize::from(stream)] += 5;
        }
        let sender = must(asking).await.unwrap();
        let mut peer = sender.reunite(receiver).unwrap();
        must(peer.shutdown()).await.unwrap()
    };
    let (end, seen) = across((&left, &right), style, 100, client).await;
    assert_eq!(end, End::Shutdown { by: Side::Local });
    assert_eq!(seen, End::Shutdown { by: Side::Peer });
}

both_styles! {
    async fn loss_of_one_percent(style: Style) {
        through(style, "loss 1%").await;
    }

    async fn loss_of_five_percent(style: Style) {
        through(style, "loss 5%").await;
    }

    async fn loss_of_twenty_percent(style: Style) {
        through(style, "loss 20%").await;
    }

    async fn delay(style: Style) {
        through(style, "delay 20ms 10ms").await;
    }

    async fn reordering(style: Style) {
        through(style, "delay 10ms reorder 50% 50%").await;
    }

    async fn duplication(style: Style) {
        through(style, "duplicate 30%").await;
    }

    async fn corruption(style: Style) {
        through(style, "corrupt 5%").await;
    }

    async fn a_cut_link_ends_the_association_at_both_ends(style: Style) {
        let (left, right) = two_cables();
        let (cut, cutting) = oneshot::channel();
        let client = |addr| async move {
            let mut peer = must(impatient(4).connect(&[addr])).await.unwrap();
            peer.send("before").await.unwrap();
            assert_eq!(reply(&mut peer).await.payload, "before");
            cut.send(()).unwrap();
            // While the link is cut there is something to send, so that it is noticed; and little,
            // since a server on a shared socket aborts who sends more than it can answer.
            loop {
                let _ = must(peer.send("anyone there?")).await;
                if let Event::Closed(end) = must(peer.next_event()).await.unwrap() {
                    return end;
                }
            }
        };
        let ends = async {
            let ends = across((&left, &right), style, 4, client);
            let cutting = async {
                must(cutting).await.unwrap();
                left.ip("link set one down");
            };
            tokio::join!(ends, cutting).0
        };
        let (here, there) = must(ends).await;
        assert!(matches!(here, End::Lost { .. }), "{here}");
        assert!(matches!(there, End::Lost { .. }), "{there}");
    }

    async fn a_link_that_is_restored_in_time_loses_nothing(style: Style) {
        let (left, right) = two_cables();
        let (cut, cutting) = oneshot::channel();
        let client = |addr| async move {
            let mut peer = must(impatient(100).connect(&[addr])).await.unwrap();
            peer.send("before").await.unwrap();
            assert_eq!(reply(&mut peer).await.payload, "before");
            let ((dark, darkness), (noticed, notice)) = (oneshot::channel(), oneshot::channel());
            cut.send((dark, notice)).unwrap();
            must(darkness).await.unwrap();
            for number in 0..20 {
                peer.send(format!("in the dark {number}")).await.unwrap();
            }
            eventually(|| peer.control().stats().unwrap().retransmitted_chunks > 0).await;
            noticed.send(()).unwrap();
            for number in 0..20 {
                assert_eq!(reply(&mut peer).await.payload, format!("in the dark {number}"));
            }
            must(peer.shutdown()).await.unwrap()
        };
        let ends = async {
            let ends = across((&left, &right), style, 100, client);
            let cutting = async {
                let (dark, notice): (oneshot::Sender<()>, oneshot::Receiver<()>) =
                    must(cutting).await.unwrap();
                left.tc("qdisc add dev one root netem loss 100%");
                dark.send(()).unwrap();
                must(notice).await.unwrap();
                left.tc("qdisc del dev one root");
            };
            tokio::join!(ends, cutting).0
        };
        let (here, there) = must(ends).await;
        assert!(here.is_orderly() && there.is_orderly(), "{here}, {there}");
    }
}
