//! Messages of Diameter's base protocol (RFC 6733), decoded strictly.
//!
//! Nothing here is about SCTP: a message is what one SCTP message carries.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};

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

/// Returns the first AVP with a code of the base protocol.
pub fn find(avps: &[Avp], code: u32) -> Option<&Avp> {
    let mut avps = avps.iter();
    avps.find(|avp| avp.code == code && avp.vendor.is_none())
}

/// An attribute and its value (section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Avp {
    /// Code.
    pub code: u32,
    /// Flags: [`MANDATORY`](Self::MANDATORY) and the others, without that of a vendor.
    pub flags: u8,
    /// Vendor whose code it is; `None` for those of the base protocol.
    pub vendor: Option<u32>,
    /// Value.
    pub data: Bytes,
}

impl Avp {
    /// The flag of an AVP that a receiver has to know.
    pub const MANDATORY: u8 = 0x40;
    const VENDOR: u8 = 0x80;
    const RESERVED: u8 = 0x1f;
    const HEADER_LEN: usize = 8;

    /// Creates an AVP of the base protocol. Few of them may be ignored.
    pub fn new(code: u32, data: impl Into<Bytes>) -> Self {
        let flags = match code {
            avp::PRODUCT_NAME | avp::FIRMWARE_REVISION | avp::ERROR_MESSAGE => 0,
            _ => Self::MANDATORY,
        };
        Self {
            code,
            flags,
            vendor: None,
            data: data.into(),
        }
    }

    /// Creates an AVP of the type Unsigned32 or Enumerated.
    #[must_use]
    pub fn of_number(code: u32, number: u32) -> Self {
        Self::new(code, number.to_be_bytes().to_vec())
    }

    /// Creates an AVP of the type UTF8String or DiameterIdentity.
    #[must_use]
    pub fn of_text(code: u32, text: &str) -> Self {
        Self::new(code, text.to_owned())
    }

    /// Creates an AVP of the type Address.
    #[must_use]
    pub fn of_address(code: u32, address: IpAddr) -> Self {
        let mut data = BytesMut::new();
        match address.to_canonical() {
            IpAddr::V4(address) => {
                data.put_u16(IPV4);
                data.put_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                data.put_u16(IPV6);
                data.put_slice(&address.octets());
            }
        }
        Self::new(code, data)
    }

    /// Creates an AVP of the type Grouped.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if one of the AVPs is.
    pub fn of_group(code: u32, avps: &[Self]) -> Result<Self, TooLong> {
        let mut data = BytesMut::new();
        for avp in avps {
            avp.encode(&mut data)?;
        }
        Ok(Self::new(code, data))
    }

