//! Associations that this node sets up.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sctp_examples::program::say;
use sctp_service::{Config, Correlation, serve_association};
use sctp_tokio::SocketBuilder;
use tokio::time::sleep;
use tower::service_fn;

use crate::{
    messages::{Cause, HopByHop},
    node::{Learned, Node, lock},
};

/// Pauses between attempts: the first, and the longest, which is Tc (RFC 6733, 12).
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Keeps an association with a peer, until this node stops.
pub(crate) async fn dial(
    node: Arc<Node>,
    socket: SocketBuilder,
    addrs: Vec<SocketAddr>,
    config: Config,
) {
    let mut stopping = node.stopping.clone();
    let mut pause = FIRST_PAUSE;
    loop {
        let learned = Arc::new(Learned::default());
        let connected = tokio::select! {
            connected = socket.connect(&addrs) => connected,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match connected {
            Ok(association) => {
                let (serving, learning) = (Arc::clone(&node), Arc::clone(&learned));
                let make_service = service_fn(move |incoming| {
                    Arc::clone(&serving).open(incoming, Arc::clone(&learning))
                });
                let leaving = Arc::clone(&node);
                serve_association(association, make_service)
                    .with_config(config.clone())
                    .with_correlation(Correlation::by_key(HopByHop::new))
                    .with_graceful_shutdown(async move { leaving.disconnected().await })
                    .await;
            }
            Err(error) => say(format_args!("no association: {error}")),
        }
        let peer = lock(&learned.peer).clone();
        let cause = peer.as_ref().and_then(|peer| peer.disconnected.get());
        pause = match (&peer, cause) {
            // It connects to this node, should it change its mind (5.4.3).
            (_, Some(Cause::DoNotWantToTalkToYou)) => return,
            (_, Some(Cause::Busy)) => LONGEST_PAUSE,
            (Some(_), _) => FIRST_PAUSE,
            (None, _) => (pause * 2).min(LONGEST_PAUSE),
        };
        let identity = lock(&learned.identity).clone();
        let again = async {
            sleep(pause).await;
            // The peer may have connected meanwhile.
            if let Some(identity) = identity {
                node.vacant(&identity).await;
            }
        };
        tokio::select! {
            () = again => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}
