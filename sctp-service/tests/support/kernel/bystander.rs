//! A good client beside the trouble.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sctp_tokio::{Association, Message};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{must, patience::within, reply};

/// What a bystander would call noticing something. A round takes a millisecond on an idle machine;
/// the tests share theirs with compilers.
fn noticeable() -> Duration {
    within(3)
}

/// A client that keeps asking an echo server, on one stream after the other.
pub(crate) struct Bystander {
    stop: CancellationToken,
    rounds: watch::Receiver<u64>,
    asking: JoinHandle<Duration>,
}

impl Bystander {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::on(must(Association::connect(addr)).await.unwrap())
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
        assert!(slowest < noticeable(), "a reply took {slowest:?}");
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
