//! Authenticated chunks (SCTP-AUTH, RFC 4895).

use std::{hint, io};

use super::raw::invalid;
use crate::{
    abi::{self, Layout as _},
    ids::AssocId,
    socket::{Socket, truncated_option},
};

/// HMAC algorithm that authenticates chunks (RFC 4895 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HmacId {
    /// HMAC with SHA-1, required of every implementation.
    Sha1,
    /// HMAC with SHA-256.
    Sha256,
    /// An identifier unknown to this crate.
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

/// Negotiation.
impl Socket {
    /// Sets whether future associations can authenticate chunks (`SCTP_AUTH_SUPPORTED`, not in RFC
    /// 6458).
    ///
    /// Defaults to off, or to the sysctl `net.sctp.auth_enable`, which this option overrides for
    /// the socket. The option belongs to the socket and not to an association. Sockets from
    /// [`Socket::accept`] and [`Socket::peel_off`] start with the sysctl's value again.
    ///
    /// # Errors
    ///
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 5.4.
    #[doc(alias = "SCTP_AUTH_SUPPORTED")]
    pub fn set_auth_supported(&self, on: bool) -> io::Result<()> {
        self.set_offered(abi::SCTP_AUTH_SUPPORTED, on)
    }

    /// Returns `true` if an association can authenticate chunks, which both ends must have offered.
    ///
    /// For [`AssocId::FUTURE`], returns whether this end offers it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; [`UnsupportedOption`](super::UnsupportedOption)
    /// before Linux 5.4.
    pub fn auth_supported(&self, assoc: AssocId) -> io::Result<bool> {
        self.assoc_flag(abi::SCTP_AUTH_SUPPORTED, assoc)
    }

    /// Requires authentication of a chunk type on future associations (`SCTP_AUTH_CHUNK`, RFC 6458
    /// section 8.3.2).
    ///
    /// Chunks of this type are accepted only if they are authenticated. Type 0 is DATA. The
    /// requirement cannot be removed. For COOKIE-ECHO (10) the sysctl `net.sctp.auth_enable` must
    /// be on: Linux otherwise drops the chunk, and no association is established.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off ([`Socket::set_auth_supported`]);
    /// `InvalidInput` for INIT (1), INIT-ACK (2), SHUTDOWN-COMPLETE (14) and AUTH (15), and for
    /// more types than the kernel can store.
    #[doc(alias = "SCTP_AUTH_CHUNK")]
    pub fn add_auth_chunk(&self, chunk_type: u8) -> io::Result<()> {
        self.set_option(abi::SCTP_AUTH_CHUNK, &[chunk_type])
    }

    /// Sets the accepted algorithms of future associations, in order of preference
    /// (`SCTP_HMAC_IDENT`, RFC 6458 section 8.1.17). Linux's default is SHA-1 only.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off; `InvalidInput` without SHA-1, or
    /// for more than four; `Unsupported` (`EOPNOTSUPP`) for an algorithm that the kernel lacks.
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

    /// Returns the accepted algorithms of future associations.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off.
    pub fn hmac_ident(&self) -> io::Result<Vec<HmacId>> {
        // The kernel stores at most four.
        let value = self.list_option(abi::SCTP_HMAC_IDENT, &[0; 4], 4 * size_of::<u16>())?;
        let ids = value.get(4..).ok_or_else(truncated_option)?;
        Ok(ids
            .chunks_exact(2)
            .map(|id| HmacId::from_kernel(u16::from_ne_bytes([id[0], id[1]])))
            .collect())
    }

    /// Returns the chunk types that the peer requires to be authenticated (`SCTP_PEER_AUTH_CHUNKS`,
    /// RFC 6458 section 8.2.3).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for [`AssocId::FUTURE`]; `PermissionDenied`
    /// (`EACCES`) if the association cannot authenticate chunks.
    #[doc(alias = "SCTP_PEER_AUTH_CHUNKS")]
    pub fn peer_auth_chunks(&self, assoc: AssocId) -> io::Result<Vec<u8>> {
        self.auth_chunks(abi::SCTP_PEER_AUTH_CHUNKS, assoc)
    }

    /// Returns the chunk types that this end requires to be authenticated
    /// (`SCTP_LOCAL_AUTH_CHUNKS`, RFC 6458 section 8.2.4).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association; `PermissionDenied` (`EACCES`) if the association
    /// cannot authenticate chunks, or, for [`AssocId::FUTURE`], while authentication is off.
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
        value
            .get(8..)
            .map(<[u8]>::to_vec)
            .ok_or_else(truncated_option)
    }
}

