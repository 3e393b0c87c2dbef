//! How an option travels: as bytes in and out, with times in milliseconds.

use std::{io, net::SocketAddr, os::fd::AsFd, time::Duration};

use super::unsupported::explain;
use crate::{
    abi::{self, Layout},
    ids::AssocId,
    socket::{Socket, short_answer},
    sys,
};

impl Socket {
    /// Reads an SCTP option of fixed layout. `request` holds what the kernel must know first.
    pub(super) fn option<T: Layout>(&self, name: i32, request: &T) -> io::Result<T> {
        self.get(name, request)
            .map_err(|error| explain(name, error))
    }

    /// Sets an SCTP option from its encoded value.
    pub(super) fn set_option(&self, name: i32, value: &[u8]) -> io::Result<()> {
        self.set(name, value).map_err(|error| explain(name, error))
    }

    /// Reads an SCTP option whose answer has no fixed length: `request` at its beginning, then up
    /// to `room` bytes.
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

    /// Reads an option that is one number for the whole socket.
    pub(super) fn number(&self, name: i32) -> io::Result<u32> {
        let value = self.list_option(name, &[], size_of::<u32>())?;
        value
            .first_chunk()
            .map(|bytes| u32::from_ne_bytes(*bytes))
            .ok_or_else(short_answer)
    }

    pub(super) fn set_number(&self, name: i32, value: u32) -> io::Result<()> {
        self.set_option(name, &value.to_ne_bytes())
    }

    /// Reads an option that is a flag for the whole socket.
    pub(super) fn flag(&self, name: i32) -> io::Result<bool> {
        self.number(name).map(|value| value != 0)
    }

    pub(super) fn set_flag(&self, name: i32, on: bool) -> io::Result<()> {
        self.set_number(name, on.into())
    }

    /// Reads an option that is one number for each association.
    pub(super) fn assoc_number(&self, name: i32, assoc: AssocId) -> io::Result<u32> {
        let request = abi::AssocValue { assoc, value: 0 };
        self.option(name, &request).map(|answer| answer.value)
    }

    pub(super) fn set_assoc_number(&self, name: i32, assoc: AssocId, value: u32) -> io::Result<()> {
        self.set_option(name, &abi::AssocValue { assoc, value }.encode())
    }

    /// Reads whether an extension is offered (`AssocId::FUTURE`) or was agreed on.
    pub(super) fn assoc_flag(&self, name: i32, assoc: AssocId) -> io::Result<bool> {
        self.assoc_number(name, assoc).map(|value| value != 0)
    }

    /// Sets whether an extension is offered. The kernel takes an association's id here, checks it,
    /// and sets the socket's value all the same.
    pub(super) fn set_offered(&self, name: i32, on: bool) -> io::Result<()> {
        self.set_assoc_number(name, AssocId::FUTURE, on.into())
    }
}

/// A time as the kernel takes it, where 0 means something else: only zero becomes 0.
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

/// Turns the kernel's missing address into an error.
pub(super) fn known(addr: Option<SocketAddr>) -> io::Result<SocketAddr> {
    addr.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the kernel returned an address of an unknown family",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Family;

    #[cfg_attr(miri, ignore = "makes sockets")]
    #[test]
    fn the_kernel_refuses_what_is_too_short() {
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
    fn only_zero_becomes_zero() {
        assert_eq!(to_millis(Duration::ZERO), 0);
        assert_eq!(to_millis(Duration::from_nanos(1)), 1);
        assert_eq!(to_millis(Duration::from_millis(7)), 7);
        assert_eq!(to_millis(Duration::from_micros(7001)), 8);
        assert_eq!(to_millis(Duration::MAX), u32::MAX);
    }
}
