//! Structures and flags of the socket options.

use std::net::SocketAddr;

use super::{Field, Layout};
use crate::ids::AssocId;

#[cfg(test)]
use super::Description;

constants! {
    u16 {
        SCTP_PR_SCTP_NONE = 0,
        SCTP_PR_SCTP_ALL = 0x80,
        SCTP_STREAM_RESET_INCOMING = 0x1,
        SCTP_STREAM_RESET_OUTGOING = 0x2,
        SCTP_AUTH_HMAC_ID_SHA1 = 1,
        SCTP_AUTH_HMAC_ID_SHA256 = 3,
    }
    u32 {
        SCTP_ENABLE_RESET_STREAM_REQ = 0x1,
        SCTP_ENABLE_RESET_ASSOC_REQ = 0x2,
        SCTP_ENABLE_CHANGE_ASSOC_REQ = 0x4,
        SCTP_SS_FCFS = 0,
        SCTP_SS_PRIO = 1,
        SCTP_SS_RR = 2,
        SPP_HB_ENABLE = 0x1,
        SPP_HB_DISABLE = 0x2,
        SPP_HB_DEMAND = 0x4,
        SPP_PMTUD_ENABLE = 0x8,
        SPP_PMTUD_DISABLE = 0x10,
        SPP_SACKDELAY_ENABLE = 0x20,
        SPP_SACKDELAY_DISABLE = 0x40,
        SPP_HB_TIME_IS_ZERO = 0x80,
        SPP_IPV6_FLOWLABEL = 0x100,
        SPP_DSCP = 0x200,
    }
}

/// Stream schedulers added in Linux 6.4, which older headers lack.
pub(crate) const SCTP_SS_FC: u32 = 3;
pub(crate) const SCTP_SS_WFQ: u32 = 4;

/// Offset of a `sockaddr_storage` that follows an association id in a structure that is not packed.
///
/// It has the alignment of a pointer.
const ADDR: usize = align_of::<*const u8>();
/// Offset of the field that follows that address.
const AFTER: usize = ADDR + <Option<SocketAddr> as Field>::LEN;
/// Offset of the first 64-bit counter after that address.
const COUNTERS: usize = AFTER.next_multiple_of(align_of::<u64>());

