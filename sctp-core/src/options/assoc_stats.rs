//! Associations of a socket, and their statistics.

use std::{io, net::SocketAddr, time::Duration};

use super::status::from_ticks;
use crate::{
    abi,
    ids::AssocId,
    socket::{Socket, truncated_option},
};

/// Statistics of an association (`SCTP_GET_ASSOC_STATS`, specific to Linux).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AssocStats {
    /// The association.
    pub assoc: AssocId,
    /// Longest retransmission timeout since the last call.
    ///
    /// The call starts a new period, which begins with the lower bound of
    /// [`RtoInfo`](super::RtoInfo).
    pub max_rto: Duration,
    /// Peer's address on the path that last had a new maximum. `None` if there was none.
    pub max_rto_addr: Option<SocketAddr>,
    /// SACK chunks received.
    pub sacks_received: u64,
    /// SACK chunks sent.
    pub sacks_sent: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Chunks sent again.
    pub retransmitted_chunks: u64,
    /// Chunks received out of sequence.
    pub out_of_sequence_tsns: u64,
    /// Chunks received more than once.
    pub duplicate_chunks_received: u64,
    /// Gap reports received.
    pub gap_acks_received: u64,
    /// Unordered DATA chunks sent.
    pub unordered_chunks_sent: u64,
    /// Unordered DATA chunks received.
    pub unordered_chunks_received: u64,
    /// Ordered DATA chunks sent.
    pub ordered_chunks_sent: u64,
    /// Ordered DATA chunks received.
    pub ordered_chunks_received: u64,
    /// Control chunks sent.
    pub control_chunks_sent: u64,
    /// Control chunks received.
    pub control_chunks_received: u64,
}

impl Socket {
    /// Returns the number of associations of a one-to-many or peeled-off socket
    /// (`SCTP_GET_ASSOC_NUMBER`, RFC 6458 section 8.2.5).
    ///
    /// Includes associations that are being set up or shut down.
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on a one-to-one socket.
    #[doc(alias = "SCTP_GET_ASSOC_NUMBER")]
    pub fn assoc_count(&self) -> io::Result<usize> {
        let count = self.number(abi::SCTP_GET_ASSOC_NUMBER)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Returns the associations of a one-to-many or peeled-off socket (`SCTP_GET_ASSOC_ID_LIST`,
    /// RFC 6458 section 8.2.6).
    ///
    /// Reads the number of associations first, and repeats both calls if it has grown meanwhile.
    ///
    /// # Errors
    ///
    /// `Unsupported` (`EOPNOTSUPP`) on a one-to-one socket.
    #[doc(alias = "SCTP_GET_ASSOC_ID_LIST")]
    pub fn assoc_ids(&self) -> io::Result<Vec<AssocId>> {
        loop {
            let count = self.assoc_count()?;
            match self.list_option(abi::SCTP_GET_ASSOC_ID_LIST, &[0; 4], count * 4) {
                // EINVAL means too little space: associations were added between the two calls.
                Err(error)
                    if error.raw_os_error() == Some(libc::EINVAL)
                        && self.assoc_count()? > count => {}
                result => return decode_ids(&result?).ok_or_else(truncated_option),
            }
        }
    }

    /// Returns the statistics of an association.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown association, and for [`AssocId::FUTURE`].
    #[doc(alias = "SCTP_GET_ASSOC_STATS")]
    pub fn assoc_stats(&self, assoc: AssocId) -> io::Result<AssocStats> {
        let request = abi::AssocStats {
            assoc,
            ..Default::default()
        };
        let raw = self.option(abi::SCTP_GET_ASSOC_STATS, &request)?;
        Ok(AssocStats {
            assoc: raw.assoc,
            max_rto: from_ticks(raw.max_rto)?,
            max_rto_addr: raw.max_rto_addr,
            sacks_received: raw.sacks_received,
            sacks_sent: raw.sacks_sent,
            packets_sent: raw.packets_sent,
            packets_received: raw.packets_received,
            retransmitted_chunks: raw.retransmitted_chunks,
            out_of_sequence_tsns: raw.out_of_sequence_tsns,
            duplicate_chunks_received: raw.duplicate_chunks_received,
            gap_acks_received: raw.gap_acks_received,
            unordered_chunks_sent: raw.unordered_chunks_sent,
            unordered_chunks_received: raw.unordered_chunks_received,
            ordered_chunks_sent: raw.ordered_chunks_sent,
            ordered_chunks_received: raw.ordered_chunks_received,
            control_chunks_sent: raw.control_chunks_sent,
            control_chunks_received: raw.control_chunks_received,
        })
    }
}

/// Decodes `struct sctp_assoc_ids { __u32 gaids_number_of_ids; sctp_assoc_t gaids_assoc_id[]; }`.
fn decode_ids(value: &[u8]) -> Option<Vec<AssocId>> {
    let count = u32::from_ne_bytes(*value.first_chunk()?);
    let ids = value.get(4..)?.chunks_exact(4);
    let ids: Vec<_> = ids
        .take(usize::try_from(count).ok()?)
        .map(|id| AssocId::new(i32::from_ne_bytes([id[0], id[1], id[2], id[3]])))
        .collect();
    (ids.len() == usize::try_from(count).ok()?).then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_beyond_input_is_refused() {
        let mut value = 2u32.to_ne_bytes().to_vec();
        value.extend(7i32.to_ne_bytes());
        assert_eq!(decode_ids(&value), None);
        value.extend(8i32.to_ne_bytes());
        assert_eq!(
            decode_ids(&value),
            Some(vec![AssocId::new(7), AssocId::new(8)])
        );
        assert_eq!(decode_ids(&[0; 3]), None);
    }
}
