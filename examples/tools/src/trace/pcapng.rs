//! Blocks of the pcapng format (draft-ietf-opsawg-pcapng): a few lines, where a crate would bring
//! its parser.

use std::time::Duration;

use super::packet::Direction;

/// Packets begin with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;

/// Section header and description of the only interface.
pub(super) fn head() -> Vec<u8> {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes()); // the byte order
    section.extend([1, 0, 0, 0]); // version 1.0
    section.extend([0xff; 8]); // a length that is not known
    option(
        &mut section,
        4,
        concat!("sctp ", env!("CARGO_PKG_VERSION")).as_bytes(),
    );
    option(&mut section, 0, &[]);
    let mut interface = Vec::new();
    interface.extend(LINKTYPE_RAW.to_le_bytes());
    interface.extend([0; 6]); // reserved, and no limit of the length
    option(&mut interface, 2, b"messages");
    option(&mut interface, 0, &[]);
    [block(0x0a0d_0d0a, section), block(1, interface)].concat()
}

/// Enhanced packet block.
pub(super) fn packet(since_epoch: Duration, direction: Direction, packet: &[u8]) -> Vec<u8> {
    let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
    let [high, low] = [micros >> 32, micros & 0xffff_ffff];
    // The length of a packet fits in 16 bits.
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let mut body = vec![0; 4]; // the only interface
    for word in [
        u32::try_from(high).unwrap_or(u32::MAX),
        u32::try_from(low).unwrap_or(0),
        length,
        length,
    ] {
        body.extend(word.to_le_bytes());
    }
    pad(&mut body, packet);
    let inbound_or_outbound: u32 = match direction {
        Direction::Received => 1,
        Direction::Sent => 2,
    };
    option(&mut body, 2, &inbound_or_outbound.to_le_bytes());
    option(&mut body, 0, &[]);
    block(6, body)
}

fn block(kind: u32, body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12)
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    pad(body, value);
}

/// Adds bytes, and zeros up to a multiple of four.
fn pad(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_words_and_end_with_their_length() {
        let packet = packet(
            Duration::from_micros(0x1_0000_0002),
            Direction::Sent,
            b"12345",
        );
        let word = |at: usize| u32::from_le_bytes(packet[at..at + 4].try_into().unwrap());
        assert_eq!([word(0), word(4)], [6, 52]);
        assert_eq!([word(8), word(12), word(16)], [0, 1, 2]);
        assert_eq!([word(20), word(24), word(48)], [5, 5, 52]);
        assert_eq!(packet.len(), 52);
        assert_eq!(head().len() % 4, 0);
    }
}
