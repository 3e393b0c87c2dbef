//! Authenticated chunks (SCTP-AUTH, RFC 4895).

use std::{hint, io};

use super::raw::invalid;
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::{Socket, short_answer},
};

/// An algorithm that authenticates chunks (RFC 4895 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HmacId {
    /// HMAC with SHA-1, which every end must have.
    Sha1,
    /// HMAC with SHA-256.
    Sha256,
    /// An identifier that this crate does not know.
    Other(u16),
}

impl HmacId {
    fn from_kernel(id: u16) -> Self {
        match id {
            abi::SCTP_AUTH_HMAC_ID_SHA1 => Self::Sha1,
            abi::SCTP_AUTH_HMAC_ID_SHA256 => Self::Sha256,
            other => Self::Other(other),
        }
    }

    fn to_kernel(self) -> u16 {
        match self {
            Self::Sha1 => abi::SCTP_AUTH_HMAC_ID_SHA1,
            Self::Sha256 => abi::SCTP_AUTH_HMAC_ID_SHA256,
            Self::Other(other) => other,
        }
    }
}

/// What the ends agree on.
impl Socket {
    /// Sets whether associations to come can authenticate chunks (`SCTP_AUTH_SUPPORTED`, not in
    /// RFC 6458). Default off, by the sysctl `net.sctp.auth_enable`, which this overrules for the
    /// socket. It holds for the socket, not for an association, and sockets from
    /// [`Socket::accept`] and [`Socket::peel_off`] begin with the sysctl's value again.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    #[doc(alias = "SCTP_AUTH_SUPPORTED")]
    pub fn set_auth_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_AUTH_SUPPORTED, on)
    }

    /// Returns whether an association can authenticate chunks, that is, whether both ends offered
    /// it; for [`AssocId::FUTURE`], whether this end will.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association;
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    pub fn auth_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_AUTH_SUPPORTED, assoc)
    }

    /// Takes chunks of this type only if they are authenticated, on associations to come
    /// (`SCTP_AUTH_CHUNK`, RFC 6458 section 8.3.2): 0 is DATA. There is no way to take it back.
    /// For COOKIE-ECHO (10) the sysctl `net.sctp.auth_enable` must be on: without it Linux drops
    /// the chunk, and no association comes up.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off ([`Socket::set_auth_supported`]);
    /// `InvalidInput` for INIT (1), INIT-ACK (2), SHUTDOWN-COMPLETE (14) and AUTH (15), and for
    /// more types than there is room for.
    #[doc(alias = "SCTP_AUTH_CHUNK")]
    pub fn add_auth_chunk(&self, chunk_type: u8) -> io::Result<()> {
        self.set_option(abi::SCTP_AUTH_CHUNK, &[chunk_type])
    }

    /// Sets the algorithms that this end accepts on associations to come, the preferred one first
    /// (`SCTP_HMAC_IDENT`, RFC 6458 section 8.1.17). Linux's default is SHA-1 alone.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off; `InvalidInput` without SHA-1, or
    /// for more than four; `Unsupported` (`EOPNOTSUPP`) for one that the kernel does not have.
    #[doc(alias = "SCTP_HMAC_IDENT")]
    pub fn set_hmac_ident(&self, algorithms: &[HmacId]) -> io::Result<()> {
        let count = u32::try_from(algorithms.len()).unwrap_or(u32::MAX);
        // struct sctp_hmacalgo { __u32 shmac_num_idents; __u16 shmac_idents[]; }
        let mut value = count.to_ne_bytes().to_vec();
        for algorithm in algorithms {
            value.extend(algorithm.to_kernel().to_ne_bytes());
        }
        self.set_option(abi::SCTP_HMAC_IDENT, &value)
    }

    /// Returns the algorithms that this end accepts on associations to come.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off.
    pub fn hmac_ident(&self) -> io::Result<Vec<HmacId>> {
        // The kernel has room for four.
        let value = self.list_option(abi::SCTP_HMAC_IDENT, &[0; 4], 4 * size_of::<u16>())?;
        let ids = value.get(4..).ok_or_else(short_answer)?;
        Ok(ids
            .chunks_exact(2)
            .map(|id| HmacId::from_kernel(u16::from_ne_bytes([id[0], id[1]])))
            .collect())
    }

    /// Returns the chunk types that the peer takes only if they are authenticated
    /// (`SCTP_PEER_AUTH_CHUNKS`, RFC 6458 section 8.2.3).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for [`AssocId::FUTURE`]; `PermissionDenied`
    /// (`EACCES`) when the association cannot authenticate chunks.
    #[doc(alias = "SCTP_PEER_AUTH_CHUNKS")]
    pub fn peer_auth_chunks(&self, assoc: AssocId) -> io::Result<Vec<u8>> {
        self.auth_chunks(abi::SCTP_PEER_AUTH_CHUNKS, assoc)
    }

    /// Returns the chunk types that this end takes only if they are authenticated
    /// (`SCTP_LOCAL_AUTH_CHUNKS`, RFC 6458 section 8.2.4).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; `PermissionDenied` (`EACCES`) when the
    /// association cannot authenticate chunks, or, for [`AssocId::FUTURE`], while authentication
    /// is off.
    #[doc(alias = "SCTP_LOCAL_AUTH_CHUNKS")]
    pub fn local_auth_chunks(&self, assoc: AssocId) -> io::Result<Vec<u8>> {
        self.auth_chunks(abi::SCTP_LOCAL_AUTH_CHUNKS, assoc)
    }

    fn auth_chunks(&self, option: i32, assoc: AssocId) -> io::Result<Vec<u8>> {
        // struct sctp_authchunks { sctp_assoc_t gauth_assoc_id; __u32 gauth_number_of_chunks;
        // uint8_t gauth_chunks[]; }
        let mut request = [0; 8];
        request[..4].copy_from_slice(&assoc.get().to_ne_bytes());
        let value = self.list_option(option, &request, 256)?;
        value.get(8..).map(<[u8]>::to_vec).ok_or_else(short_answer)
    }
}

