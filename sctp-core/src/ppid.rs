//! Payload protocol identifiers.

use std::fmt;

/// Payload protocol identifier, in host byte order (RFC 9260 section 3.3.1).
///
/// The kernel neither reads nor swaps the identifier. By convention it travels in network byte
/// order. This crate converts it, so a value here equals the value that a protocol analyser shows.
/// The constants are common entries of the IANA registry "SCTP Payload Protocol Identifiers";
/// [`Ppid::new`] takes any other number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ppid(u32);

macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl Ppid {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            const NAMES: &'static [(u32, &'static str)] = &[$(($value, stringify!($name)),)*];
        }
    };
}

registry! {
    /// No identifier (0).
    UNSPECIFIED = 0;
    /// ISDN Q.921 User Adaptation (RFC 4233).
    IUA = 1;
    /// MTP2 User Adaptation (RFC 3331).
    M2UA = 2;
    /// MTP3 User Adaptation (RFC 4666).
    M3UA = 3;
    /// SCCP User Adaptation (RFC 3868).
    SUA = 4;
    /// MTP2 User Peer-to-Peer Adaptation (RFC 4165).
    M2PA = 5;
    /// V5.2 User Adaptation (RFC 3807).
    V5UA = 6;
    /// H.248.
    H248 = 7;
    /// BICC (Q.2150.3).
    BICC = 8;
    /// S1 Application Protocol (3GPP TS 36.413).
    S1AP = 18;
    /// X2 Application Protocol (3GPP TS 36.423).
    X2AP = 27;
    /// Diameter in clear text (RFC 6733).
    DIAMETER = 46;
    /// Diameter in DTLS over SCTP (RFC 6733).
    DIAMETER_DTLS = 47;
    /// WebRTC data channel establishment (RFC 8832).
    WEBRTC_DCEP = 50;
    /// WebRTC string (RFC 8831).
    WEBRTC_STRING = 51;
    /// WebRTC binary (RFC 8831).
    WEBRTC_BINARY = 53;
    /// NG Application Protocol (3GPP TS 38.413).
    NGAP = 60;
    /// Xn Application Protocol (3GPP TS 38.423).
    XNAP = 61;
    /// F1 Application Protocol (3GPP TS 38.473).
    F1AP = 62;
    /// E1 Application Protocol (3GPP TS 37.483).
    E1AP = 64;
}

impl Ppid {
    /// Creates an identifier from a number in host byte order.
    #[must_use]
    pub const fn new(ppid: u32) -> Self {
        Self(ppid)
    }

    /// Returns the identifier in host byte order.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the identifier in the byte order of the kernel's structures.
    pub(crate) const fn to_wire(self) -> u32 {
        self.0.to_be()
    }

    /// Converts an identifier from the byte order of the kernel's structures.
    pub(crate) const fn from_wire(wire: u32) -> Self {
        Self(u32::from_be(wire))
    }
}

impl fmt::Debug for Ppid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(value, _)| *value == self.0) {
            Some((_, name)) => write!(f, "Ppid({} {name})", self.0),
            None => write!(f, "Ppid({})", self.0),
        }
    }
}

impl fmt::Display for Ppid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u32> for Ppid {
    fn from(ppid: u32) -> Self {
        Self(ppid)
    }
}

impl From<Ppid> for u32 {
    fn from(ppid: Ppid) -> Self {
        ppid.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_is_in_network_byte_order() {
        assert_eq!(Ppid::DIAMETER.to_wire().to_ne_bytes(), [0, 0, 0, 46]);
        assert_eq!(
            Ppid::from_wire(u32::from_ne_bytes([0, 0, 0, 60])),
            Ppid::NGAP
        );
    }

    #[test]
    fn debug_names_registered_identifiers() {
        assert_eq!(format!("{:?}", Ppid::NGAP), "Ppid(60 NGAP)");
        assert_eq!(format!("{:?}", Ppid::new(4711)), "Ppid(4711)");
    }
}
