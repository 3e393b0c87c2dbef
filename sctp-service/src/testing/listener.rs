//! A listener that accepts what the test connects.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use sctp_core::AssocId;
use tokio::sync::mpsc;

use super::{Duplex, InMemory, Peer, transport::STREAMS};
use crate::{ConnectInfo, Listener};

/// How many associations can wait to be accepted.
const BACKLOG: usize = 1024;

/// A listener that accepts what the test connects.
#[derive(Debug)]
pub struct ScriptedListener {
    incoming: mpsc::Receiver<io::Result<InMemory>>,
    listening: Arc<AtomicBool>,
}

impl ScriptedListener {
    /// Makes a listener, and the network to reach it through.
    #[must_use]
    pub fn new() -> (Self, Network) {
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        let listening = Arc::new(AtomicBool::new(true));
        let network = Network {
            outgoing,
            listening: Arc::clone(&listening),
            next_id: AtomicI32::new(3),
        };
        (
            Self {
                incoming,
                listening,
            },
            network,
        )
    }
}

impl Listener for ScriptedListener {
    type Transport = InMemory;

    async fn accept(&mut self) -> io::Result<InMemory> {
        match self.incoming.recv().await {
            Some(accepted) => accepted,
            None => pending().await,
        }
    }

    fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::from(([192, 0, 2, 2], 9_877))])
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        self.listening.store(false, Ordering::Release);
        Ok(())
    }
}

/// Reaches a [`ScriptedListener`].
#[derive(Debug)]
pub struct Network {
    outgoing: mpsc::Sender<io::Result<InMemory>>,
    listening: Arc<AtomicBool>,
    next_id: AtomicI32,
}

impl Network {
    /// Sets up an association from a peer of its own, with the defaults of [`Duplex`].
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` when the listener has stopped.
    pub async fn connect(&self) -> io::Result<Peer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let port = 40_000 + u16::try_from(id % 20_000).unwrap_or_default();
        let connect_info = ConnectInfo::new(AssocId::new(id))
            .with_peer_addrs([SocketAddr::from(([192, 0, 2, 1], port))])
            .with_local_addrs([SocketAddr::from(([192, 0, 2, 2], 9_877))])
            .with_streams(STREAMS, STREAMS);
        self.connect_with(Duplex::new().with_connect_info(connect_info))
            .await
    }

    /// Sets up an association with settings.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` when the listener has stopped.
    pub async fn connect_with(&self, settings: Duplex) -> io::Result<Peer> {
        if !self.listening.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (transport, peer) = settings.build();
        match self.outgoing.send(Ok(transport)).await {
            Ok(()) => Ok(peer),
            Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    /// Has the next accept fail.
    pub async fn fail_accept(&self, error: io::Error) {
        // Nobody accepts any more: then nothing fails, either.
        let _ = self.outgoing.send(Err(error)).await;
    }
}
