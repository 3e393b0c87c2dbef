//! Numbers and structure layouts of the kernel (`<linux/sctp.h>`).
//!
//! Structures are encoded and decoded field by field at stated offsets instead of through `repr(C)`
//! types. Five structs of the header are `packed, aligned(4)`, which Rust cannot express, and a
//! wrong layout would silently return wrong values. A test compares every offset and size with the
//! header (`abi/tests.rs`).

use std::net::SocketAddr;

use crate::{ids::AssocId, sockaddr};

pub(crate) const IPPROTO_SCTP: i32 = 132;
pub(crate) const SOL_SCTP: i32 = 132;

/// Declares constants of the header and lists them for the test.
macro_rules! constants {
    ($($kind:ty { $($name:ident = $value:literal,)* })*) => {
        $($(pub(crate) const $name: $kind = $value;)*)*

        #[cfg(test)]
        pub(crate) const CONSTANTS: &[(&str, i64)] = &[$($((stringify!($name), $value),)*)*];
    };
}

constants! {
    i32 {
        SCTP_RTOINFO = 0,
        SCTP_ASSOCINFO = 1,
        SCTP_INITMSG = 2,
        SCTP_NODELAY = 3,
        SCTP_AUTOCLOSE = 4,
        SCTP_SET_PEER_PRIMARY_ADDR = 5,
        SCTP_PRIMARY_ADDR = 6,
        SCTP_ADAPTATION_LAYER = 7,
        SCTP_DISABLE_FRAGMENTS = 8,
        SCTP_PEER_ADDR_PARAMS = 9,
        SCTP_EVENTS = 11,
        SCTP_I_WANT_MAPPED_V4_ADDR = 12,
        SCTP_MAXSEG = 13,
        SCTP_STATUS = 14,
        SCTP_GET_PEER_ADDR_INFO = 15,
        SCTP_DELAYED_SACK = 16,
        SCTP_CONTEXT = 17,
        SCTP_FRAGMENT_INTERLEAVE = 18,
        SCTP_PARTIAL_DELIVERY_POINT = 19,
        SCTP_MAX_BURST = 20,
        SCTP_AUTH_CHUNK = 21,
        SCTP_HMAC_IDENT = 22,
        SCTP_AUTH_KEY = 23,
        SCTP_AUTH_ACTIVE_KEY = 24,
        SCTP_AUTH_DELETE_KEY = 25,
        SCTP_PEER_AUTH_CHUNKS = 26,
        SCTP_LOCAL_AUTH_CHUNKS = 27,
        SCTP_GET_ASSOC_NUMBER = 28,
        SCTP_GET_ASSOC_ID_LIST = 29,
        SCTP_AUTO_ASCONF = 30,
        SCTP_PEER_ADDR_THLDS = 31,
        SCTP_RECVRCVINFO = 32,
        SCTP_RECVNXTINFO = 33,
        SCTP_DEFAULT_SNDINFO = 34,
        SCTP_AUTH_DEACTIVATE_KEY = 35,
        SCTP_REUSE_PORT = 36,
        SCTP_PEER_ADDR_THLDS_V2 = 37,
        SCTP_SOCKOPT_BINDX_ADD = 100,
        SCTP_SOCKOPT_BINDX_REM = 101,
        SCTP_GET_PEER_ADDRS = 108,
        SCTP_GET_LOCAL_ADDRS = 109,
        SCTP_SOCKOPT_CONNECTX3 = 111,
        SCTP_GET_ASSOC_STATS = 112,
        SCTP_PR_SUPPORTED = 113,
        SCTP_DEFAULT_PRINFO = 114,
        SCTP_PR_ASSOC_STATUS = 115,
        SCTP_PR_STREAM_STATUS = 116,
        SCTP_RECONFIG_SUPPORTED = 117,
        SCTP_ENABLE_STREAM_RESET = 118,
        SCTP_RESET_STREAMS = 119,
        SCTP_RESET_ASSOC = 120,
        SCTP_ADD_STREAMS = 121,
        SCTP_SOCKOPT_PEELOFF_FLAGS = 122,
        SCTP_STREAM_SCHEDULER = 123,
        SCTP_STREAM_SCHEDULER_VALUE = 124,
        SCTP_INTERLEAVING_SUPPORTED = 125,
        SCTP_EVENT = 127,
        SCTP_ASCONF_SUPPORTED = 128,
        SCTP_AUTH_SUPPORTED = 129,
        SCTP_ECN_SUPPORTED = 130,
        SCTP_EXPOSE_POTENTIALLY_FAILED_STATE = 131,
        SCTP_REMOTE_UDP_ENCAPS_PORT = 132,
        SCTP_PLPMTUD_PROBE_INTERVAL = 133,
        SCTP_SNDINFO = 2,
        SCTP_RCVINFO = 3,
        SCTP_NXTINFO = 4,
        SCTP_PRINFO = 5,
        SCTP_AUTHINFO = 6,
        MSG_NOTIFICATION = 0x8000,
    }
    u16 {
        SCTP_UNORDERED = 0x1,
        SCTP_ABORT = 0x4,
        SCTP_SACK_IMMEDIATELY = 0x8,
        SCTP_SENDALL = 0x40,
        SCTP_EOF = 0x200,
        SCTP_PR_SCTP_TTL = 0x10,
        SCTP_PR_SCTP_RTX = 0x20,
        SCTP_PR_SCTP_PRIO = 0x30,
        SCTP_PR_SCTP_MASK = 0x30,
        SCTP_ASSOC_CHANGE = 0x8001,
        SCTP_PEER_ADDR_CHANGE = 0x8002,
        SCTP_SEND_FAILED = 0x8003,
        SCTP_REMOTE_ERROR = 0x8004,
        SCTP_SHUTDOWN_EVENT = 0x8005,
        SCTP_PARTIAL_DELIVERY_EVENT = 0x8006,
        SCTP_ADAPTATION_INDICATION = 0x8007,
        SCTP_AUTHENTICATION_EVENT = 0x8008,
        SCTP_SENDER_DRY_EVENT = 0x8009,
        SCTP_STREAM_RESET_EVENT = 0x800a,
        SCTP_ASSOC_RESET_EVENT = 0x800b,
        SCTP_STREAM_CHANGE_EVENT = 0x800c,
        SCTP_SEND_FAILED_EVENT = 0x800d,
    }
}

