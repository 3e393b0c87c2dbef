//! Encoding and decoding of ancillary data (RFC 6458 section 5.3).

use crate::{
    abi::{self, Layout},
    ids::{AssocId, StreamId},
    info::{NextInfo, RecvInfo, SendInfo},
    ppid::Ppid,
};

// struct cmsghdr { size_t cmsg_len; int cmsg_level; int cmsg_type; }, aligned as size_t.
const ALIGN: usize = size_of::<usize>();
const HEADER_LEN: usize = ALIGN + 8;

const fn cmsg_space(data: usize) -> usize {
    (HEADER_LEN + data).next_multiple_of(ALIGN)
}

/// Space for all ancillary data of a send: SNDINFO, PRINFO and AUTHINFO.
pub(crate) const SEND_SPACE: usize = cmsg_space(16) + cmsg_space(8) + cmsg_space(2);

/// Space for all ancillary data of a receive: RCVINFO, NXTINFO and an optional time stamp.
pub(crate) const RECV_SPACE: usize = 192;

/// Ancillary data of one send.
#[derive(Debug)]
pub(crate) struct SendControl {
    // Not aligned like a `cmsghdr`, because the kernel copies the bytes first.
    bytes: [u8; SEND_SPACE],
    len: usize,
}

impl SendControl {
    /// Encodes the parameters of a message.
    ///
    /// `flags` holds bits that a [`SendInfo`] has no field for: EOF, ABORT, SENDALL.
    pub(crate) fn new(assoc: AssocId, info: &SendInfo, flags: u16) -> Self {
        let mut control = Self {
            bytes: [0; SEND_SPACE],
            len: 0,
        };
        let flags = flags
            | if info.unordered {
                abi::SCTP_UNORDERED
            } else {
                0
            }
            | if info.sack_immediately {
                abi::SCTP_SACK_IMMEDIATELY
            } else {
                0
            };
        let mut sndinfo = [0; 16];
        sndinfo[0..2].copy_from_slice(&info.stream.get().to_ne_bytes());
        sndinfo[2..4].copy_from_slice(&flags.to_ne_bytes());
        sndinfo[4..8].copy_from_slice(&info.ppid.to_wire().to_ne_bytes());
        sndinfo[8..12].copy_from_slice(&info.context.to_ne_bytes());
        sndinfo[12..16].copy_from_slice(&assoc.get().to_ne_bytes());
        control.push(abi::SCTP_SNDINFO, &sndinfo);
        if let Some((policy, value)) = info.reliability.to_prinfo() {
            let mut prinfo = [0; 8];
            prinfo[0..2].copy_from_slice(&policy.to_ne_bytes());
            prinfo[4..8].copy_from_slice(&value.to_ne_bytes());
            control.push(abi::SCTP_PRINFO, &prinfo);
        }
        if let Some(key) = info.auth_key {
            control.push(abi::SCTP_AUTHINFO, &key.to_ne_bytes());
        }
        control
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends one control message. `SEND_SPACE` suffices for each kind once.
    fn push(&mut self, kind: i32, data: &[u8]) {
        let into = &mut self.bytes[self.len..];
        let len = HEADER_LEN + data.len();
        into[..ALIGN].copy_from_slice(&len.to_ne_bytes());
        into[ALIGN..ALIGN + 4].copy_from_slice(&abi::SOL_SCTP.to_ne_bytes());
        into[ALIGN + 4..HEADER_LEN].copy_from_slice(&kind.to_ne_bytes());
        into[HEADER_LEN..len].copy_from_slice(data);
        self.len += cmsg_space(data.len());
    }
}

/// Decoded ancillary data of a received message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecvControl {
    pub(crate) info: Option<RecvInfo>,
    pub(crate) next: Option<NextInfo>,
}

impl RecvControl {
    /// Decodes the control messages.
    ///
    /// Other levels and types are skipped. An invalid length ends the decoding.
    pub(crate) fn decode(mut bytes: &[u8]) -> Self {
        let mut control = Self::default();
        while let Some((level, kind, data, rest)) = split_first(bytes) {
            match (level, kind) {
                (abi::SOL_SCTP, abi::SCTP_RCVINFO) => control.info = decode_rcvinfo(data),
                (abi::SOL_SCTP, abi::SCTP_NXTINFO) => control.next = decode_nxtinfo(data),
                _ => {}
            }
            bytes = rest;
        }
        control
    }
}