    /// Returns the value as a number of 32 bits.
    pub fn number(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.data[..].try_into().ok()?))
    }

    /// Returns the value as text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.data).ok()
    }

    /// Returns the value as an address.
    pub fn address(&self) -> Option<IpAddr> {
        match *self.data.first_chunk()? {
            [0, 1] => Some(Ipv4Addr::from(<[u8; 4]>::try_from(&self.data[2..]).ok()?).into()),
            [0, 2] => Some(Ipv6Addr::from(<[u8; 16]>::try_from(&self.data[2..]).ok()?).into()),
            _ => None,
        }
    }

    /// Returns the AVPs inside a value of the type Grouped.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with one of them.
    pub fn group(&self) -> Result<Vec<Self>, Fault> {
        Self::decode_all(self.data.clone())
    }

    /// Decodes AVPs that follow each other.
    fn decode_all(mut octets: Bytes) -> Result<Vec<Self>, Fault> {
        let mut avps = Vec::new();
        while !octets.is_empty() {
            let avp = Self::decode(&mut octets)?;
            avp.check()?;
            avps.push(avp);
        }
        Ok(avps)
    }

    /// Takes the first AVP off.
    fn decode(octets: &mut Bytes) -> Result<Self, Fault> {
        if octets.len() < Self::HEADER_LEN {
            // What is missing of the header is zero in the Failed-AVP (section 7.1.5, 5014).
            let mut header = BytesMut::from(&octets[..]);
            header.resize(Self::HEADER_LEN, 0);
            let code = header.get_u32();
            return Err(Fault::invalid_length(code, header.get_u8() & !Self::VENDOR));
        }
        let whole = octets.clone();
        let (code, flags) = (octets.get_u32(), octets.get_u8());
        let length = get_u24(octets) as usize;
        let has_vendor = flags & Self::VENDOR != 0;
        let header = Self::HEADER_LEN + if has_vendor { 4 } else { 0 };
        if length < header || length > whole.len() {
            return Err(Fault::invalid_length(code, flags & !Self::VENDOR));
        }
        let vendor = has_vendor.then(|| octets.get_u32());
        let data = octets.split_to(length - header);
        // The padding of the last AVP may be missing.
        octets.advance(padding(length).min(octets.len()));
        Ok(Self {
            code,
            flags: flags & !Self::VENDOR,
            vendor,
            data,
        })
    }

    /// Checks the flags, and the value as far as its type is known.
    fn check(&self) -> Result<(), Fault> {
        let fault = |code| Err(Fault::new(code).of(self.clone()));
        if self.flags & Self::RESERVED != 0 {
            return fault(result::INVALID_AVP_BITS);
        }
        let kind = match self.vendor {
            None => Kind::of(self.code),
            Some(_) => None,
        };
        match kind {
            None if self.flags & Self::MANDATORY != 0 => fault(result::AVP_UNSUPPORTED),
            Some(kind) if !kind.has_length(&self.data) => fault(result::INVALID_AVP_LENGTH),
            Some(kind) if !kind.has_value(self) => fault(result::INVALID_AVP_VALUE),
            _ => Ok(()),
        }
    }

    fn len(&self) -> usize {
        let vendor = if self.vendor.is_some() { 4 } else { 0 };
        Self::HEADER_LEN + vendor + self.data.len()
    }

    fn padded_len(&self) -> usize {
        self.len() + padding(self.len())
    }

    fn encode(&self, octets: &mut BytesMut) -> Result<(), TooLong> {
        octets.put_u32(self.code);
        let vendor = self.vendor.map_or(0, |_| Self::VENDOR);
        octets.put_u8(self.flags & !Self::VENDOR | vendor);
        put_u24(octets, self.len())?;
        if let Some(vendor) = self.vendor {
            octets.put_u32(vendor);
        }
        octets.put_slice(&self.data);
        octets.put_bytes(0, padding(self.len()));
        Ok(())
    }
}

/// The type of a value (sections 4.2 and 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address,
    /// Values from the first to the last.
    Enumerated(u32, u32),
    Grouped,
    Octets,
    Text,
    Unsigned32,
    Unsigned64,
}

impl Kind {
    /// Returns the type of an AVP of the base protocol, or `None` if there is no such.
    const fn of(code: u32) -> Option<Self> {
        Some(match code {
            avp::HOST_IP_ADDRESS => Self::Address,
            avp::DISCONNECT_CAUSE => Self::Enumerated(0, 2),
            avp::ACCOUNTING_RECORD_TYPE => Self::Enumerated(1, 4),
            avp::VENDOR_SPECIFIC_APPLICATION_ID | 279 | 284 | 297 => Self::Grouped,
            25 | 33 | 44 => Self::Octets,
            1 | 50 | 263 | 264 | 269 | 280..=283 | 292..=294 | 296 => Self::Text,
            27
            | 55
            | 85
            | 258
            | 259
            | 265..=268
            | 270..=272
            | 274
            | 276..=278
            | 285
            | 291
            | 295
            | 298
            | 299
            | 261
            | 262
            | 483
            | 485 => Self::Unsigned32,
            287 => Self::Unsigned64,
            _ => return None,
        })
    }

    const fn min_len(self) -> usize {
        match self {
            Self::Address => 6,
            Self::Enumerated(..) | Self::Unsigned32 => 4,
            Self::Unsigned64 => 8,
            Self::Grouped | Self::Octets | Self::Text => 0,
        }
    }

    fn has_length(self, data: &[u8]) -> bool {
        match self {
            Self::Address => match data.first_chunk() {
                Some([0, 1]) => data.len() == 6,
                Some([0, 2]) => data.len() == 18,
                Some(_) => true,
                None => false,
            },
            Self::Enumerated(..) | Self::Unsigned32 | Self::Unsigned64 => {
                data.len() == self.min_len()
            }
            Self::Grouped | Self::Octets | Self::Text => true,
        }
    }