/// Field of a kernel structure.
pub(crate) trait Field: Sized {
    const LEN: usize;
    /// Writes the value into exactly `LEN` bytes.
    fn put(&self, into: &mut [u8]);
    /// Reads the value from exactly `LEN` bytes.
    fn get(from: &[u8]) -> Self;
}

macro_rules! integer_fields {
    ($($kind:ty)*) => {$(
        impl Field for $kind {
            const LEN: usize = size_of::<$kind>();

            fn put(&self, into: &mut [u8]) {
                into.copy_from_slice(&self.to_ne_bytes());
            }

            fn get(from: &[u8]) -> Self {
                from.first_chunk().map(|bytes| Self::from_ne_bytes(*bytes)).unwrap_or_default()
            }
        }
    )*};
}

integer_fields! { u8 u16 u32 u64 i32 }

impl Field for AssocId {
    const LEN: usize = 4;

    fn put(&self, into: &mut [u8]) {
        self.get().put(into);
    }

    fn get(from: &[u8]) -> Self {
        Self::new(Field::get(from))
    }
}

/// A `struct sockaddr_storage`. `None` is the unspecified family.
impl Field for Option<SocketAddr> {
    const LEN: usize = sockaddr::STORAGE_LEN;

    fn put(&self, into: &mut [u8]) {
        into.copy_from_slice(&sockaddr::encode_storage(*self));
    }

    fn get(from: &[u8]) -> Self {
        sockaddr::decode_storage(from)
    }
}

