//! What the kernel says with a bare number, in words.

use std::{error::Error, fmt, io, net::SocketAddr};

use sctp_core::{AssocId, Socket, errno};

/// An error of the kernel, and what it means here: the text has the whole reason, and the kernel's
/// error, with its number, is the source.
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
        // Its text is not in ours, which says the same in words.
        Some(&self.error)
    }
}

/// Puts what an error means in the place of its text; its kind stays, and it becomes the source.
pub(crate) fn with_context(error: io::Error, text: String) -> io::Error {
    io::Error::new(error.kind(), ContextError { text, error })
}

/// Says what was refused, where the kernel says only why.
pub(crate) fn prefixed(error: &io::Error, what: fmt::Arguments<'_>) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Which end of an association has an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AddrOwner {
    Peer,
    Own,
}

impl AddrOwner {
    fn addrs(self, socket: &Socket, assoc: AssocId) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Peer => socket.peer_addrs(assoc),
            Self::Own => socket.local_addrs(assoc),
        }
    }

    /// Says that an association does not have an address, if that is why the kernel refused it:
    /// it answers the same (`EINVAL`) for an association that is over, and for much else. Of an
    /// address of this end it says `EADDRNOTAVAIL`.
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
                let whose = match self {
                    Self::Peer => "the peer's addresses",
                    Self::Own => "this end's addresses",
                };
                with_context(
                    error,
                    format!("{addr} is none of {whose}: {}", AddrList(&addrs)),
                )
            }
            _ => error,
        }
    }
}

/// Whether an address is among others, in either notation of IPv4.
fn has(addrs: &[SocketAddr], addr: SocketAddr) -> bool {
    let key = |addr: SocketAddr| (addr.ip().to_canonical(), addr.port());
    addrs.iter().any(|one| key(*one) == key(addr))
}

/// Why an address could not be added to an association's, and which.
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
                format_args!(
                    "cannot bind {addr}: all addresses of a socket have one port, here {port}"
                ),
            );
        }
        if let Some(addr) = addrs.iter().find(|addr| has(&bound, **addr)) {
            return prefixed(error, format_args!("cannot bind {addr}, which is bound"));
        }
    }
    prefixed(error, format_args!("cannot bind {}", AddrList(addrs)))
}

/// Says to whom a connect was refused by this end's kernel.
pub(crate) fn connect_error(error: io::Error, socket: &Socket, peer: &[SocketAddr]) -> io::Error {
    let exists = matches!(error.raw_os_error(), Some(errno::EALREADY | errno::EISCONN))
        // One of another socket, peeled off or with the same local address and port
        // (`sctp_endpoint_is_peeled_off`). The kernel has no other use for this answer here.
        || error.kind() == io::ErrorKind::AddrNotAvailable;
    let (peer, local) = (AddrList(peer), socket.local_addrs(AssocId::FUTURE));
    match local {
        Ok(local) if exists => {
            let local = AddrList(&local);
            let text = format!(
                "cannot connect from {local} to {peer}: an association between them exists already"
            );
            with_context(error, text)
        }
        _ => prefixed(&error, format_args!("cannot connect to {peer}")),
    }
}

/// Addresses as a text has them: a few of them, since it may be for a log and they may be thousands.
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

/// Adds the addresses of a socket, if there are any.
pub(crate) fn show_addrs(shown: &mut fmt::DebugStruct<'_, '_>, addrs: io::Result<Vec<SocketAddr>>) {
    if let Ok(addrs) = addrs {
        shown.field("local_addrs", &addrs);
    }
}