/// Keys. Each has a number that both ends use for it; key 0 exists from the beginning, and is
/// empty.
impl Socket {
    /// Adds a shared key, or replaces the one of this number (`SCTP_AUTH_KEY`, RFC 6458
    /// section 8.3.3). It is not used before [`Socket::set_active_auth_key`], or
    /// [`SendInfo::auth_key`](crate::SendInfo::auth_key), names it.
    ///
    /// An association takes the keys of its socket along when it begins. The secret passes through
    /// memory that is overwritten afterwards, here and in the kernel.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off, or when the association cannot
    /// authenticate chunks; `InvalidInput` for an unknown association, and for more than 65535
    /// bytes.
    #[doc(alias = "SCTP_AUTH_KEY")]
    pub fn set_auth_key(&self, assoc: AssocId, key: u16, secret: &[u8]) -> io::Result<()> {
        let mut value = encode_key(assoc, key, secret)?;
        let result = self.set_option(abi::SCTP_AUTH_KEY, &value);
        value.fill(0);
        // Keeps the compiler from leaving out a write that nobody reads.
        hint::black_box(&value);
        result
    }

    /// Sends with this shared key from now on (`SCTP_AUTH_ACTIVE_KEY`, RFC 6458 section 8.1.18).
    /// The default is key 0.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and when there is no such key or it is
    /// deactivated; `PermissionDenied` as for [`Socket::set_auth_key`].
    #[doc(alias = "SCTP_AUTH_ACTIVE_KEY")]
    pub fn set_active_auth_key(&self, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_key_id(abi::SCTP_AUTH_ACTIVE_KEY, assoc, key)
    }

    /// Returns the shared key that is sent with.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, [`AssocId::CURRENT`] and [`AssocId::ALL`];
    /// `PermissionDenied` as for [`Socket::set_auth_key`].
    pub fn active_auth_key(&self, assoc: AssocId) -> io::Result<u16> {
        let request = abi::AuthKeyId { assoc, key: 0 };
        self.option(abi::SCTP_AUTH_ACTIVE_KEY, &request)
            .map(|answer| answer.key)
    }

    /// Sends nothing new with this shared key; it still checks what arrives
    /// (`SCTP_AUTH_DEACTIVATE_KEY`, RFC 6458 section 8.3.4). When everything sent with it is
    /// acknowledged, [`AuthIndication::FreeKey`](crate::AuthIndication::FreeKey) tells, and it can
    /// be deleted.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and when there is no such key or it is the
    /// active one; `PermissionDenied` as for [`Socket::set_auth_key`];
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.17.
    #[doc(alias = "SCTP_AUTH_DEACTIVATE_KEY")]
    pub fn deactivate_auth_key(&self, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_key_id(abi::SCTP_AUTH_DEACTIVATE_KEY, assoc, key)
    }

    /// Deletes a shared key (`SCTP_AUTH_DELETE_KEY`, RFC 6458 section 8.3.5).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and when there is no such key or it is the
    /// active one; `PermissionDenied` as for [`Socket::set_auth_key`].
    #[doc(alias = "SCTP_AUTH_DELETE_KEY")]
    pub fn delete_auth_key(&self, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_key_id(abi::SCTP_AUTH_DELETE_KEY, assoc, key)
    }

    fn set_key_id(&self, option: i32, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_option(option, &abi::AuthKeyId { assoc, key }.encode())
    }
}

/// Lays out `struct sctp_authkey`, in one allocation: a vector that grows leaves copies behind.
fn encode_key(assoc: AssocId, key: u16, secret: &[u8]) -> io::Result<Vec<u8>> {
    let len =
        u16::try_from(secret.len()).map_err(|_| invalid("a shared key has at most 65535 bytes"))?;
    // The kernel wants at least one byte behind the header, used or not.
    let mut value = vec![0; 8 + secret.len().max(1)];
    value[..4].copy_from_slice(&assoc.get().to_ne_bytes());
    value[4..6].copy_from_slice(&key.to_ne_bytes());
    value[6..8].copy_from_slice(&len.to_ne_bytes());
    value[8..8 + secret.len()].copy_from_slice(secret);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_laid_out_as_the_kernel_reads_them() {
        let value = encode_key(AssocId::new(5), 6, b"abc").unwrap();
        assert_eq!(value[..4], 5i32.to_ne_bytes());
        assert_eq!(value[4..6], 6u16.to_ne_bytes());
        assert_eq!(value[6..8], 3u16.to_ne_bytes());
        assert_eq!(&value[8..], b"abc");
    }

    #[test]
    fn an_empty_key_has_a_byte_behind_it_all_the_same() {
        let value = encode_key(AssocId::FUTURE, 1, b"").unwrap();
        assert_eq!((value.len(), &value[6..8]), (9, &[0, 0][..]));
    }

    #[test]
    fn a_key_that_is_too_long_is_refused() {
        assert!(encode_key(AssocId::FUTURE, 1, &[0; 65535]).is_ok());
        let error = encode_key(AssocId::FUTURE, 1, &[0; 65536]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
