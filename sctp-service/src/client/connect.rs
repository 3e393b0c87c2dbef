//! Sources of a client's associations: connectors.

use std::{
    future::{Future, ready},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use sctp_tokio::{Association, ConnectError, SocketBuilder};
use tokio::time::timeout;

use crate::{Transport, panics::caught};

/// Sets up associations with one server.
///
/// This is the client's counterpart of [`Listener`](crate::Listener), and the extension point for
/// other transports. With the feature `testing`, `testing::Network::connector` returns an
/// implementation that connects in memory.
///
/// Implemented for every `FnMut() -> impl Future<Output = Result<impl Transport, ConnectError>>`,
/// for example to resolve a name for each association. If a name has several addresses, an address
/// that does not answer delays the attempt by 250 milliseconds: see
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
/// A client that does not [serve](super::ClientBuilder::serving) runs the handshake of its protocol
/// here (Diameter's capabilities exchange, NG Setup, ASP Up). A client that serves runs it in its
/// make-service. No call is sent before the handshake of an association has completed.
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
    /// Transport of the associations.
    type Transport: Transport;

    /// Sets up an association.
    ///
    /// The client limits the attempt to
    /// [`ClientConfig::connect_timeout`](super::ClientConfig::connect_timeout), and drops the
    /// future when the client is shut down.
    ///
    /// # Errors
    ///
    /// On an error the client retries after a pause, unless it was the first attempt of
    /// [`ClientBuilder::connect`](super::ClientBuilder::connect), or
    /// [`with_reconnect`](super::ClientBuilder::with_reconnect) decides otherwise.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Transport, ConnectError>> + Send;

    /// Waits until an association is wanted, without a time limit.
    ///
    /// For peers that may connect to this end instead:
    /// [`PeerTable::vacant`](crate::PeerTable::vacant) resolves when there is no association with a
    /// peer. By default this method returns at once.
    ///
    /// # Cancel safety
    ///
    /// Implementations must be cancel-safe: the future may be dropped, and the method called again.
    fn wanted(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Returns the addresses of the server as far as they are known in advance, for logs. Empty by
    /// default.
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

/// Sets up an association within a timeout, which starts when an association is wanted. A panic is
/// converted to an error.
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

/// Returns the addresses that a [`Connect`] knows, or none if it panics.
pub(crate) fn known_addrs(connect: &impl Connect) -> &[SocketAddr] {
    catch_unwind(AssertUnwindSafe(|| connect.addrs())).unwrap_or_default()
}

/// Server to connect to with the kernel's SCTP: a single address, or all addresses of a multi-homed
/// server.
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
    /// Creates a remote with a single address.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self::multi_homed([addr])
    }

    /// Creates a remote with all addresses of one multi-homed server (`sctp_connectx`). For the
    /// addresses of several servers use a pool (`client::pool`, feature `pool`).
    #[must_use]
    pub fn multi_homed(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            addrs: addrs.into_iter().collect(),
            socket: SocketBuilder::new(),
        }
    }

    /// Sets the options of the socket: local addresses, number of streams, buffers, and
    /// [interleaving](SocketBuilder::with_interleaving), which lets short calls overtake long ones.
    ///
    /// The number of concurrent calls is limited by the smaller number of streams of both
    /// directions, so the server must also offer that many outbound streams.
    ///
    /// Defaults to [`SocketBuilder::new`], with
    /// [`OUTBOUND_STREAMS`](SocketBuilder::OUTBOUND_STREAMS) (128) streams.
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
