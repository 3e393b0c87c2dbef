//! All associations in one task, as an alternative to a task for each: nothing is spawned, and a
//! wake-up does not pass through the runtime's queue.

use std::io;

use futures::{StreamExt, stream::FuturesUnordered};
use sctp_tokio::SctpListener;

use crate::servers;

pub(crate) async fn serve(listener: SctpListener) -> io::Result<()> {
    let mut listener = servers::ready(listener);
    let mut associations = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => associations.push(servers::batched(accepted?)),
            // How one ended does not matter here.
            Some(_) = associations.next() => {}
        }
    }
}
