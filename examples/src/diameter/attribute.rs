//! Attributes and their values, and faults in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    codes::{avp, result},
    wire::{TooLong, get_u24, padding, put_u24},
};

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
    pub(super) fn decode_all(mut octets: Bytes) -> Result<Vec<Self>, Fault> {
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

    pub(super) fn padded_len(&self) -> usize {
        self.len() + padding(self.len())
    }

    pub(super) fn encode(&self, octets: &mut BytesMut) -> Result<(), TooLong> {
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

/// Returns the first AVP with a code of the base protocol.
pub fn find(avps: &[Avp], code: u32) -> Option<&Avp> {
    let mut avps = avps.iter();
    avps.find(|avp| avp.code == code && avp.vendor.is_none())
}

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

/// The type of a value (sections 4.2 and 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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
    pub(super) const fn of(code: u32) -> Option<Self> {
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

    pub(super) const fn min_len(self) -> usize {
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

/// Address families (IANA).
const IPV4: u16 = 1;
const IPV6: u16 = 2;
