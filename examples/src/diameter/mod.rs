//! Messages of Diameter's base protocol (RFC 6733), decoded strictly.
//!
//! Nothing here is about SCTP: a message is what one SCTP message carries.

mod attribute;
mod codes;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use attribute::Kind;
use wire::{get_u24, put_u24};

pub use attribute::{Avp, Fault, find};
pub use codes::{avp, command, result};
pub use wire::TooLong;

/// Header of a message (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Flags: [`REQUEST`](Self::REQUEST) and the others.
    pub flags: u8,
    /// Command code, of 24 bits.
    pub code: u32,
    /// Application.
    pub application: u32,
    /// Identifier of a request on one association.
    pub hop_by_hop: u32,
    /// Identifier of a request at its origin.
    pub end_to_end: u32,
}

impl Header {
    /// Length in octets.
    pub const LEN: usize = 20;
    /// Position of the flags.
    pub const FLAGS: usize = 4;
    /// Position of the Hop-by-Hop Identifier.
    pub const HOP_BY_HOP: std::ops::Range<usize> = 12..16;
    /// The flag of requests.
    pub const REQUEST: u8 = 0x80;
    /// The flag of messages that may be passed on.
    pub const PROXIABLE: u8 = 0x40;
    /// The flag of answers that report an error of the protocol.
    pub const ERROR: u8 = 0x20;
    const VERSION: u8 = 1;

    /// Returns `true` for a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.flags & Self::REQUEST != 0
    }

    /// Returns the header of the answer to this request.
    #[must_use]
    pub fn answer(self) -> Self {
        Self {
            flags: self.flags & Self::PROXIABLE,
            ..self
        }
    }

    /// Reads the header of a message, whatever follows it.
    #[must_use]
    pub fn peek(octets: &[u8]) -> Option<Self> {
        let mut header = octets.get(..Self::LEN)?;
        header.advance(4); // version and length
        Some(Self {
            flags: header.get_u8(),
            code: get_u24(&mut header),
            application: header.get_u32(),
            hop_by_hop: header.get_u32(),
            end_to_end: header.get_u32(),
        })
    }
}

/// A message: its header, and its AVPs in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Header.
    pub header: Header,
    /// AVPs.
    pub avps: Vec<Avp>,
}

impl Message {
    /// Creates a request, which gets its Hop-by-Hop Identifier when it is sent.
    #[must_use]
    pub fn request(code: u32, application: u32, end_to_end: u32) -> Self {
        let header = Header {
            flags: Header::REQUEST,
            code,
            application,
            hop_by_hop: 0,
            end_to_end,
        };
        let avps = Vec::new();
        Self { header, avps }
    }

    /// Adds an AVP.
    #[must_use]
    pub fn with(mut self, avp: Avp) -> Self {
        self.avps.push(avp);
        self
    }

    /// Decodes a message, and checks the AVPs that it knows.
    ///
    /// # Errors
    ///
    /// Returns the Result-Code that answers the message, if it is a request.
    pub fn decode(mut octets: Bytes) -> Result<Self, Malformed> {
        let header = Header::peek(&octets);
        let malformed = |fault| Malformed { header, fault };
        let (Some(known), Some(&[version, a, b, c])) = (header, octets.first_chunk()) else {
            return Err(malformed(Fault::new(result::INVALID_MESSAGE_LENGTH)));
        };
        if version != Header::VERSION {
            return Err(malformed(Fault::new(result::UNSUPPORTED_VERSION)));
        }
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length != octets.len() || !length.is_multiple_of(4) {
            return Err(malformed(Fault::new(result::INVALID_MESSAGE_LENGTH)));
        }
        if known.is_request() && known.flags & Header::ERROR != 0 {
            return Err(malformed(Fault::new(result::INVALID_HDR_BITS)));
        }
        octets.advance(Header::LEN);
        let avps = Avp::decode_all(octets).map_err(malformed)?;
        Ok(Self {
            header: known,
            avps,
        })
    }

