//! Threads and tasks that push to associations, and end some of them.

use std::sync::Arc;

use sctp_service::{SendError, Shutdown};
use tokio::time::timeout;

use crate::{book::Open, fault::Kind, rng::Rng, run::Run, watch::Slot};

/// The pushes that are made on one association before another is chosen.
const BURST: usize = 32;

/// Pushes until the run is over.
pub(crate) async fn run(run: Arc<Run>, name: String, mut rng: Rng) {
    let slot = run.watch.slot(name);
    while !run.is_over() {
        if let Some(open) = run.book.any(&mut rng) {
            visit(&run, &slot, &open, &mut rng).await;
        }
        run.pause(rng.micros(2000)).await;
    }
}

async fn visit(run: &Run, slot: &Slot, open: &Open, rng: &mut Rng) {
    let mut line = open.account.line(run.next_pusher());
    let at = line.at();
    for _ in 0..rng.below(BURST) {
        let number = line.next();
        let result = match rng.below(4) {
            0 => line.try_push(&open.handle),
            1 => {
                let patience = rng.micros(200);
                let push = timeout(patience, line.push(&open.handle));
                match slot
                    .during("push that may be dropped", at, number, push)
                    .await
                {
                    Ok(result) => result,
                    Err(_) => Ok(()),
                }
            }
            _ => {
                let push = line.push(&open.handle);
                slot.during("push", at, number, push).await
            }
        };
        match result {
            Ok(()) => {}
            Err(
                SendError::Full
                | SendError::ShuttingDown
                | SendError::Closed(_)
                | SendError::NoAssociation,
            ) => break,
            Err(error) => {
                run.faults
                    .add(Kind::Lost, format!("a push on {at} failed: {error}"));
                return;
            }
        }
    }
    match rng.below(200) {
        0 => drop(open.handle.shutdown(Shutdown::AfterAck)),
        1 => drop(open.handle.shutdown(Shutdown::abort("by a pusher"))),
        2 => open.handle.graceful_shutdown(),
        _ => return,
    }
    slot.during("end of an association", at, 0, open.handle.closed())
        .await;
}