/// Keys. Both ends identify a key by its number. Key 0 always exists and is empty.
impl Socket {
    /// Adds or replaces a shared key (`SCTP_AUTH_KEY`, RFC 6458 section 8.3.3).
    ///
    /// The key is used once [`Socket::set_active_auth_key`] or
    /// [`SendInfo::auth_key`](crate::SendInfo::auth_key) selects it. A new association copies the
    /// keys of its socket. The buffers that hold the secret, here and in the kernel, are
    /// overwritten afterwards.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` (`EACCES`) while authentication is off, or if the association cannot
    /// authenticate chunks; `InvalidInput` for an unknown association, and for more than 65535
    /// bytes.
    #[doc(alias = "SCTP_AUTH_KEY")]
    pub fn set_auth_key(&self, assoc: AssocId, key: u16, secret: &[u8]) -> io::Result<()> {
        let mut value = encode_key(assoc, key, secret)?;
        let result = self.set_option(abi::SCTP_AUTH_KEY, &value);
        value.fill(0);
        // Keeps the compiler from removing a write without a reader.
        hint::black_box(&value);
        result
    }

    /// Selects the shared key for future messages (`SCTP_AUTH_ACTIVE_KEY`, RFC 6458 section
    /// 8.1.18).
    ///
    /// Defaults to key 0.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for a missing or deactivated key;
    /// `PermissionDenied` as for [`Socket::set_auth_key`].
    #[doc(alias = "SCTP_AUTH_ACTIVE_KEY")]
    pub fn set_active_auth_key(&self, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_key_id(abi::SCTP_AUTH_ACTIVE_KEY, assoc, key)
    }

    /// Returns the shared key of sent messages.
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

    /// Deactivates a shared key (`SCTP_AUTH_DEACTIVATE_KEY`, RFC 6458 section 8.3.4).
    ///
    /// New messages no longer use the key, but it still verifies received ones. Once everything
    /// sent with it has been acknowledged,
    /// [`AuthIndication::FreeKey`](crate::AuthIndication::FreeKey) reports that it can be deleted.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for a missing or the active key;
    /// `PermissionDenied` as for [`Socket::set_auth_key`];
    /// [`UnsupportedOption`](super::UnsupportedOption) before Linux 4.17.
    #[doc(alias = "SCTP_AUTH_DEACTIVATE_KEY")]
    pub fn deactivate_auth_key(&self, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_key_id(abi::SCTP_AUTH_DEACTIVATE_KEY, assoc, key)
    }

    /// Deletes a shared key (`SCTP_AUTH_DELETE_KEY`, RFC 6458 section 8.3.5).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for a missing or the active key;
    /// `PermissionDenied` as for [`Socket::set_auth_key`].
    #[doc(alias = "SCTP_AUTH_DELETE_KEY")]
    pub fn delete_auth_key(&self, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_key_id(abi::SCTP_AUTH_DELETE_KEY, assoc, key)
    }

    fn set_key_id(&self, option: i32, assoc: AssocId, key: u16) -> io::Result<()> {
        self.set_option(option, &abi::AuthKeyId { assoc, key }.encode())
    }
}

/// Encodes `struct sctp_authkey` in one allocation, since a growing vector would leave copies of
/// the secret behind.
fn encode_key(assoc: AssocId, key: u16, secret: &[u8]) -> io::Result<Vec<u8>> {
    let len = u16::try_from(secret.len()).map_err(|_| invalid("shared key exceeds 65535 bytes"))?;
    // The kernel requires at least one byte after the header, used or not.
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
    fn keys_have_the_layout_of_the_kernel() {
        let value = encode_key(AssocId::new(5), 6, b"abc").unwrap();
        assert_eq!(value[..4], 5i32.to_ne_bytes());
        assert_eq!(value[4..6], 6u16.to_ne_bytes());
        assert_eq!(value[6..8], 3u16.to_ne_bytes());
        assert_eq!(&value[8..], b"abc");
    }

    #[test]
    fn empty_key_is_padded_to_one_byte() {
        let value = encode_key(AssocId::FUTURE, 1, b"").unwrap();
        assert_eq!((value.len(), &value[6..8]), (9, &[0, 0][..]));
    }

    #[test]
    fn overlong_key_is_refused() {
        assert!(encode_key(AssocId::FUTURE, 1, &[0; 65535]).is_ok());
        let error = encode_key(AssocId::FUTURE, 1, &[0; 65536]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