layouts! {
    RtoInfo: "struct sctp_rtoinfo", 16, {
        assoc: AssocId = "srto_assoc_id" @ 0,
        initial: u32 = "srto_initial" @ 4,
        max: u32 = "srto_max" @ 8,
        min: u32 = "srto_min" @ 12,
    }
    AssocParams: "struct sctp_assocparams", 20, {
        assoc: AssocId = "sasoc_assoc_id" @ 0,
        max_retransmissions: u16 = "sasoc_asocmaxrxt" @ 4,
        peer_paths: u16 = "sasoc_number_peer_destinations" @ 6,
        peer_rwnd: u32 = "sasoc_peer_rwnd" @ 8,
        local_rwnd: u32 = "sasoc_local_rwnd" @ 12,
        cookie_life: u32 = "sasoc_cookie_life" @ 16,
    }
    SackInfo: "struct sctp_sack_info", 12, {
        assoc: AssocId = "sack_assoc_id" @ 0,
        delay: u32 = "sack_delay" @ 4,
        frequency: u32 = "sack_freq" @ 8,
    }
    /// Packed: nothing behind `spp_pathmaxrxt` is aligned.
    PeerAddrParams: "struct sctp_paddrparams", 156, {
        assoc: AssocId = "spp_assoc_id" @ 0,
        addr: Option<SocketAddr> = "spp_address" @ 4,
        heartbeat_interval: u32 = "spp_hbinterval" @ 132,
        max_retransmissions: u16 = "spp_pathmaxrxt" @ 136,
        mtu: u32 = "spp_pathmtu" @ 138,
        sack_delay: u32 = "spp_sackdelay" @ 142,
        flags: u32 = "spp_flags" @ 146,
        flow_label: u32 = "spp_ipv6_flowlabel" @ 150,
        dscp: u8 = "spp_dscp" @ 154,
    }
    Prim: "struct sctp_prim", 132, {
        assoc: AssocId = "ssp_assoc_id" @ 0,
        addr: Option<SocketAddr> = "ssp_addr" @ 4,
    }
    SetPeerPrim: "struct sctp_setpeerprim", 132, {
        assoc: AssocId = "sspp_assoc_id" @ 0,
        addr: Option<SocketAddr> = "sspp_addr" @ 4,
    }
    Thresholds: "struct sctp_paddrthlds", (AFTER + 4).next_multiple_of(ADDR), {
        assoc: AssocId = "spt_assoc_id" @ 0,
        addr: Option<SocketAddr> = "spt_address" @ ADDR,
        max_retransmissions: u16 = "spt_pathmaxrxt" @ AFTER,
        potentially_failed: u16 = "spt_pathpfthld" @ AFTER + 2,
    }
    ThresholdsV2: "struct sctp_paddrthlds_v2", (AFTER + 6).next_multiple_of(ADDR), {
        assoc: AssocId = "spt_assoc_id" @ 0,
        addr: Option<SocketAddr> = "spt_address" @ ADDR,
        max_retransmissions: u16 = "spt_pathmaxrxt" @ AFTER,
        potentially_failed: u16 = "spt_pathpfthld" @ AFTER + 2,
        switchover: u16 = "spt_pathcpthld" @ AFTER + 4,
    }
    UdpEncaps: "struct sctp_udpencaps", (AFTER + 2).next_multiple_of(ADDR), {
        assoc: AssocId = "sue_assoc_id" @ 0,
        addr: Option<SocketAddr> = "sue_address" @ ADDR,
        port: u16 = "sue_port" @ AFTER,
    }
    ProbeInterval: "struct sctp_probeinterval", (AFTER + 4).next_multiple_of(ADDR), {
        assoc: AssocId = "spi_assoc_id" @ 0,
        addr: Option<SocketAddr> = "spi_address" @ ADDR,
        interval: u32 = "spi_interval" @ AFTER,
    }
    SndInfo: "struct sctp_sndinfo", 16, {
        stream: u16 = "snd_sid" @ 0,
        flags: u16 = "snd_flags" @ 2,
        ppid: u32 = "snd_ppid" @ 4,
        context: u32 = "snd_context" @ 8,
        assoc: AssocId = "snd_assoc_id" @ 12,
    }
    DefaultPrInfo: "struct sctp_default_prinfo", 12, {
        assoc: AssocId = "pr_assoc_id" @ 0,
        value: u32 = "pr_value" @ 4,
        policy: u16 = "pr_policy" @ 8,
    }
    PrStatus: "struct sctp_prstatus", 24, {
        assoc: AssocId = "sprstat_assoc_id" @ 0,
        stream: u16 = "sprstat_sid" @ 4,
        policy: u16 = "sprstat_policy" @ 6,
        abandoned_unsent: u64 = "sprstat_abandoned_unsent" @ 8,
        abandoned_sent: u64 = "sprstat_abandoned_sent" @ 16,
    }
    AuthKeyId: "struct sctp_authkeyid", 8, {
        assoc: AssocId = "scact_assoc_id" @ 0,
        key: u16 = "scact_keynumber" @ 4,
    }
    AddStreams: "struct sctp_add_streams", 8, {
        assoc: AssocId = "sas_assoc_id" @ 0,
        inbound: u16 = "sas_instrms" @ 4,
        outbound: u16 = "sas_outstrms" @ 6,
    }
    StreamValue: "struct sctp_stream_value", 8, {
        assoc: AssocId = "assoc_id" @ 0,
        stream: u16 = "stream_id" @ 4,
        value: u16 = "stream_value" @ 6,
    }
    AssocStats: "struct sctp_assoc_stats", COUNTERS + 15 * 8, {
        assoc: AssocId = "sas_assoc_id" @ 0,
        max_rto_addr: Option<SocketAddr> = "sas_obs_rto_ipaddr" @ ADDR,
        max_rto: u64 = "sas_maxrto" @ COUNTERS,
        sacks_received: u64 = "sas_isacks" @ COUNTERS + 8,
        sacks_sent: u64 = "sas_osacks" @ COUNTERS + 16,
        packets_sent: u64 = "sas_opackets" @ COUNTERS + 24,
        packets_received: u64 = "sas_ipackets" @ COUNTERS + 32,
        retransmitted_chunks: u64 = "sas_rtxchunks" @ COUNTERS + 40,
        out_of_sequence_tsns: u64 = "sas_outofseqtsns" @ COUNTERS + 48,
        duplicate_chunks_received: u64 = "sas_idupchunks" @ COUNTERS + 56,
        gap_acks_received: u64 = "sas_gapcnt" @ COUNTERS + 64,
        unordered_chunks_sent: u64 = "sas_ouodchunks" @ COUNTERS + 72,
        unordered_chunks_received: u64 = "sas_iuodchunks" @ COUNTERS + 80,
        ordered_chunks_sent: u64 = "sas_oodchunks" @ COUNTERS + 88,
        ordered_chunks_received: u64 = "sas_iodchunks" @ COUNTERS + 96,
        control_chunks_sent: u64 = "sas_octrlchunks" @ COUNTERS + 104,
        control_chunks_received: u64 = "sas_ictrlchunks" @ COUNTERS + 112,
    }
}
