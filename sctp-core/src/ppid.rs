//! Payload protocol identifiers.

use std::{error::Error, fmt, str::FromStr};

/// Payload protocol identifier, in host byte order (RFC 9260 section 3.3.1).
///
/// The kernel passes the identifier through without conversion. By convention it is in network byte
/// order on the wire. This crate converts it, so the value is the one that a protocol analyser
/// shows. The constants are entries of the IANA registry "SCTP Payload Protocol Identifiers";
/// [`Ppid::new`] accepts any number.
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
    /// Transport Adapter Layer Interface (RFC 3094).
    TALI = 9;
    /// DPNSS/DASS 2 extensions to IUA (RFC 4129).
    DUA = 10;
    /// Aggregate Server Access Protocol (RFC 5352).
    ASAP = 11;
    /// Endpoint Handlespace Redundancy Protocol (RFC 5353).
    ENRP = 12;
    /// H.323.
    H323 = 13;
    /// Q.IPC (Q.2150.3).
    QIPC = 14;
    /// Simple Middlebox Configuration Protocol (RFC 4540).
    SIMCO = 15;
    /// Direct Data Placement, segment chunk (RFC 5043).
    DDP_SEGMENT = 16;
    /// Direct Data Placement, stream session control (RFC 5043).
    DDP_STREAM = 17;
    /// S1 Application Protocol (3GPP TS 36.413).
    S1AP = 18;
    /// RANAP User Adaptation (3GPP TS 25.468).
    RUA = 19;
    /// Home Node B Application Protocol (3GPP TS 25.469).
    HNBAP = 20;
    /// ForCES, high priority (RFC 5811).
    FORCES_HP = 21;
    /// ForCES, medium priority (RFC 5811).
    FORCES_MP = 22;
    /// ForCES, low priority (RFC 5811).
    FORCES_LP = 23;
    /// SBc Application Protocol (3GPP TS 29.168).
    SBC_AP = 24;
    /// Node B Application Part (3GPP TS 25.433).
    NBAP = 25;
    /// X2 Application Protocol (3GPP TS 36.423).
    X2AP = 27;
    /// Inter Router Capability Protocol.
    IRCP = 28;
    /// LCS Application Protocol (3GPP TS 29.171).
    LCS_AP = 29;
    /// MPICH2.
    MPICH2 = 30;
    /// Service Area Broadcast Protocol (3GPP TS 25.419).
    SABP = 31;
    /// Fractal Generator Protocol.
    FRACTAL_GENERATOR = 32;
    /// Ping Pong Protocol.
    PING_PONG = 33;
    /// CalcApp Protocol.
    CALCAPP = 34;
    /// Scripting Service Protocol.
    SCRIPTING_SERVICE = 35;
    /// NetPerfMeter, control.
    NETPERFMETER_CONTROL = 36;
    /// NetPerfMeter, data.
    NETPERFMETER_DATA = 37;
    /// Echo (RFC 862).
    ECHO = 38;
    /// Discard (RFC 863).
    DISCARD = 39;
    /// Daytime (RFC 867).
    DAYTIME = 40;
    /// Character Generator (RFC 864).
    CHARGEN = 41;
    /// RNSAP User Adaptation (3GPP TS 25.471).
    RNA = 42;
    /// M2 Application Protocol (3GPP TS 36.443).
    M2AP = 43;
    /// M3 Application Protocol (3GPP TS 36.444).
    M3AP = 44;
    /// SSH.
    SSH = 45;
    /// Diameter in clear text (RFC 6733).
    DIAMETER = 46;
    /// Diameter in DTLS over SCTP (RFC 6733).
    DIAMETER_DTLS = 47;
    /// R14P.
    R14P = 48;
    /// Generic Data Transfer Protocol.
    GDT = 49;
    /// WebRTC data channel establishment (RFC 8832).
    WEBRTC_DCEP = 50;
    /// WebRTC string (RFC 8831).
    WEBRTC_STRING = 51;
    /// WebRTC binary, partial. Deprecated (RFC 8831).
    WEBRTC_BINARY_PARTIAL = 52;
    /// WebRTC binary (RFC 8831).
    WEBRTC_BINARY = 53;
    /// WebRTC string, partial. Deprecated (RFC 8831).
    WEBRTC_STRING_PARTIAL = 54;
    /// PCAP User Adaptation (3GPP TS 25.470).
    PUA = 55;
    /// WebRTC string, empty (RFC 8831).
    WEBRTC_STRING_EMPTY = 56;
    /// WebRTC binary, empty (RFC 8831).
    WEBRTC_BINARY_EMPTY = 57;
    /// Xw Application Protocol (3GPP TS 36.463).
    XWAP = 58;
    /// Xw control plane.
    XW_CP = 59;
    /// NG Application Protocol (3GPP TS 38.413).
    NGAP = 60;
    /// Xn Application Protocol (3GPP TS 38.423).
    XNAP = 61;
    /// F1 Application Protocol (3GPP TS 38.473).
    F1AP = 62;
    /// E1 Application Protocol (3GPP TS 37.483).
    E1AP = 64;
    /// ELE2 Lawful Interception.
    ELE2 = 65;
    /// NGAP over DTLS over SCTP (3GPP TS 38.412).
    NGAP_DTLS = 66;
    /// XnAP over DTLS over SCTP (3GPP TS 38.422).
    XNAP_DTLS = 67;
    /// F1AP over DTLS over SCTP (3GPP TS 38.472).
    F1AP_DTLS = 68;
    /// E1AP over DTLS over SCTP (3GPP TS 37.482).
    E1AP_DTLS = 69;
    /// E2 control plane (O-RAN).
    E2_CP = 70;
    /// E2 user plane (O-RAN).
    E2_UP = 71;
    /// E2 of a DU (O-RAN).
    E2_DU = 72;
    /// W1 Application Protocol (3GPP TS 37.473).
    W1AP = 73;
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

    /// Returns the name of the identifier's constant, or `None` if it has none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let known = Self::NAMES.iter().find(|(value, _)| *value == self.0)?;
        Some(known.1)
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
        match self.name() {
            Some(name) => write!(f, "Ppid({} {name})", self.0),
            None => write!(f, "Ppid({})", self.0),
        }
    }
}