    fn has_value(self, avp: &Avp) -> bool {
        match self {
            // Other families are valid too (IANA's address family numbers), and of no use here.
            Self::Address => !matches!(avp.data.first_chunk(), Some([0, 0] | [0xff, 0xff]) | None),
            Self::Enumerated(first, last) => avp
                .number()
                .is_some_and(|number| first <= number && number <= last),
            Self::Text => avp.text().is_some(),
            Self::Grouped | Self::Octets | Self::Unsigned32 | Self::Unsigned64 => true,
        }
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

/// A fault in a message, as an answer reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Result-Code of the answer.
    pub result: u32,
    /// The AVP at fault, for Failed-AVP.
    pub failed: Option<Avp>,
}

impl Fault {
    /// Creates a fault of the message as a whole.
    #[must_use]
    pub const fn new(result: u32) -> Self {
        let failed = None;
        Self { result, failed }
    }

    /// Sets the AVP at fault.
    #[must_use]
    pub fn of(mut self, avp: Avp) -> Self {
        self.failed = Some(avp);
        self
    }

    /// The value of such an AVP is not known: it has as many zeros as its type has octets at least.
    fn invalid_length(code: u32, flags: u8) -> Self {
        let data = vec![0; Kind::of(code).map_or(0, Kind::min_len)];
        let avp = Avp {
            flags: flags & !Avp::RESERVED,
            ..Avp::new(code, data)
        };
        Self::new(result::INVALID_AVP_LENGTH).of(avp)
    }
}

/// A message or an AVP exceeds 2^24 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("message exceeds 2^24 octets")
    }
}

impl std::error::Error for TooLong {}

/// Commands.
pub mod command {
    /// Accounting.
    pub const ACCOUNTING: u32 = 271;
    /// Capabilities-Exchange.
    pub const CAPABILITIES_EXCHANGE: u32 = 257;
    /// Device-Watchdog.
    pub const DEVICE_WATCHDOG: u32 = 280;
    /// Disconnect-Peer.
    pub const DISCONNECT_PEER: u32 = 282;
}

/// Codes of AVPs.
pub mod avp {
    /// Accounting-Record-Number.
    pub const ACCOUNTING_RECORD_NUMBER: u32 = 485;
    /// Accounting-Record-Type.
    pub const ACCOUNTING_RECORD_TYPE: u32 = 480;
    /// Acct-Application-Id.
    pub const ACCT_APPLICATION_ID: u32 = 259;
    /// Auth-Application-Id.
    pub const AUTH_APPLICATION_ID: u32 = 258;
    /// Destination-Host.
    pub const DESTINATION_HOST: u32 = 293;
    /// Destination-Realm.
    pub const DESTINATION_REALM: u32 = 283;
    /// Disconnect-Cause.
    pub const DISCONNECT_CAUSE: u32 = 273;
    /// Error-Message.
    pub const ERROR_MESSAGE: u32 = 281;
    /// Failed-AVP.
    pub const FAILED_AVP: u32 = 279;
    /// Firmware-Revision.
    pub const FIRMWARE_REVISION: u32 = 267;
    /// Host-IP-Address.
    pub const HOST_IP_ADDRESS: u32 = 257;
    /// Inband-Security-Id.
    pub const INBAND_SECURITY_ID: u32 = 299;
    /// Origin-Host.
    pub const ORIGIN_HOST: u32 = 264;
    /// Origin-Realm.
    pub const ORIGIN_REALM: u32 = 296;
    /// Origin-State-Id.
    pub const ORIGIN_STATE_ID: u32 = 278;
    /// Product-Name.
    pub const PRODUCT_NAME: u32 = 269;
    /// Result-Code.
    pub const RESULT_CODE: u32 = 268;
    /// Session-Id.
    pub const SESSION_ID: u32 = 263;
    /// Proxy-Info.
    pub const PROXY_INFO: u32 = 284;
    /// Vendor-Id.
    pub const VENDOR_ID: u32 = 266;
    /// Vendor-Specific-Application-Id.
    pub const VENDOR_SPECIFIC_APPLICATION_ID: u32 = 260;
}