    /// Encodes the message.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if the message, or one of its AVPs, exceeds 2^24 octets.
    pub fn encode(&self) -> Result<Bytes, TooLong> {
        let length = Header::LEN + self.avps.iter().map(Avp::padded_len).sum::<usize>();
        let mut octets = BytesMut::with_capacity(length);
        octets.put_u8(Header::VERSION);
        put_u24(&mut octets, length)?;
        octets.put_u8(self.header.flags);
        put_u24(&mut octets, self.header.code as usize)?;
        octets.put_u32(self.header.application);
        octets.put_u32(self.header.hop_by_hop);
        octets.put_u32(self.header.end_to_end);
        for avp in &self.avps {
            avp.encode(&mut octets)?;
        }
        Ok(octets.freeze())
    }

    /// Returns the first AVP with a code of the base protocol.
    #[must_use]
    pub fn get(&self, code: u32) -> Option<&Avp> {
        find(&self.avps, code)
    }

    /// Returns the first AVP with a code as a number, where it is one.
    #[must_use]
    pub fn number(&self, code: u32) -> Option<u32> {
        self.get(code)?.number()
    }

    /// Returns the first AVP with a code as text, where it is one.
    #[must_use]
    pub fn text(&self, code: u32) -> Option<&str> {
        self.get(code)?.text()
    }

    /// Checks that each of these AVPs is there.
    ///
    /// # Errors
    ///
    /// Returns DIAMETER_MISSING_AVP, and an empty AVP of the code (section 7.5).
    pub fn require(&self, codes: &[u32]) -> Result<(), Fault> {
        match codes.iter().find(|code| self.get(**code).is_none()) {
            None => Ok(()),
            Some(code) => {
                let empty = vec![0; Kind::of(*code).map_or(0, Kind::min_len)];
                Err(Fault::new(result::MISSING_AVP).of(Avp::new(*code, empty)))
            }
        }
    }

    /// Checks that none of these AVPs is there twice.
    ///
    /// # Errors
    ///
    /// Returns DIAMETER_AVP_OCCURS_TOO_MANY_TIMES, and the second one.
    pub fn at_most_once(&self, codes: &[u32]) -> Result<(), Fault> {
        for code in codes {
            let is_it = |avp: &&Avp| avp.code == *code && avp.vendor.is_none();
            if let Some(second) = self.avps.iter().filter(is_it).nth(1) {
                let fault = Fault::new(result::AVP_OCCURS_TOO_MANY_TIMES);
                return Err(fault.of(second.clone()));
            }
        }
        Ok(())
    }
}

/// A message that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its header, unless the message is shorter.
    pub header: Option<Header>,
    /// The fault.
    pub fault: Fault,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message, result {}", self.fault.result)
    }
}

impl std::error::Error for Malformed {}

/// Decodes arbitrary octets: a message is the same after another round, and a fault is one that can
/// be answered.
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, missing_docs, reason = "for tests")]
pub fn decode_anything(octets: &[u8]) {
    match Message::decode(Bytes::copy_from_slice(octets)) {
        Ok(message) => {
            let again = message.encode().unwrap();
            assert!(again.len() < octets.len() + 4);
            assert_eq!(Message::decode(again), Ok(message.clone()));
            for avp in &message.avps {
                let _ = (avp.number(), avp.text(), avp.address());
                // In a group, padding of the last AVP may be missing, and appears.
                if let Ok(inside) = avp.group() {
                    let group = Avp::of_group(avp.code, &inside).unwrap();
                    assert_eq!(group.group(), Ok(inside));
                }
            }
        }
        Err(malformed) => {
            assert!((3000..6000).contains(&malformed.fault.result));
            assert_eq!(malformed.header.is_none(), octets.len() < Header::LEN);
            let failed = malformed.fault.failed;
            let failed = failed.map(|avp| Avp::of_group(avp::FAILED_AVP, &[avp]));
            assert!(failed.is_none_or(|avp| avp.is_ok()));
        }
    }
}
