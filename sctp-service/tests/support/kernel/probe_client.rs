//! A good client beside the trouble.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sctp_tokio::{AssocId, Association, Message, SocketBuilder, options::RtoInfo};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{must, patience::scaled, reply};

/// Seconds of a round that counts as a disturbance, more in the SMP guest. A round takes a
/// millisecond on an idle machine; the tests share theirs with compilers.
const NOTICEABLE: u64 = 3;

/// After which a lost packet is sent again. A flood fills the queue of the loopback device, where a
/// good client's packets are dropped with the rest: that is the network's doing, and the server is
/// judged by what it does. The kernel's own 1 to 3 s would hide that.
const RETRANSMIT: Duration = Duration::from_millis(100);

/// A client that keeps asking an echo server, on one stream after the other.
pub(crate) struct ProbeClient {
    stop: CancellationToken,
    rounds: watch::Receiver<u64>,
    asking: JoinHandle<Duration>,
}

impl ProbeClient {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let socket = SocketBuilder::new().configure(|socket| {
            let times = RtoInfo::new()
                .with_initial(RETRANSMIT)
                .with_min(RETRANSMIT)
                .with_max(2 * RETRANSMIT);
            socket.set_rto_info(AssocId::FUTURE, &times)
        });
        Self::on(must(socket.connect(&[addr])).await.unwrap())
    }

    pub(crate) fn on(client: Association) -> Self {
        let stop = CancellationToken::new();
        let (count, rounds) = watch::channel(0);
        let asking = tokio::spawn(ask(client, stop.clone(), count));
        Self {
            stop,
            rounds,
            asking,
        }
    }

    /// Waits until it has been answered so many more times.
    pub(crate) async fn answered(&mut self, times: u64) {
        let target = *self.rounds.borrow() + times;
        let answered = must(self.rounds.wait_for(|rounds| *rounds >= target)).await;
        assert!(answered.is_ok(), "the good client failed");
    }

    /// Ends it, after some more rounds, and answers how long the slowest one took. Panics if it
    /// noticed anything.
    pub(crate) async fn noticed_nothing(mut self) -> Duration {
        self.answered(20).await;
        self.stop.cancel();
        let slowest = must(self.asking).await.unwrap();
        assert!(slowest < scaled(NOTICEABLE), "a reply took {slowest:?}");
        slowest
    }
}

async fn ask(
    mut client: Association,
    stop: CancellationToken,
    count: watch::Sender<u64>,
) -> Duration {
    let mut slowest = Duration::ZERO;
    let streams = client.outbound_streams().min(client.inbound_streams());
    for round in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let stream = u16::try_from(round % u64::from(streams)).unwrap();
        let question = format!("good {round}");
        let begun = Instant::now();
        let message = Message::new(question.clone()).on_stream(stream);
        must(client.send(message)).await.unwrap();
        let answer = reply(&mut client).await;
        slowest = slowest.max(begun.elapsed());
        assert_eq!(answer.payload, question);
        assert_eq!(answer.info.stream.get(), stream);
        count.send_replace(round + 1);
        // Nobody shall wait because of the good client, either.
        tokio::task::yield_now().await;
    }
    must(client.shutdown()).await.unwrap();
    slowest
}
