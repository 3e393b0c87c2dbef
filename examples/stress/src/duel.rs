//! A driver and a thread that meet again and again in the moment in which a wake-up can be lost.
//!
//! A handler joins two futures, which another thread completes one right after the other. A second
//! call keeps the driver busy, so that it polls the handler at once for the first wake-up, and the
//! other thread may write its second value while that poll reads. In the mix of everything else this
//! is so rare that ten minutes do not show it.

use std::{
    future::{IntoFuture, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use sctp_service::{Message, Payload, Request, serve_association, testing::duplex};
use tokio::join;

use crate::{
    fault::Kind,
    helpers::{Helpers, Rally},
    outcome,
    rng::Rng,
    run::Run,
    watch::At,
};

/// The most pairs of wake-ups of one call.
const ROUNDS: usize = 1 << 10;

/// The longest time of one call. Where other programs keep the processors, each pair takes long.
const TIME: Duration = Duration::from_millis(200);

/// The request of the call that keeps the driver busy, too short for a seed.
const BUSY: &str = "busy";

/// State shared by both calls.
#[derive(Debug)]
struct Duel {
    run: Arc<Run>,
    helpers: Helpers,
    is_over: AtomicBool,
}

/// Runs one association in the task that calls this, until the run is over.
pub(crate) async fn run(run: Arc<Run>, name: String, mut rng: Rng) {
    let slot = run.watch.slot(name);
    let duel = Arc::new(Duel {
        run: Arc::clone(&run),
        helpers: Helpers::start(1),
        is_over: AtomicBool::new(false),
    });
    let (transport, peer) = duplex();
    let serving = Arc::clone(&duel);
    let handler = async move |request: Request| {
        match request.payload().first_chunk() {
            Some(seed) => serving.meet(Rng::new(u64::from_be_bytes(*seed))).await,
            None => serving.keep_busy().await,
        }
        Payload(request.into_payload())
    };
    let ask = async {
        let mut number = 0;
        while !run.is_over() {
            number += 1;
            duel.is_over.store(false, Ordering::Release);
            peer.send(Message::new(BUSY).on_stream(1)).await;
            peer.send(rng.seed().to_be_bytes().to_vec()).await;
            for _ in 0..2 {
                let reply = slot.during("call (duel)", At::default(), number, peer.recv());
                if reply.await.is_none() {
                    run.faults.add(Kind::Lost, "the association of a duel");
                    return;
                }
            }
            run.tally.add(outcome::ANSWERED, 2);
        }
        peer.shutdown();
    };
    join!(serve_association(transport, handler).into_future(), ask);
}

impl Duel {
    /// Wakes itself until the other call is over.
    async fn keep_busy(&self) {
        poll_fn(|cx| {
            if self.is_over.load(Ordering::Acquire) || self.run.is_over() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits for pairs of values, each time in the order in which they do not come.
    async fn meet(&self, mut rng: Rng) {
        let (rally, pairs) = Rally::new(1 + rng.skewed(ROUNDS), &mut rng);
        let turn = rally.turn();
        self.helpers.rally(rally);
        let began = Instant::now();
        for (one, two) in pairs {
            if began.elapsed() > TIME {
                break;
            }
            let serve = async { turn.fetch_add(1, Ordering::Release) };
            let _ = join!(biased; one, two, serve);
        }
        self.is_over.store(true, Ordering::Release);
    }
}