impl fmt::Display for Ppid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parses a decimal number, or the name of a constant: `60`, `NGAP`, `ngap`, `diameter-dtls`.
impl FromStr for Ppid {
    type Err = ParsePpidError;

    fn from_str(text: &str) -> Result<Self, ParsePpidError> {
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        let name = text.to_ascii_uppercase().replace('-', "_");
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        match known {
            Some((value, _)) => Ok(Self(*value)),
            None => Err(ParsePpidError(())),
        }
    }
}

/// Error returned when a [`Ppid`] cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePpidError(());

impl fmt::Display for ParsePpidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a 32-bit number nor the name of a payload protocol identifier")
    }
}

impl Error for ParsePpidError {}

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

    #[test]
    fn numbers_and_names_are_parsed() {
        for (text, ppid) in [
            ("0", Ppid::UNSPECIFIED),
            ("4294967295", Ppid::new(u32::MAX)),
            ("NGAP", Ppid::NGAP),
            ("s1ap", Ppid::S1AP),
            ("diameter-dtls", Ppid::DIAMETER_DTLS),
            ("Diameter_DTLS", Ppid::DIAMETER_DTLS),
        ] {
            assert_eq!(text.parse(), Ok(ppid), "{text}");
        }
        for text in ["", "-1", "4294967296", "0x3c", "ngapp", " ngap"] {
            assert_eq!(text.parse::<Ppid>(), Err(ParsePpidError(())), "{text}");
        }
    }

    #[test]
    fn registry_is_in_order() {
        assert!(Ppid::NAMES.is_sorted_by(|(first, _), (second, _)| first < second));
    }
}
