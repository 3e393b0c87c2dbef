//! In-memory listener and network.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use sctp_tokio::ConnectError;
use tokio::sync::mpsc;

use super::{
    Duplex, InMemory, Peer,
    transport::{FIRST, server_addr},
};
use crate::{Listener, client::Connect};

/// Maximum number of associations that wait to be accepted.
const BACKLOG: usize = 1024;

/// In-memory listener for [`serve`](crate::serve()), or for a test that [acts as the
/// server](Self::accept_peer). Peers and clients connect through its [`Network`].
///
/// Once dropped, connections are refused, and associations that were not accepted are dropped.
#[derive(Debug)]
pub struct ScriptedListener {
    incoming: mpsc::Receiver<io::Result<InMemory>>,
    listening: Arc<AtomicBool>,
}

impl ScriptedListener {
    /// Creates a listener, and the network to reach it.
    #[must_use]
    pub fn new() -> (Self, Network) {
        let (listener, handle) = Self::with_handle();
        let network = Network {
            shared: Arc::new(Shared {
                listener: Mutex::new(handle),
                next_number: Arc::new(AtomicI32::new(FIRST)),
            }),
        };
        (listener, network)
    }

    fn with_handle() -> (Self, ListenerHandle) {
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        let listening = Arc::new(AtomicBool::new(true));
        let handle = ListenerHandle {
            outgoing,
            listening: Arc::clone(&listening),
        };
        let listener = Self {
            incoming,
            listening,
        };
        (listener, handle)
    }

    /// Accepts an association and returns the server's end, for tests that act as the server.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Network::fail_accept`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no association is lost.
    pub async fn accept_peer(&mut self) -> io::Result<Peer> {
        self.accept().await.map(InMemory::into_peer)
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
        Ok(vec![server_addr()])
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        self.listening.store(false, Ordering::Release);
        Ok(())
    }
}

/// In-memory network that reaches a [`ScriptedListener`], and later listeners at the same address.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listener: Mutex<ListenerHandle>,
    /// Number of the next association, shared by [networks](Network::another) of one test.
    next_number: Arc<AtomicI32>,
}

/// Connection to one listener.
#[derive(Clone, Debug)]
struct ListenerHandle {
    outgoing: mpsc::Sender<io::Result<InMemory>>,
    listening: Arc<AtomicBool>,
}

impl Network {
    /// Sets up an association from a new peer, with the default settings of [`Duplex`].
    ///
    /// # Errors
    ///
    /// Returns `ConnectionRefused` if the listener has stopped.
    pub async fn connect(&self) -> io::Result<Peer> {
        self.connect_with(Duplex::new()).await
    }

    /// Sets up an association from a new peer, with these settings.
    ///
    /// # Errors
    ///
    /// Returns `ConnectionRefused` if the listener has stopped.
    pub async fn connect_with(&self, settings: Duplex) -> io::Result<Peer> {
        let client = self.shared.connect(settings).await?;
        Ok(client.into_peer())
    }

    /// Creates a connector for a [`Client`](crate::client::Client), with the default settings of
    /// [`Duplex`].
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.connector_with(Duplex::new())
    }

    /// Creates a connector for a client, with these settings for each association.
    #[must_use]
    pub fn connector_with(&self, settings: Duplex) -> Connector {
        Connector {
            shared: Arc::clone(&self.shared),
            settings,
        }
    }

    /// Listens again at the same address, like a restarted server.
    ///
    /// # Errors
    ///
    /// Returns `AddrInUse` while the previous listener has not been dropped.
    pub fn listen(&self) -> io::Result<ScriptedListener> {
        let mut handle = self.shared.lock();
        if !handle.outgoing.is_closed() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let listener;
        (listener, *handle) = ScriptedListener::with_handle();
        Ok(listener)
    }

    /// Creates another listener and the network to reach it.
    ///
    /// For a server with several listeners. Unlike with independently created networks, no two
    /// associations of the two networks have the same [`AssocId`](crate::AssocId) or peer address.
    #[must_use]
    pub fn another(&self) -> (ScriptedListener, Self) {
        let (listener, handle) = ScriptedListener::with_handle();
        let network = Self {
            shared: Arc::new(Shared {
                listener: Mutex::new(handle),
                next_number: Arc::clone(&self.shared.next_number),
            }),
        };
        (listener, network)
    }

    /// Makes the next accept fail with this error.
    pub async fn fail_accept(&self, error: io::Error) {
        let handle = self.shared.lock().clone();
        // Nobody accepts any more: then nothing fails, either.
        let _ = handle.outgoing.send(Err(error)).await;
    }
}

impl Shared {
    /// Sets up an association, and returns the client's end.
    async fn connect(&self, settings: Duplex) -> io::Result<InMemory> {
        let handle = self.lock().clone();
        if !handle.listening.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let (server, client) = settings.transports(number);
        match handle.outgoing.send(Ok(server)).await {
            Ok(()) => Ok(client),
            Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ListenerHandle> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connector of a [`Client`](crate::client::Client) to a [`Network`], created by
/// [`Network::connector`].
///
/// An association is established before it is accepted, as with the kernel. If nothing listens,
/// connecting is [refused](ConnectError::Refused). If 1,024 associations wait to be accepted,
/// connecting waits.
#[derive(Clone, Debug)]
pub struct Connector {
    shared: Arc<Shared>,
    settings: Duplex,
}

impl Connect for Connector {
    type Transport = InMemory;

    async fn connect(&mut self) -> Result<InMemory, ConnectError> {
        Ok(self.shared.connect(self.settings.clone()).await?)
    }
}
