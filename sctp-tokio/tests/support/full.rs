//! Send buffers that are full, and stay so.

use sctp_tokio::{AssocId, Endpoint, Message};

use super::eventually;

/// Sends to peers that do not read until there is no room, and none comes: their windows are closed.
/// Returns how many messages of 1,000 bytes each was sent. The endpoint must be one that sends again
/// soon ([`quick`](super::quick)).
///
/// The kernel asks a closed window again and again whether it is; other processors, though, may
/// still be moving what was sent while a send is refused here.
pub async fn fill(endpoint: &Endpoint, ids: &[AssocId]) -> Vec<u32> {
    const IN_VAIN: u64 = 2;
    let mut queued = vec![0; ids.len()];
    let mut closed = vec![u64::MAX; ids.len()];
    eventually(|| {
        let mut moved = false;
        for ((id, queued), closed) in ids.iter().zip(&mut queued).zip(&mut closed) {
            while endpoint.try_send(*id, &Message::new(vec![0; 1000])).is_ok() {
                *queued += 1;
                moved = true;
            }
            if moved {
                *closed = repeated(endpoint, *id) + IN_VAIN;
            }
        }
        // With one budget, there may have been none left for the second.
        !moved
            && ids
                .iter()
                .zip(&closed)
                .all(|(id, closed)| repeated(endpoint, *id) >= *closed || is_idle(endpoint, *id))
    })
    .await;
    queued
}

fn repeated(endpoint: &Endpoint, id: AssocId) -> u64 {
    let stats = endpoint.socket().assoc_stats(id).unwrap();
    stats.retransmitted_chunks
}

fn is_idle(endpoint: &Endpoint, id: AssocId) -> bool {
    let status = endpoint.socket().status(id).unwrap();
    status.unacknowledged_chunks == 0 && status.pending_chunks == 0
}
