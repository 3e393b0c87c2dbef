//! Servers by hand, which answer late and end associations in every way.

use std::sync::{Arc, Mutex, PoisonError};

use sctp_service::{
    Message,
    testing::{Peer, ScriptedListener},
};
use tokio::task::yield_now;

use crate::{
    payload::{self, Payload},
    rng::Rng,
    run::Run,
};

/// An association of such a server. What belongs to it before a restart is not answered after that.
struct Served {
    peer: Peer,
    restarts: Mutex<u64>,
}

/// Accepts until no client is left.
pub(crate) async fn run(run: Arc<Run>, mut listener: ScriptedListener, mut rng: Rng) {
    loop {
        tokio::select! {
            peer = listener.accept_peer() => {
                let Ok(peer) = peer else { continue };
                let served = Served { peer, restarts: Mutex::new(0) };
                tokio::spawn(serve(Arc::clone(&run), Arc::new(served), rng.fork()));
            }
            () = run.deserted() => return,
        }
    }
}

async fn serve(run: Arc<Run>, served: Arc<Served>, mut rng: Rng) {
    for _ in 0..1 + rng.skewed(1 << 12) {
        let Some(message) = served.peer.recv().await else {
            return;
        };
        let Payload::Request(request) = Payload::decode(&message.payload) else {
            continue;
        };
        if let Some(wrong) = run.ledger.executed(&request) {
            run.lost(&request, wrong);
        }
        if request.one_way {
            continue;
        }
        let before = served.restarts();
        let reply = Message::new(payload::reply(&message.payload)).on_stream(message.info.stream);
        let answer = Arc::clone(&served).answer(before, reply, rng.below(4));
        if rng.one_in(2) {
            tokio::spawn(answer);
        } else {
            answer.await;
        }
        if rng.one_in(500) {
            served.restart();
        }
    }
    match rng.below(4) {
        0 => served.peer.abort("by hand"),
        1 => served.peer.lose(),
        2 => served.peer.shutdown(),
        _ => {}
    }
}

impl Served {
    fn restarts(&self) -> u64 {
        *self.restarts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn restart(&self) {
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        *restarts += 1;
        self.peer.restart();
    }

    /// Replies after some turns, unless there was a restart meanwhile.
    async fn answer(self: Arc<Self>, before: u64, reply: Message, turns: usize) {
        for _ in 0..turns {
            yield_now().await;
        }
        loop {
            {
                let restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
                if *restarts != before || self.peer.try_send(reply.clone()) {
                    return;
                }
            }
            // No room, or the end: then nothing comes any more.
            tokio::select! {
                _ = self.peer.closed() => return,
                () = yield_now() => {}
            }
        }
    }
}
