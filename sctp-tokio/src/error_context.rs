//! Context for the kernel's errors: addresses and causes.

use std::{error::Error, fmt, io, net::SocketAddr};

use sctp_core::{AssocId, Socket, errno};

/// Error with a message of this crate. The kernel's error is its source.
#[derive(Debug)]
struct ContextError {
    text: String,
    error: io::Error,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for ContextError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The text of the source is not part of this text.
        Some(&self.error)
    }
}

/// Wraps an error in another one with this text and the same kind.
pub(crate) fn with_context(error: io::Error, text: String) -> io::Error {
    io::Error::new(error.kind(), ContextError { text, error })
}

/// Prefixes the text of an error with the failed operation.
pub(crate) fn prefixed(error: &io::Error, what: fmt::Arguments<'_>) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Owner of an address of an association.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AddrOwner {
    Peer,
    Local,
}

impl AddrOwner {
    fn addrs(self, socket: &Socket, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Peer => socket.peer_addrs(assoc),
            Self::Local => socket.local_addrs(assoc),
        }
    }

    /// Replaces the text of an error if the association does not have the address.
    ///
    /// The kernel returns `EADDRNOTAVAIL` for a local address. For an address of the peer it
    /// returns `EINVAL`, which has many other causes, such as a closed association.
    pub(crate) fn explain(
        self,
        error: io::Error,
        socket: &Socket,
        assoc: AssocId,
        addr: SocketAddr,
    ) -> io::Error {
        if !matches!(
            error.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::AddrNotAvailable
        ) {
            return error;
        }
        match self.addrs(socket, assoc) {
            Ok(addrs) if !addrs.is_empty() && !has(&addrs, addr) => {
                let owner = match self {
                    Self::Peer => "the peer",
                    Self::Local => "this end",
                };
                with_context(
                    error,
                    format!("{addr} is not an address of {owner}: {}", AddrList(&addrs)),
                )
            }
            _ => error,
        }
    }
}

/// Returns `true` if a list contains an address. IPv4-mapped and IPv4 addresses compare as equal.
fn has(addrs: &[SocketAddr], addr: SocketAddr) -> bool {
    let key = |addr: SocketAddr| (addr.ip().to_canonical(), addr.port());
    addrs.iter().any(|one| key(*one) == key(addr))
}

/// Adds to an error the address that could not be bound.
pub(crate) fn bind_error(
    error: &io::Error,
    socket: &Socket,
    assoc: AssocId,
    addrs: &[SocketAddr],
) -> io::Error {
    let bound = socket.local_addrs(assoc).unwrap_or_default();
    if error.kind() == io::ErrorKind::InvalidInput {
        let port = bound.first().map_or(0, SocketAddr::port);
        if let Some(addr) = addrs.iter().find(|addr| ![0, port].contains(&addr.port())) {
            return prefixed(
                error,
                format_args!("cannot bind {addr}: port differs from {port}"),
            );
        }
        if let Some(addr) = addrs.iter().find(|addr| has(&bound, **addr)) {
            return prefixed(error, format_args!("cannot bind {addr}: already bound"));
        }
    }
    prefixed(error, format_args!("cannot bind {}", AddrList(addrs)))
}

/// Adds the addresses to the error of a connect that the local kernel rejected.
pub(crate) fn connect_error(error: io::Error, socket: &Socket, peer: &[SocketAddr]) -> io::Error {
    let exists = matches!(error.raw_os_error(), Some(errno::EALREADY | errno::EISCONN))
        // The association is on another socket, peeled off or with the same local address and
        // port (`sctp_endpoint_is_peeled_off`). The kernel returns this for nothing else here.
        || error.kind() == io::ErrorKind::AddrNotAvailable;
    let (peer, local) = (AddrList(peer), socket.local_addrs(AssocId::FUTURE));
    match local {
        Ok(local) if exists => {
            let local = AddrList(&local);
            let text = format!("cannot connect from {local} to {peer}: association exists");
            with_context(error, text)
        }
        _ => prefixed(&error, format_args!("cannot connect to {peer}")),
    }
}

/// List of addresses, shortened to the first eight.
#[derive(Debug)]
pub(crate) struct AddrList<'a>(pub(crate) &'a [SocketAddr]);

impl fmt::Display for AddrList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (at, addr) in self.0.iter().take(SHOWN).enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            addr.fmt(f)?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Adds the addresses of a socket, if the kernel returns them.
pub(crate) fn show_addrs(shown: &mut fmt::DebugStruct<'_, '_>, addrs: io::Result<Vec<SocketAddr>>) {
    if let Ok(addrs) = addrs {
        shown.field("local_addrs", &addrs);
    }
}