fn split_first(bytes: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    let len = usize::from_ne_bytes(*bytes.first_chunk()?);
    let level = i32::from_ne_bytes(*bytes.get(ALIGN..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*bytes.get(ALIGN + 4..)?.first_chunk()?);
    let data = bytes.get(HEADER_LEN..len)?;
    // The last control message may lack its padding.
    let rest = len
        .checked_next_multiple_of(ALIGN)
        .and_then(|next| bytes.get(next..));
    Some((level, kind, data, rest.unwrap_or_default()))
}

fn decode_rcvinfo(data: &[u8]) -> Option<RecvInfo> {
    let raw = abi::RcvInfo::decode(data)?;
    Some(RecvInfo {
        assoc: raw.assoc,
        stream: StreamId::new(raw.stream),
        ssn: raw.ssn,
        ppid: Ppid::from_wire(raw.ppid),
        unordered: raw.flags & abi::SCTP_UNORDERED != 0,
        tsn: raw.tsn,
        cumulative_tsn: raw.cumulative_tsn,
        context: raw.context,
    })
}

fn decode_nxtinfo(data: &[u8]) -> Option<NextInfo> {
    let raw = abi::NxtInfo::decode(data)?;
    Some(NextInfo {
        assoc: raw.assoc,
        stream: StreamId::new(raw.stream),
        ppid: Ppid::from_wire(raw.ppid),
        length: raw.length,
        unordered: raw.flags & abi::SCTP_UNORDERED != 0,
        notification: i32::from(raw.flags) & abi::MSG_NOTIFICATION != 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reliability::Reliability;

    fn control(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from((HEADER_LEN + data.len()).to_ne_bytes());
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(cmsg_space(data.len()), 0);
        bytes
    }

    fn rcvinfo() -> Vec<u8> {
        let mut bytes = vec![0; 28];
        bytes[0..2].copy_from_slice(&7u16.to_ne_bytes());
        bytes[8..12].copy_from_slice(&60u32.to_be_bytes());
        bytes[24..28].copy_from_slice(&3i32.to_ne_bytes());
        bytes
    }

    #[test]
    fn other_levels_are_skipped() {
        let mut bytes = control(libc::SOL_SOCKET, libc::SCM_TIMESTAMP, &[0; 16]);
        bytes.extend(control(abi::SOL_SCTP, abi::SCTP_NXTINFO, &[0; 16]));
        bytes.extend(control(abi::SOL_SCTP, abi::SCTP_RCVINFO, &rcvinfo()));
        let decoded = RecvControl::decode(&bytes);
        let info = decoded.info.unwrap();
        assert_eq!(
            (info.stream.get(), info.ppid, info.assoc),
            (7, Ppid::NGAP, AssocId::new(3))
        );
        assert!(decoded.next.is_some());
    }

    #[test]
    fn truncated_message_is_not_decoded() {
        let bytes = control(abi::SOL_SCTP, abi::SCTP_RCVINFO, &rcvinfo());
        assert_eq!(
            RecvControl::decode(&bytes[..bytes.len() - 5]),
            RecvControl::default()
        );
        assert_eq!(
            RecvControl::decode(&control(abi::SOL_SCTP, abi::SCTP_RCVINFO, &[0; 27])).info,
            None
        );
    }

    #[test]
    fn zero_length_ends_decoding() {
        assert_eq!(RecvControl::decode(&[0; 64]), RecvControl::default());
    }

    #[test]
    fn largest_send_fits() {
        let info = SendInfo::on_stream(1)
            .with_reliability(Reliability::Retransmissions(1))
            .with_auth_key(2);
        let control = SendControl::new(AssocId::new(5), &info, abi::SCTP_EOF);
        assert_eq!(control.as_bytes().len(), SEND_SPACE);
        assert_eq!(
            SendControl::new(AssocId::new(5), &SendInfo::default(), 0)
                .as_bytes()
                .len(),
            cmsg_space(16)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_decoded(bytes: Vec<u8>) {
            let _ = RecvControl::decode(&bytes);
        }
    }
}
