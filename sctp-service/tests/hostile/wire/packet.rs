//! SCTP's packets, byte by byte (RFC 9260, section 3).

pub(super) const DATA: u8 = 0;
pub(super) const INIT: u8 = 1;
pub(super) const INIT_ACK: u8 = 2;
pub(super) const SACK: u8 = 3;
pub(super) const ABORT: u8 = 6;
pub(super) const SHUTDOWN: u8 = 7;
pub(super) const SHUTDOWN_ACK: u8 = 8;
pub(super) const ERROR: u8 = 9;
pub(super) const COOKIE_ECHO: u8 = 10;
pub(super) const COOKIE_ACK: u8 = 11;

/// Flags of a DATA chunk: the last fragment of a message, the first one.
pub(super) const END: u8 = 1;
pub(super) const BEGIN: u8 = 2;

/// The common header and its chunks, with a right checksum.
pub(super) fn packet(from: u16, to: u16, tag: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(from.to_be_bytes());
    packet.extend(to.to_be_bytes());
    packet.extend(tag.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(chunks.concat());
    let checksum = crc32c(&packet);
    packet[8..12].copy_from_slice(&checksum.to_le_bytes());
    packet
}

/// A chunk with a right length, and padding.
pub(super) fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap();
    let mut chunk = chunk_of_length(kind, flags, length, value);
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

/// A chunk that says of itself that it has a length.
pub(super) fn chunk_of_length(kind: u8, flags: u8, length: u16, value: &[u8]) -> Vec<u8> {
    let mut chunk = vec![kind, flags];
    chunk.extend(length.to_be_bytes());
    chunk.extend(value);
    chunk
}

pub(super) fn init(tag: u32, streams: u16, tsn: u32, parameters: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    value.extend(tag.to_be_bytes());
    value.extend(100_000u32.to_be_bytes());
    value.extend(streams.to_be_bytes());
    value.extend(streams.to_be_bytes());
    value.extend(tsn.to_be_bytes());
    value.extend(parameters);
    chunk(INIT, 0, &value)
}

pub(super) fn data(flags: u8, tsn: u32, stream: u16, number: u16, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    value.extend(tsn.to_be_bytes());
    value.extend(stream.to_be_bytes());
    value.extend(number.to_be_bytes());
    value.extend([0; 4]);
    value.extend(payload);
    chunk(DATA, flags, &value)
}

/// The checksum of RFC 9260, appendix A.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (0x82f6_3b78 * carry);
        }
    }
    !crc
}

#[test]
fn checksum_is_crc32c() {
    // The test vector of RFC 3720, appendix B.4.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
}