/// Result-Codes (section 7.1).
pub mod result {
    /// DIAMETER_APPLICATION_UNSUPPORTED.
    pub const APPLICATION_UNSUPPORTED: u32 = 3007;
    /// DIAMETER_AVP_OCCURS_TOO_MANY_TIMES.
    pub const AVP_OCCURS_TOO_MANY_TIMES: u32 = 5009;
    /// DIAMETER_AVP_UNSUPPORTED.
    pub const AVP_UNSUPPORTED: u32 = 5001;
    /// DIAMETER_COMMAND_UNSUPPORTED.
    pub const COMMAND_UNSUPPORTED: u32 = 3001;
    /// DIAMETER_ELECTION_LOST.
    pub const ELECTION_LOST: u32 = 4003;
    /// DIAMETER_INVALID_AVP_BITS.
    pub const INVALID_AVP_BITS: u32 = 3009;
    /// DIAMETER_INVALID_AVP_LENGTH.
    pub const INVALID_AVP_LENGTH: u32 = 5014;
    /// DIAMETER_INVALID_AVP_VALUE.
    pub const INVALID_AVP_VALUE: u32 = 5004;
    /// DIAMETER_INVALID_HDR_BITS.
    pub const INVALID_HDR_BITS: u32 = 3008;
    /// DIAMETER_INVALID_MESSAGE_LENGTH.
    pub const INVALID_MESSAGE_LENGTH: u32 = 5015;
    /// DIAMETER_MISSING_AVP.
    pub const MISSING_AVP: u32 = 5005;
    /// DIAMETER_NO_COMMON_APPLICATION.
    pub const NO_COMMON_APPLICATION: u32 = 5010;
    /// DIAMETER_NO_COMMON_SECURITY.
    pub const NO_COMMON_SECURITY: u32 = 5017;
    /// DIAMETER_REALM_NOT_SERVED.
    pub const REALM_NOT_SERVED: u32 = 3003;
    /// DIAMETER_SUCCESS.
    pub const SUCCESS: u32 = 2001;
    /// DIAMETER_UNABLE_TO_DELIVER.
    pub const UNABLE_TO_DELIVER: u32 = 3002;
    /// DIAMETER_UNKNOWN_PEER.
    pub const UNKNOWN_PEER: u32 = 3010;
    /// DIAMETER_UNSUPPORTED_VERSION.
    pub const UNSUPPORTED_VERSION: u32 = 5011;

    /// Returns `true` for errors of the protocol, whose answers have the flag of errors.
    #[must_use]
    pub const fn is_protocol_error(result: u32) -> bool {
        result / 1000 == 3
    }
}

/// Address families (IANA).
const IPV4: u16 = 1;
const IPV6: u16 = 2;

fn padding(length: usize) -> usize {
    length.next_multiple_of(4) - length
}

fn get_u24(octets: &mut impl Buf) -> u32 {
    let high = u32::from(octets.get_u8());
    high << 16 | u32::from(octets.get_u16())
}

