//! Numbers and padding on the wire.

use std::fmt;

use bytes::{Buf, BufMut, BytesMut};

/// A message or an AVP exceeds 2^24 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("message exceeds 2^24 octets")
    }
}

impl std::error::Error for TooLong {}

pub(super) fn padding(length: usize) -> usize {
    length.next_multiple_of(4) - length
}

pub(super) fn get_u24(octets: &mut impl Buf) -> u32 {
    let high = u32::from(octets.get_u8());
    high << 16 | u32::from(octets.get_u16())
}

pub(super) fn put_u24(octets: &mut BytesMut, number: usize) -> Result<(), TooLong> {
    let number = u32::try_from(number).map_err(|_| TooLong)?;
    let [0, a, b, c] = number.to_be_bytes() else {
        return Err(TooLong);
    };
    octets.put_slice(&[a, b, c]);
    Ok(())
}
