//! Packets with one chunk: an IP header, the common header of SCTP, and the chunk (RFC 9260).

use std::net::{IpAddr, SocketAddr};

/// IP's number of SCTP.
const SCTP: u8 = 132;

/// Direction of a packet, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Received,
    Sent,
}

/// Header fields of DATA chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    pub(super) tsn: u32,
    pub(super) stream: u16,
    pub(super) ssn: u16,
    pub(super) ppid: u32,
    pub(super) unordered: bool,
}

#[derive(Debug)]
pub(super) enum Chunk<'a> {
    Abort {
        causes: &'a [u8],
    },
    Data {
        data: Data,
        payload: &'a [u8],
        first: bool,
        last: bool,
    },
    Shutdown {
        acknowledged: u32,
    },
}

impl Chunk<'_> {
    fn encode(&self) -> Vec<u8> {
        let (kind, flags, body) = match self {
            Self::Data {
                data,
                payload,
                first,
                last,
            } => {
                let flags = u8::from(data.unordered) << 2 | u8::from(*first) << 1 | u8::from(*last);
                let mut body = Vec::with_capacity(12 + payload.len());
                body.extend(data.tsn.to_be_bytes());
                body.extend(data.stream.to_be_bytes());
                body.extend(data.ssn.to_be_bytes());
                body.extend(data.ppid.to_be_bytes());
                body.extend(*payload);
                (0, flags, body)
            }
            Self::Abort { causes } => (6, 0, causes.to_vec()),
            Self::Shutdown { acknowledged } => (7, 0, acknowledged.to_be_bytes().to_vec()),
        };
        let mut chunk = vec![kind, flags];
        chunk.extend(length(4 + body.len()));
        chunk.extend(body);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    }
}

/// Error cause 12, with a reason.
pub(super) fn user_initiated_abort(reason: &[u8]) -> Vec<u8> {
    let mut cause = vec![0, 12];
    cause.extend(length(4 + reason.len()));
    cause.extend(reason);
    cause
}

/// A packet of IPv4 if both addresses are of that, else of IPv6.
pub(super) fn packet(
    direction: Direction,
    from: SocketAddr,
    to: SocketAddr,
    chunk: &Chunk<'_>,
) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.port().to_be_bytes());
    segment.extend(to.port().to_be_bytes());
    let tag: u32 = match direction {
        Direction::Sent => 1,
        Direction::Received => 2,
    };
    segment.extend(tag.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(chunk.encode());
    let checksum = crc32c(&segment).to_le_bytes();
    segment[8..12].copy_from_slice(&checksum);
    let mut packet = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0];
            header.extend(length(20 + segment.len()));
            header.extend([0, 0, 0x40, 0, 64, SCTP, 0, 0]);
            header.extend(from.octets());
            header.extend(to.octets());
            let checksum = internet_checksum(&header).to_be_bytes();
            header[10..12].copy_from_slice(&checksum);
            header
        }
        (from, to) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(length(segment.len()));
            header.extend([SCTP, 64]);
            header.extend(octets(from));
            header.extend(octets(to));
            header
        }
    };
    packet.extend(segment);
    packet
}

/// A length, which fits: payloads are cut, and reasons are short.
fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Checksum of IPv4 headers (RFC 1071).
fn internet_checksum(header: &[u8]) -> u16 {
    let words = header
        .chunks_exact(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Checksum of SCTP packets (RFC 9260 appendix A), bit by bit: a trace need not be fast.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        // The example of RFC 1071, section 3.
        assert_eq!(
            internet_checksum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
    }
}
