//! Messages as they go over the wire, and the calls that acknowledgements belong to.

use std::error::Error;

use m3ua::M3uaMessage;
use sctp_examples::m3ua_codec::acknowledgement;
use sctp_service::{Correlator, Identity, Message, Ppid, Received, Waiting};

/// Makes the Error message that answers octets, with the first of them. An Error is never answered.
pub(crate) fn error(code: u32, octets: &[u8]) -> Vec<Message> {
    if octets.get(2..4) == Some(&[0, 0]) {
        return Vec::new();
    }
    let first = octets.iter().take(DIAGNOSTIC).copied().collect();
    reply(M3uaMessage::error(code, None, Some(first)))
}

/// Number of octets of a message that an Error repeats.
const DIAGNOSTIC: usize = 40;

/// Answers on the stream of management.
pub(crate) fn reply(message: M3uaMessage) -> Vec<Message> {
    vec![on_stream(0, &message)]
}

/// Answers a heartbeat, with the data that it has.
pub(crate) fn beat_ack(beat: &M3uaMessage) -> Vec<Message> {
    let data = beat.heartbeat_data().map(<[u8]>::to_vec);
    reply(M3uaMessage::heartbeat_ack(data))
}

pub(crate) fn on_stream(stream: u16, message: &M3uaMessage) -> Message {
    Message::new(message.encode())
        .on_stream(stream)
        .with_ppid(Ppid::M3UA)
}

/// Finds the call of an acknowledgement: there is one kind for each kind of request. An Error belongs
/// to the call that waits longest.
pub(crate) struct Acknowledgements;

impl Correlator for Acknowledgements {
    /// Class and type of the acknowledgement.
    type Key = (u8, u8);

    fn stamp(
        &mut self,
        _number: u32,
        message: &mut Message,
    ) -> Result<(u8, u8), Box<dyn Error + Send + Sync>> {
        Ok(acknowledgement(&message.payload).ok_or("this message has no acknowledgement")?)
    }

    fn identify(
        &mut self,
        received: &Received,
        waiting: Waiting<'_, (u8, u8)>,
    ) -> Identity<(u8, u8)> {
        let Some(&[class, kind]) = received.payload.get(2..4) else {
            return Identity::Request;
        };
        match (class, kind) {
            (0, 0) => waiting
                .oldest()
                .map_or(Identity::Request, |key| Identity::Reply(*key)),
            // The gateway may also take a process out of service unasked.
            key if waiting.contains(&key) => Identity::Reply(key),
            _ => Identity::Request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_not_answered() {
        let error_message = M3uaMessage::error(1, None, None).encode();
        assert!(error(6, &error_message).is_empty());
        assert_eq!(error(6, b"\x01\x00\x03\x01").len(), 1);
    }
}
