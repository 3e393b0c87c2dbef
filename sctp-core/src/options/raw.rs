//! Access to options as bytes and numbers, with times in milliseconds.

use std::{io, net::SocketAddr, os::fd::AsFd, time::Duration};

use super::unsupported::explain;
use crate::{
    abi::{self, Layout},
    ids::AssocId,
    socket::{Socket, truncated_option},
    sys,
};

impl Socket {
    /// Reads an SCTP option with a fixed layout. `request` holds the arguments of the option.
    pub(super) fn option<T: Layout>(&self, name: i32, request: &T) -> io::Result<T> {
        self.get(name, request)
            .map_err(|error| explain(name, error))
    }

    /// Sets an SCTP option to an encoded value.
    pub(super) fn set_option(&self, name: i32, value: &[u8]) -> io::Result<()> {
        self.set(name, value).map_err(|error| explain(name, error))
    }

    /// Reads an SCTP option with a variable length.
    ///
    /// The value begins with `request`, followed by up to `room` bytes.
    pub(super) fn list_option(
        &self,
        name: i32,
        request: &[u8],
        room: usize,
    ) -> io::Result<Vec<u8>> {
        let mut value = vec![0; request.len() + room];
        value[..request.len()].copy_from_slice(request);
        let len = sys::getsockopt(self.as_fd(), abi::SOL_SCTP, name, &mut value)
            .map_err(|error| explain(name, error))?;
        value.truncate(len);
        Ok(value)
    }

    /// Reads a number of the whole socket.
    pub(super) fn number(&self, name: i32) -> io::Result<u32> {
        let value = self.list_option(name, &[], size_of::<u32>())?;
        value
            .first_chunk()
            .map(|bytes| u32::from_ne_bytes(*bytes))
            .ok_or_else(truncated_option)
    }

    pub(super) fn set_number(&self, name: i32, value: u32) -> io::Result<()> {
        self.set_option(name, &value.to_ne_bytes())
    }

    /// Reads a flag of the whole socket.
    pub(super) fn flag(&self, name: i32) -> io::Result<bool> {
        self.number(name).map(|value| value != 0)
    }

    pub(super) fn set_flag(&self, name: i32, on: bool) -> io::Result<()> {
        self.set_number(name, on.into())
    }

    /// Reads a number of an association.
    pub(super) fn assoc_number(&self, name: i32, assoc: AssocId) -> io::Result<u32> {
        let request = abi::AssocValue { assoc, value: 0 };
        self.option(name, &request).map(|answer| answer.value)
    }

    pub(super) fn set_assoc_number(&self, name: i32, assoc: AssocId, value: u32) -> io::Result<()> {
        self.set_option(name, &abi::AssocValue { assoc, value }.encode())
    }

    /// Reads a flag: an extension that was negotiated or, for `AssocId::FUTURE`, is offered.
    pub(super) fn assoc_flag(&self, name: i32, assoc: AssocId) -> io::Result<bool> {
        self.assoc_number(name, assoc).map(|value| value != 0)
    }

    /// Sets whether an extension is offered.
    ///
    /// The kernel accepts and checks the id of an association here, but always sets the value of
    /// the socket.
    pub(super) fn set_offered(&self, name: i32, on: bool) -> io::Result<()> {
        self.set_assoc_number(name, AssocId::FUTURE, on.into())
    }
}

/// Converts a time to milliseconds. Rounds up, so that only zero becomes 0.
pub(super) fn to_millis(time: Duration) -> u32 {
    let millis = time.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(u32::MAX)
}

pub(super) fn from_millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

pub(super) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Returns an error if the kernel gave no address.
pub(super) fn require_addr(addr: Option<SocketAddr>) -> io::Result<SocketAddr> {
    addr.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "kernel returned an address of an unknown family",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Family;

    #[cfg_attr(miri, ignore = "makes sockets")]
    #[test]
    fn short_values_are_refused_by_the_kernel() {
        for socket in [
            Socket::one_to_many(Family::V4).unwrap(),
            Socket::one_to_one(Family::V6).unwrap(),
        ] {
            let options = [
                (abi::SCTP_RTOINFO, 16),
                (abi::SCTP_PEER_ADDR_PARAMS, 152),
                (abi::SCTP_DELAYED_SACK, 8),
                (abi::SCTP_CONTEXT, 8),
                (abi::SCTP_NODELAY, 4),
            ];
            for (name, len) in options {
                socket.list_option(name, &vec![0; len], 0).unwrap();
                let short = vec![0; len - 1];
                let error = socket.list_option(name, &short, 0).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
                let error = socket.set_option(name, &short).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
            }
        }
    }

    #[test]
    fn times_are_rounded_up() {
        assert_eq!(to_millis(Duration::ZERO), 0);
        assert_eq!(to_millis(Duration::from_nanos(1)), 1);
        assert_eq!(to_millis(Duration::from_millis(7)), 7);
        assert_eq!(to_millis(Duration::from_micros(7001)), 8);
        assert_eq!(to_millis(Duration::MAX), u32::MAX);
    }
}
