//! Encoding of socket addresses.
//!
//! Addresses are encoded and decoded field by field, never by casting. SCTP packs lists of
//! `sockaddr_in` and `sockaddr_in6` without padding, so some entries are unaligned.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Length of `struct sockaddr_storage`.
pub(crate) const STORAGE_LEN: usize = 128;
const V4_LEN: usize = 16;
const V6_LEN: usize = 28;
// libc has 32-bit constants, while `sa_family_t` has 16 bits on Linux.
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Encodes one address in its own length, for `bind`.
pub(crate) fn encode(addr: SocketAddr) -> Vec<u8> {
    encode_list(&[addr])
}

/// Encodes addresses without gaps, for options such as `SCTP_SOCKOPT_BINDX_ADD`.
pub(crate) fn encode_list(addrs: &[SocketAddr]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(addrs.len() * V6_LEN);
    for addr in addrs {
        match addr {
            SocketAddr::V4(addr) => {
                bytes.extend(AF_INET.to_ne_bytes());
                bytes.extend(addr.port().to_be_bytes());
                bytes.extend(addr.ip().octets());
                bytes.extend([0; 8]);
            }
            SocketAddr::V6(addr) => {
                bytes.extend(AF_INET6.to_ne_bytes());
                bytes.extend(addr.port().to_be_bytes());
                bytes.extend(addr.flowinfo().to_ne_bytes());
                bytes.extend(addr.ip().octets());
                bytes.extend(addr.scope_id().to_ne_bytes());
            }
        }
    }
    bytes
}

/// Encodes an address as a `sockaddr_storage`. `None` is the unspecified family.
pub(crate) fn encode_storage(addr: Option<SocketAddr>) -> [u8; STORAGE_LEN] {
    let mut storage = [0; STORAGE_LEN];
    if let Some(addr) = addr {
        let bytes = encode(addr);
        storage[..bytes.len()].copy_from_slice(&bytes);
    }
    storage
}

/// Decodes the first address and returns its length.
///
/// Returns `None` if the family is not IP or the address is incomplete.
pub(crate) fn decode(bytes: &[u8]) -> Option<(SocketAddr, usize)> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match family {
        AF_INET => {
            let bytes: &[u8; V4_LEN] = bytes.first_chunk()?;
            let [_, _, _, _, a, b, c, d, ..] = *bytes;
            Some((
                SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into(),
                V4_LEN,
            ))
        }
        AF_INET6 => {
            let bytes: &[u8; V6_LEN] = bytes.first_chunk()?;
            let flowinfo = u32::from_ne_bytes(bytes[4..8].try_into().ok()?);
            let ip: [u8; 16] = bytes[8..24].try_into().ok()?;
            let scope = u32::from_ne_bytes(bytes[24..28].try_into().ok()?);
            Some((
                SocketAddrV6::new(Ipv6Addr::from(ip), port, flowinfo, scope).into(),
                V6_LEN,
            ))
        }
        _ => None,
    }
}

/// Decodes a `sockaddr_storage`. Returns `None` if it is unspecified.
pub(crate) fn decode_storage(bytes: &[u8]) -> Option<SocketAddr> {
    decode(bytes).map(|(addr, _)| addr)
}

/// Decodes a packed list. Returns `None` if it holds fewer than `count` addresses.
pub(crate) fn decode_list(mut bytes: &[u8], count: usize) -> Option<Vec<SocketAddr>> {
    // The length of the input bounds the allocation, whatever count the kernel reports.
    let mut addrs = Vec::with_capacity(count.min(bytes.len() / V4_LEN));
    for _ in 0..count {
        let (addr, len) = decode(bytes)?;
        addrs.push(addr);
        bytes = &bytes[len..];
    }
    Some(addrs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_round_trip(addrs: Vec<SocketAddr>) {
            let bytes = encode_list(&addrs);
            prop_assert_eq!(decode_list(&bytes, addrs.len()), Some(addrs));
        }

        #[test]
        fn storage_round_trips(addr: Option<SocketAddr>) {
            prop_assert_eq!(decode_storage(&encode_storage(addr)), addr);
        }

        #[test]
        fn arbitrary_bytes_are_decoded_or_refused(bytes: Vec<u8>, count in 0usize..1000) {
            if let Some(addrs) = decode_list(&bytes, count) {
                prop_assert_eq!(addrs.len(), count);
            }
        }
    }

    #[test]
    fn flow_information_is_not_swapped() {
        // std and socket2 pass `sin6_flowinfo` through as it is.
        let addr = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0x0102_0304, 5);
        let bytes = encode(addr.into());
        assert_eq!(bytes[4..8], 0x0102_0304_u32.to_ne_bytes());
        assert_eq!(decode(&bytes), Some((addr.into(), V6_LEN)));
    }

    #[test]
    fn short_list_is_refused() {
        let bytes = encode_list(&["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
        assert_eq!(bytes.len(), V4_LEN + V6_LEN);
        assert_eq!(decode_list(&bytes[..bytes.len() - 1], 2), None);
        assert_eq!(decode_list(&bytes, 3), None);
    }
}
