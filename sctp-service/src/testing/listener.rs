//! A listener that accepts what the test, or a client, connects.

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

/// A listener that accepts what the test connects, through its [`Network`]: for
/// [`serve`](crate::serve()), or for the test to [be the server](Self::accept_peer).
///
/// Dropped, it refuses all that connects, and drops what it has not accepted.
#[derive(Debug)]
pub struct ScriptedListener {
    incoming: mpsc::Receiver<io::Result<InMemory>>,
    listening: Arc<AtomicBool>,
}

impl ScriptedListener {
    /// Makes a listener, and the network to reach it through.
    #[must_use]
    pub fn new() -> (Self, Network) {
        let (listener, door) = Self::with_door();
        let network = Network {
            shared: Arc::new(Shared {
                door: Mutex::new(door),
                next_number: Arc::new(AtomicI32::new(FIRST)),
            }),
        };
        (listener, network)
    }

    fn with_door() -> (Self, Door) {
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        let listening = Arc::new(AtomicBool::new(true));
        let door = Door {
            outgoing,
            listening: Arc::clone(&listening),
        };
        let listener = Self {
            incoming,
            listening,
        };
        (listener, door)
    }

    /// Accepts an association by hand: the test is the server, and does to a client what a server
    /// could do.
    ///
    /// # Errors
    ///
    /// That of [`Network::fail_accept`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled before it completes, no association is lost.
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

/// Reaches a [`ScriptedListener`], and after that the next one at its address.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    door: Mutex<Door>,
    /// Number of the next association, shared by [networks](Network::another) of one test.
    next_number: Arc<AtomicI32>,
}

/// The way to one listener.
#[derive(Clone, Debug)]
struct Door {
    outgoing: mpsc::Sender<io::Result<InMemory>>,
    listening: Arc<AtomicBool>,
}

impl Network {
    /// Sets up an association from a peer of its own, with the defaults of [`Duplex`].
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` when the listener has stopped.
    pub async fn connect(&self) -> io::Result<Peer> {
        self.connect_with(Duplex::new()).await
    }

    /// Sets up an association with settings.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` when the listener has stopped.
    pub async fn connect_with(&self, settings: Duplex) -> io::Result<Peer> {
        let client = self.shared.connect(settings).await?;
        Ok(client.into_peer())
    }

    /// Makes what a [`Client`](crate::client::Client) connects with, again and again, with the
    /// defaults of [`Duplex`].
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.connector_with(Duplex::new())
    }

    /// Makes what a client connects with, with settings for each association.
    #[must_use]
    pub fn connector_with(&self, settings: Duplex) -> Connector {
        Connector {
            shared: Arc::clone(&self.shared),
            settings,
        }
    }

    /// Listens again, as a server that was started again: from now on, connecting leads there.
    ///
    /// # Errors
    ///
    /// `AddrInUse` as long as the listener before it has not been dropped.
    pub fn listen(&self) -> io::Result<ScriptedListener> {
        let mut door = self.shared.lock();
        if !door.outgoing.is_closed() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let listener;
        (listener, *door) = ScriptedListener::with_door();
        Ok(listener)
    }

    /// Creates another listener and the network to reach it.
    ///
    /// For a server with several listeners. No two associations of the two networks have the same
    /// [`AssocId`](crate::AssocId) or peer address; those of networks that were created apart do.
    #[must_use]
    pub fn another(&self) -> (ScriptedListener, Self) {
        let (listener, door) = ScriptedListener::with_door();
        let network = Self {
            shared: Arc::new(Shared {
                door: Mutex::new(door),
                next_number: Arc::clone(&self.shared.next_number),
            }),
        };
        (listener, network)
    }

    /// Has the next accept fail.
    pub async fn fail_accept(&self, error: io::Error) {
        let door = self.shared.lock().clone();
        // Nobody accepts any more: then nothing fails, either.
        let _ = door.outgoing.send(Err(error)).await;
    }
}

impl Shared {
    /// Sets up an association, and returns the client's end.
    async fn connect(&self, settings: Duplex) -> io::Result<InMemory> {
        let door = self.lock().clone();
        if !door.listening.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let (server, client) = settings.transports(number);
        match door.outgoing.send(Ok(server)).await {
            Ok(()) => Ok(client),
            Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects a [`Client`](crate::client::Client) through a [`Network`]; made by
/// [`Network::connector`].
///
/// An association is up before it is accepted, as on the kernel. Where nobody listens it is
/// [refused](ConnectError::Refused); where 1,024 are up and not accepted, it waits.
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
