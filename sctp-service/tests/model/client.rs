//! A client that does random things, and knows what must come of them.

use std::{
    collections::{HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use sctp_tokio::{AbortReason, Association, End, Event, Message, Received, Side};
use tokio::sync::Semaphore;

use crate::{
    service::{ABORT, BOTH, ECHO, EXPEL, LATER, LEAVE, PUSH, QUIT, SILENCE, THRICE, server_reason},
    support::{must, rng::Rng},
};

const STREAMS: u16 = 4;

/// The way in which a client's association ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It shuts down when it has all answers.
    Shutdown,
    /// It asks the server to shut down.
    Quit,
    Leave,
    /// It asks the server to abort.
    Aborted,
    Expelled,
    /// It aborts.
    Abort,
    /// It is dropped.
    Drop,
    /// It waits for the server's end.
    Drain,
}

impl Ending {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        use Ending::{Abort, Aborted, Drain, Drop, Expelled, Leave, Quit, Shutdown};
        let all = [Shutdown, Quit, Leave, Aborted, Expelled, Abort, Drop, Drain];
        all[rng.below(all.len())]
    }
}

pub(crate) struct Client {
    who: u8,
    rng: Rng,
    ending: Ending,
    /// Of each stream, the answers that must come, in this order: to which request, and which
    /// of its answers.
    due: [VecDeque<(u8, u8)>; STREAMS as usize],
    /// The answers to unordered requests, which may come at any time.
    unordered: HashSet<u8>,
    answered: usize,
    asked: u8,
}

impl Client {
    pub(crate) fn new(who: u8, seed: u64, ending: Ending) -> Self {
        Self {
            who,
            rng: Rng::new(seed),
            ending,
            due: Default::default(),
            unordered: HashSet::new(),
            answered: 0,
            asked: 0,
        }
    }

    /// Runs from the beginning to the end of an association. Answers how many messages came.
    pub(crate) async fn run(mut self, server: SocketAddr, until_drain: Arc<Semaphore>) -> usize {
        let mut peer = must(Association::connect(server)).await.unwrap();
        for _ in 0..self.rng.below(40) {
            match self.rng.below(4) {
                0 if self.is_due() => self.receive(&mut peer).await,
                _ => self.ask(&peer).await,
            }
        }
        match self.ending {
            Ending::Shutdown => {
                while self.is_due() {
                    self.receive(&mut peer).await;
                }
                let end = must(peer.shutdown()).await.unwrap();
                assert_eq!(end, End::Shutdown { by: Side::Local });
            }
            Ending::Quit | Ending::Leave => {
                let how = if self.ending == Ending::Quit {
                    QUIT
                } else {
                    LEAVE
                };
                let stream = self.send(&peer, how, false).await;
                let last = self.due[usize::from(stream)].back().copied();
                assert_eq!(
                    self.until_end(&mut peer).await,
                    End::Shutdown { by: Side::Peer }
                );
                let missing = self.due[usize::from(stream)].back().copied();
                assert_ne!(missing, last, "the last reply is missing");
            }
            Ending::Aborted | Ending::Expelled => {
                let how = if self.ending == Ending::Aborted {
                    ABORT
                } else {
                    EXPEL
                };
                self.send(&peer, how, false).await;
                let end = self.until_end(&mut peer).await;
                assert_eq!(end.reason().unwrap(), server_reason(self.who));
            }
            Ending::Abort => {
                let reason = format!("client {}", self.who);
                peer.abort(&AbortReason::new(reason).unwrap()).unwrap();
                // It is heard here as well.
                let end = self.until_end(&mut peer).await;
                assert!(
                    matches!(
                        end,
                        End::Aborted {
                            by: Side::Local,
                            ..
                        }
                    ),
                    "{end}"
                );
            }
            Ending::Drop => drop(peer),
            Ending::Drain => {
                until_drain.add_permits(1);
                assert_eq!(
                    self.until_end(&mut peer).await,
                    End::Shutdown { by: Side::Peer }
                );
            }
        }
        self.answered
    }

    fn is_due(&self) -> bool {
        !self.unordered.is_empty() || self.due.iter().any(|due| !due.is_empty())
    }

    async fn ask(&mut self, peer: &Association) {
        let kind = [ECHO, LATER, THRICE, SILENCE, BOTH, PUSH][self.rng.below(6)];
        let may_overtake = matches!(kind, ECHO | LATER | SILENCE);
        let unordered = may_overtake && self.rng.below(6) == 0;
        self.send(peer, kind, unordered).await;
    }

    async fn send(&mut self, peer: &Association, kind: u8, unordered: bool) -> u16 {
        let id = self.asked;
        self.asked += 1;
        let stream = u16::try_from(self.rng.below(usize::from(STREAMS))).unwrap();
        let mut payload = vec![kind, self.who, id];
        payload.resize(3 + self.rng.below(3000), id);
        let message = Message::new(payload).on_stream(stream);
        let message = if unordered {
            message.unordered()
        } else {
            message
        };
        must(peer.send(message)).await.unwrap();
        let due = &mut self.due[usize::from(stream)];
        match kind {
            SILENCE | ABORT | EXPEL => {}
            _ if unordered => drop(self.unordered.insert(id)),
            THRICE => due.extend([(id, 0), (id, 1), (id, 2)]),
            BOTH => due.extend([(id, 0), (id, 1)]),
            _ => due.push_back((id, 0)),
        }
        stream
    }

    async fn receive(&mut self, peer: &mut Association) {
        let answer = must(peer.recv()).await.unwrap();
        self.note(&answer.expect("the server ended the association"));
    }

    async fn until_end(&mut self, peer: &mut Association) -> End {
        loop {
            match must(peer.next_event()).await.unwrap() {
                Event::Message(answer) => self.note(&answer),
                Event::Closed(end) => return end,
                _ => {}
            }
        }
    }

    /// An answer came: it must be the one that is due.
    fn note(&mut self, answer: &Received) {
        let (index, who, id) = (answer.payload[0], answer.payload[1], answer.payload[2]);
        assert_eq!(who, self.who, "somebody else's answer");
        assert!(answer.payload[3..].iter().all(|byte| *byte == id), "torn");
        self.answered += 1;
        if self.unordered.remove(&id) {
            return;
        }
        let stream = answer.info.stream.get();
        let due = self.due[usize::from(stream)].pop_front();
        assert_eq!(
            due,
            Some((id, index)),
            "lost, twice or out of order on stream {stream}"
        );
    }
}