/// Structure with a fixed layout.
pub(crate) trait Layout: Sized {
    /// Encodes the structure. Padding is zero.
    fn encode(&self) -> Vec<u8>;
    /// Decodes the structure. Returns `None` if there are too few bytes.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Name and size of a C structure, and the name, offset and width of each field.
#[cfg(test)]
pub(crate) type Description = (&'static str, usize, &'static [(&'static str, usize, usize)]);

/// Declares structures by C name, size and offsets, and lists them for the test.
macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident: $c_name:literal, $size:expr, {
        $($field:ident: $kind:ty = $c_field:literal @ $offset:expr,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default)]
            pub(crate) struct $name {
                $(pub(crate) $field: $kind,)*
            }

            impl Layout for $name {
                fn encode(&self) -> Vec<u8> {
                    let mut bytes = vec![0; $size];
                    $(self.$field.put(&mut bytes[$offset..][..<$kind as Field>::LEN]);)*
                    bytes
                }

                fn decode(bytes: &[u8]) -> Option<Self> {
                    let bytes = bytes.get(..$size)?;
                    Some(Self {
                        $($field: Field::get(&bytes[$offset..][..<$kind as Field>::LEN]),)*
                    })
                }
            }
        )*

        #[cfg(test)]
        pub(crate) const LAYOUTS: &[Description] = &[
            $(($c_name, $size, &[$(($c_field, $offset, <$kind as Field>::LEN),)*]),)*
        ];
    };
}

mod options;
#[cfg(test)]
mod tests;

pub(crate) use options::*;

layouts! {
    AssocValue: "struct sctp_assoc_value", 8, {
        assoc: AssocId = "assoc_id" @ 0,
        value: u32 = "assoc_value" @ 4,
    }
    Event: "struct sctp_event", 8, {
        assoc: AssocId = "se_assoc_id" @ 0,
        kind: u16 = "se_type" @ 4,
        on: u8 = "se_on" @ 6,
    }
    InitMsg: "struct sctp_initmsg", 8, {
        outbound_streams: u16 = "sinit_num_ostreams" @ 0,
        max_inbound_streams: u16 = "sinit_max_instreams" @ 2,
        max_attempts: u16 = "sinit_max_attempts" @ 4,
        max_timeout: u16 = "sinit_max_init_timeo" @ 6,
    }
    PeelOffFlags: "sctp_peeloff_flags_arg_t", 12, {
        assoc: AssocId = "p_arg.associd" @ 0,
        descriptor: i32 = "p_arg.sd" @ 4,
        flags: u32 = "flags" @ 8,
    }
    RcvInfo: "struct sctp_rcvinfo", 28, {
        stream: u16 = "rcv_sid" @ 0,
        ssn: u16 = "rcv_ssn" @ 2,
        flags: u16 = "rcv_flags" @ 4,
        ppid: u32 = "rcv_ppid" @ 8,
        tsn: u32 = "rcv_tsn" @ 12,
        cumulative_tsn: u32 = "rcv_cumtsn" @ 16,
        context: u32 = "rcv_context" @ 20,
        assoc: AssocId = "rcv_assoc_id" @ 24,
    }
    NxtInfo: "struct sctp_nxtinfo", 16, {
        stream: u16 = "nxt_sid" @ 0,
        flags: u16 = "nxt_flags" @ 2,
        ppid: u32 = "nxt_ppid" @ 4,
        length: u32 = "nxt_length" @ 8,
        assoc: AssocId = "nxt_assoc_id" @ 12,
    }
    PeerAddrInfo: "struct sctp_paddrinfo", 152, {
        assoc: AssocId = "spinfo_assoc_id" @ 0,
        addr: Option<SocketAddr> = "spinfo_address" @ 4,
        state: i32 = "spinfo_state" @ 132,
        cwnd: u32 = "spinfo_cwnd" @ 136,
        srtt: u32 = "spinfo_srtt" @ 140,
        rto: u32 = "spinfo_rto" @ 144,
        mtu: u32 = "spinfo_mtu" @ 148,
    }
    Status: "struct sctp_status", 176, {
        assoc: AssocId = "sstat_assoc_id" @ 0,
        state: i32 = "sstat_state" @ 4,
        rwnd: u32 = "sstat_rwnd" @ 8,
        unacknowledged: u16 = "sstat_unackdata" @ 12,
        pending: u16 = "sstat_penddata" @ 14,
        inbound_streams: u16 = "sstat_instrms" @ 16,
        outbound_streams: u16 = "sstat_outstrms" @ 18,
        fragmentation_point: u32 = "sstat_fragmentation_point" @ 20,
        primary_assoc: AssocId = "sstat_primary.spinfo_assoc_id" @ 24,
        primary_addr: Option<SocketAddr> = "sstat_primary.spinfo_address" @ 28,
        primary_state: i32 = "sstat_primary.spinfo_state" @ 156,
        primary_cwnd: u32 = "sstat_primary.spinfo_cwnd" @ 160,
        primary_srtt: u32 = "sstat_primary.spinfo_srtt" @ 164,
        primary_rto: u32 = "sstat_primary.spinfo_rto" @ 168,
        primary_mtu: u32 = "sstat_primary.spinfo_mtu" @ 172,
    }
}
