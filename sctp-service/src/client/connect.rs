//! Sources of a client's associations.

use std::{
    future::{Future, ready},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use sctp_tokio::{Association, ConnectError, SocketBuilder};
use tokio::time::timeout;

use crate::{Transport, panics::caught};

/// Sets up associations with one server: the client's side of
/// [`Listener`](crate::Listener), and the seam for tests and other transports. With the feature
/// `testing`, `testing::Network::connector` makes one that connects in memory.
///
/// Any `FnMut() -> impl Future<Output = Result<impl Transport, ConnectError>>` is one; so a server
/// is found by its name, which is looked up anew for each association. Where a name has several
/// addresses, a silent one costs 250 milliseconds:
/// [`SocketBuilder::connect_any`](sctp_tokio::SocketBuilder::connect_any).
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_service::client::Client;
/// use sctp_tokio::Association;
///
/// let client = Client::builder()
///     .connect(|| Association::connect("orders.internal:9877"))
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// A client that does not [serve](super::ClientBuilder::serving) has the first exchange of its protocol
/// here (Diameter's capabilities, NG Setup, ASP Up). One that serves has it in its make-service. No
/// call goes out before the exchange is done, and each later association begins with it, too.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sctp_service::client::Client;
/// use sctp_tokio::{Association, ConnectError, Message, Ppid};
/// use std::io;
///
/// async fn set_up() -> Result<Association, ConnectError> {
///     let mut association = Association::connect("amf.internal:38412").await?;
///     let setup = Message::new("a setup request").with_ppid(Ppid::NGAP);
///     association.send(setup).await.map_err(io::Error::from)?;
///     match association.recv().await.map_err(io::Error::from)? {
///         Some(answer) if answer.payload == "a setup response" => Ok(association),
///         _ => Err(io::Error::other("the setup was refused").into()),
///     }
/// }
///
/// let client = Client::builder().connect(set_up).await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot set up associations",
    label = "neither a `Remote` nor a function that connects",
    note = "name a server by its address with `Remote::new(addr)`, and by its name with `|| Association::connect(\"host:port\")`"
)]
pub trait Connect: Send + 'static {
    /// The transport that it sets up.
    type Transport: Transport;

    /// Sets up an association.
    ///
    /// The client bounds it with
    /// [`ClientConfig::connect_timeout`](super::ClientConfig::connect_timeout), and drops the
    /// future when it is shut down meanwhile.
    ///
    /// # Errors
    ///
    /// The client tries again, with pauses, unless it was the first attempt of
    /// [`ClientBuilder::connect`](super::ClientBuilder::connect), or
    /// [`with_reconnect`](super::ClientBuilder::with_reconnect) decides otherwise.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Transport, ConnectError>> + Send;

    /// Waits until an association is wanted. No time limit runs meanwhile.
    ///
    /// For peers that may connect to this end instead: [`PeerTable::vacant`](crate::PeerTable::vacant)
    /// resolves when there is no association with a peer. By default it is ready at once.
    ///
    /// # Cancel safety
    ///
    /// Required of every implementation: it may be dropped and called again.
    fn wanted(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Returns the server's addresses as far as they are known beforehand: the log names the client
    /// by them. None unless an implementation says otherwise.
    fn addrs(&self) -> &[SocketAddr] {
        &[]
    }
}

impl<F, Fut, T> Connect for F
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, ConnectError>> + Send,
    T: Transport,
{
    type Transport = T;

    fn connect(&mut self) -> impl Future<Output = Result<T, ConnectError>> + Send {
        self()
    }
}

/// Sets up an association within a time, which runs from when one is wanted. A panic is an error as
/// any other.
pub(crate) async fn connect_within<C: Connect>(
    connect: &mut C,
    time: Duration,
) -> Result<C::Transport, ConnectError> {
    let connecting = async {
        connect.wanted().await;
        timeout(time, connect.connect())
            .await
            .unwrap_or(Err(ConnectError::TimedOut { peer: Vec::new() }))
    };
    caught(connecting, |error| Err(error.into())).await
}

/// Returns the addresses that a [`Connect`] knows; none if it panics.
pub(crate) fn known_addrs(connect: &impl Connect) -> &[SocketAddr] {
    catch_unwind(AssertUnwindSafe(|| connect.addrs())).unwrap_or_default()
}

/// A server to connect to with the kernel's SCTP: one address, or all those of a multi-homed one.
///
/// ```
/// use sctp_service::client::Remote;
/// use std::net::SocketAddr;
///
/// let plain = Remote::new(SocketAddr::from(([192, 0, 2, 1], 9877)));
/// let two_paths = Remote::multi_homed([
///     SocketAddr::from(([192, 0, 2, 1], 3868)),
///     SocketAddr::from(([198, 51, 100, 1], 3868)),
/// ]);
/// # let _ = (plain, two_paths);
/// ```
#[derive(Clone, Debug)]
pub struct Remote {
    addrs: Vec<SocketAddr>,
    socket: SocketBuilder,
}

impl Remote {
    /// Names a server by its address.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self::multi_homed([addr])
    }

    /// Names one server by all its addresses, each a path to it (`sctp_connectx`). Addresses of
    /// several servers belong into a pool (`client::pool`, feature `pool`), not here.
    #[must_use]
    pub fn multi_homed(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            addrs: addrs.into_iter().collect(),
            socket: SocketBuilder::new(),
        }
    }

    /// Sets up the socket: local addresses, streams to ask for, buffers, any option, and
    /// [interleaving](SocketBuilder::with_interleaving), which lets short calls pass long ones. How
    /// many calls can be under way side by side is the fewer of the streams of both directions: the
    /// server must offer as many outbound ones, too.
    ///
    /// Default: what [`SocketBuilder::new`] says, of streams
    /// [`OUTBOUND_STREAMS`](SocketBuilder::OUTBOUND_STREAMS), 128.
    #[must_use]
    pub fn with_socket(mut self, socket: SocketBuilder) -> Self {
        self.socket = socket;
        self
    }

    /// Returns the server's addresses.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }
}

impl From<SocketAddr> for Remote {
    fn from(addr: SocketAddr) -> Self {
        Self::new(addr)
    }
}

impl Connect for Remote {
    type Transport = Association;

    fn connect(&mut self) -> impl Future<Output = Result<Association, ConnectError>> + Send {
        self.socket.connect(&self.addrs)
    }

    fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }
}