fn put_u24(octets: &mut BytesMut, number: usize) -> Result<(), TooLong> {
    let number = u32::try_from(number).map_err(|_| TooLong)?;
    let [0, a, b, c] = number.to_be_bytes() else {
        return Err(TooLong);
    };
    octets.put_slice(&[a, b, c]);
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn fuzzing_corpus_decodes() {
        let corpus = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../sctp-core/fuzz/corpus/diameter"
        );
        let mut inputs = 0;
        for file in fs::read_dir(Path::new(corpus)).unwrap() {
            decode_anything(&fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 3);
    }

    fn capabilities() -> Message {
        Message::request(command::CAPABILITIES_EXCHANGE, 0, 7)
            .with(Avp::of_text(avp::ORIGIN_HOST, "a.example"))
            .with(Avp::of_address(
                avp::HOST_IP_ADDRESS,
                Ipv4Addr::LOCALHOST.into(),
            ))
            .with(Avp::of_address(
                avp::HOST_IP_ADDRESS,
                Ipv6Addr::LOCALHOST.into(),
            ))
            .with(Avp::of_text(avp::PRODUCT_NAME, "abc"))
            .with(Avp::of_number(avp::VENDOR_ID, 0))
    }

    /// The result for a message with these octets as its AVPs.
    fn result_of(avps: &[u8]) -> Fault {
        let mut octets = Message::request(1, 0, 0).encode().unwrap().to_vec();
        octets.extend(avps);
        octets.resize(octets.len().next_multiple_of(4), 0);
        let length = u32::try_from(octets.len()).unwrap().to_be_bytes();
        octets[1..4].copy_from_slice(&length[1..]);
        Message::decode(octets.into()).unwrap_err().fault
    }

    #[test]
    fn messages_round_trip() {
        let message = capabilities();
        let octets = message.encode().unwrap();
        assert_eq!(octets.len() % 4, 0);
        assert_eq!(Message::decode(octets), Ok(message.clone()));
        let addresses: Vec<_> = message.avps.iter().filter_map(Avp::address).collect();
        let expected: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(addresses, expected);
    }

    #[test]
    fn groups_round_trip() {
        let inside = [
            Avp::of_number(avp::VENDOR_ID, 10415),
            Avp::of_number(258, 1),
        ];
        let group = Avp::of_group(avp::VENDOR_SPECIFIC_APPLICATION_ID, &inside).unwrap();
        assert_eq!(group.group().unwrap(), inside);
    }

    #[test]
    fn header_errors_have_their_result() {
        let good = capabilities().encode().unwrap();
        for (at, octet, result) in [
            (0, 2, result::UNSUPPORTED_VERSION),
            (3, 4, result::INVALID_MESSAGE_LENGTH),
            (1, 1, result::INVALID_MESSAGE_LENGTH),
            (4, 0xa0, result::INVALID_HDR_BITS),
        ] {
            let mut octets = good.to_vec();
            octets[at] = octet;
            let malformed = Message::decode(octets.into()).unwrap_err();
            assert_eq!(malformed.fault.result, result, "octet {at}");
            assert_eq!(malformed.header.unwrap().end_to_end, 7);
        }
        for length in 0..good.len() {
            let malformed = Message::decode(good.slice(..length)).unwrap_err();
            assert_eq!(malformed.fault.result, result::INVALID_MESSAGE_LENGTH);
            assert_eq!(malformed.header.is_some(), length >= Header::LEN);
        }
    }

    #[test]
    fn avp_errors_have_their_result_and_the_avp() {
        let number = |flags, length, data: &[u8]| {
            [&[0, 0, 1, 16 - 6, flags, 0, 0, length], data].concat() // 266, Vendor-Id
        };
        for (avps, result) in [
            (number(0x41, 12, &[0; 4]), result::INVALID_AVP_BITS),
            (number(0x40, 7, &[0; 4]), result::INVALID_AVP_LENGTH),
            (number(0x40, 13, &[0; 4]), result::INVALID_AVP_LENGTH),
            (number(0x40, 11, &[0; 3]), result::INVALID_AVP_LENGTH),
            (number(0xc0, 8, &[]), result::INVALID_AVP_LENGTH),
            (vec![0, 0, 1, 10], result::INVALID_AVP_LENGTH),
            (number(0xc0, 12, &[0, 0, 0, 9]), result::AVP_UNSUPPORTED),
        ] {
            let fault = result_of(&avps);
            assert_eq!(fault.result, result, "{avps:?}");
            assert_eq!(fault.failed.unwrap().code, 266);
        }
        let unknown = [0, 0, 0xff, 0xff, 0x40, 0, 0, 8];
        assert_eq!(result_of(&unknown).result, result::AVP_UNSUPPORTED);
        let cause = Avp::of_number(avp::DISCONNECT_CAUSE, 3);
        let text = Avp::new(avp::ORIGIN_HOST, &b"\xff"[..]);
        let family = Avp::new(avp::HOST_IP_ADDRESS, &[0, 0, 1, 2, 3, 4][..]);
        for avp in [cause, text, family] {
            let mut octets = BytesMut::new();
            avp.encode(&mut octets).unwrap();
            let fault = result_of(&octets);
            assert_eq!(fault.result, result::INVALID_AVP_VALUE);
            assert_eq!(fault.failed, Some(avp));
        }
    }

    #[test]
    fn unknown_avps_may_be_ignored_where_they_say_so() {
        let vendor = Avp {
            code: 1,
            flags: 0,
            vendor: Some(10415),
            data: Bytes::from_static(b"abc"),
        };
        let message = capabilities().with(vendor);
        let octets = message.encode().unwrap();
        assert_eq!(Message::decode(octets), Ok(message));
    }

    #[test]
    fn missing_and_repeated_avps_are_faults() {
        let message = capabilities();
        assert_eq!(message.require(&[avp::ORIGIN_HOST]), Ok(()));
        let fault = message.require(&[avp::RESULT_CODE]).unwrap_err();
        assert_eq!(fault.result, result::MISSING_AVP);
        assert_eq!(fault.failed, Some(Avp::of_number(avp::RESULT_CODE, 0)));
        let fault = message.at_most_once(&[avp::HOST_IP_ADDRESS]).unwrap_err();
        assert_eq!(fault.result, result::AVP_OCCURS_TOO_MANY_TIMES);
    }

    #[test]
    fn too_long_messages_are_not_encoded() {
        let long = capabilities().with(Avp::new(33, vec![0; 1 << 24]));
        assert_eq!(long.encode(), Err(TooLong));
    }
}
