//! Messages as they go over the wire, and the errors that answer those that are wrong.

use std::error::Error;

use m3ua::{CommonHeader, M3uaError, M3uaMessage, MessageClass, ProtocolData, error_code, tags};
use sctp_service::{Correlator, Identity, Message, Ppid, Received, Reply, ReplyMessage, Waiting};

/// Longest user data that fits into a parameter, of which the length has 16 bits.
pub(crate) const MAX_USER_DATA: usize = u16::MAX as usize - 4 - ProtocolData::HEADER_SIZE;

/// Decodes a message strictly: its length, its parameters, and the form of those that all use.
///
/// # Errors
///
/// Returns the code of the Error message that answers it (RFC 4666, 3.8.1).
pub(crate) fn decode(octets: &[u8]) -> Result<M3uaMessage, u32> {
    let header = CommonHeader::decode(octets).map_err(code_of)?;
    let length = header.message_length as usize;
    // The padding of the last parameter counts or does not (3.1.4).
    if length < CommonHeader::SIZE || length > octets.len() || octets.len() - length > 3 {
        return Err(error_code::PROTOCOL_ERROR);
    }
    let message = M3uaMessage::decode(octets).map_err(code_of)?;
    let parsed: usize = message.parameters.iter().map(|p| p.wire_length()).sum();
    if CommonHeader::SIZE + parsed < length {
        return Err(error_code::PARAMETER_FIELD_ERROR);
    }
    for parameter in &message.parameters {
        let is_good = match parameter.tag {
            tags::ROUTING_CONTEXT => !parameter.value.is_empty() && parameter.value.len() % 4 == 0,
            tags::TRAFFIC_MODE_TYPE | tags::ERROR_CODE | tags::STATUS | tags::ASP_IDENTIFIER => {
                parameter.value.len() == 4
            }
            tags::AFFECTED_POINT_CODE => parameter.value.len() % 4 == 0,
            tags::PROTOCOL_DATA => parameter.value.len() >= ProtocolData::HEADER_SIZE,
            _ => true,
        };
        if !is_good {
            return Err(error_code::PARAMETER_FIELD_ERROR);
        }
    }
    Ok(message)
}

fn code_of(error: M3uaError) -> u32 {
    match error {
        M3uaError::InvalidVersion(_) => error_code::INVALID_VERSION,
        M3uaError::InvalidMessageClass(_) => error_code::UNSUPPORTED_MESSAGE_CLASS,
        M3uaError::InvalidMessageType { class, .. } if MessageClass::from_u8(class).is_err() => {
            error_code::UNSUPPORTED_MESSAGE_CLASS
        }
        M3uaError::InvalidMessageType { .. } => error_code::UNSUPPORTED_MESSAGE_TYPE,
        M3uaError::InvalidParameter { .. } | M3uaError::ParameterTooShort { .. } => {
            error_code::PARAMETER_FIELD_ERROR
        }
        M3uaError::MissingParameter(_) => error_code::MISSING_PARAMETER,
        M3uaError::TooShort { .. } => error_code::PROTOCOL_ERROR,
    }
}

/// Makes the Error message that answers octets, with the first of them. An Error is never answered.
pub(crate) fn error(code: u32, octets: &[u8]) -> Reply {
    if octets.get(2..4) == Some(&[0, 0]) {
        return Reply::none();
    }
    let first = octets.iter().take(DIAGNOSTIC).copied().collect();
    reply(M3uaMessage::error(code, None, Some(first)))
}

/// Number of octets of a message that an Error repeats.
const DIAGNOSTIC: usize = 40;

/// Answers on the stream of management.
pub(crate) fn reply(message: M3uaMessage) -> Reply {
    Reply::new(ReplyMessage::from(on_stream(0, &message)))
}

/// Answers a heartbeat, with the data that it has.
pub(crate) fn beat_ack(beat: &M3uaMessage) -> Reply {
    let data = beat.heartbeat_data().map(<[u8]>::to_vec);
    reply(M3uaMessage::heartbeat_ack(data))
}

pub(crate) fn on_stream(stream: u16, message: &M3uaMessage) -> Message {
    Message::new(message.encode())
        .on_stream(stream)
        .with_ppid(Ppid::M3UA)
}

/// Puts user data on the stream of its signalling link selection: what has one is kept in order.
/// Stream 0 is for management (1.4.7), unless there is no other.
pub(crate) fn data_stream(data: &ProtocolData, streams: u16) -> u16 {
    match streams {
        0 | 1 => 0,
        _ => 1 + u16::from(data.sls) % (streams - 1),
    }
}

/// Finds the call of an acknowledgement: there is one kind for each kind of request. An Error belongs
/// to the call that waits longest.
pub(crate) struct Acknowledgements;

impl Correlator for Acknowledgements {
    /// Class and type of the acknowledgement, which for all is the request's type plus 3.
    type Key = (u8, u8);

    fn stamp(
        &mut self,
        _number: u32,
        message: &mut Message,
    ) -> Result<(u8, u8), Box<dyn Error + Send + Sync>> {
        match message.payload.get(2..4) {
            Some(&[class, kind @ 1..=3]) if class == ASPSM => Ok((class, kind + 3)),
            Some(&[class, kind @ 1..=2]) if class == ASPTM => Ok((class, kind + 2)),
            _ => Err("this message has no acknowledgement".into()),
        }
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

/// Classes of messages in the header.
const ASPSM: u8 = MessageClass::Aspsm as u8;
const ASPTM: u8 = MessageClass::Asptm as u8;

/// Names a state that a Notify reports (3.8.2).
pub(crate) fn status(message: &M3uaMessage) -> &'static str {
    use m3ua::status::*;
    match message.status() {
        Some((AS_STATE_CHANGE, AS_INACTIVE)) => "AS-INACTIVE",
        Some((AS_STATE_CHANGE, AS_ACTIVE)) => "AS-ACTIVE",
        Some((AS_STATE_CHANGE, AS_PENDING)) => "AS-PENDING",
        Some((OTHER, INSUFFICIENT_ASP_RESOURCES)) => "insufficient resources",
        Some((OTHER, ALTERNATE_ASP_ACTIVE)) => "alternate ASP active",
        Some((OTHER, ASP_FAILURE)) => "ASP failure",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use m3ua::MessageType;

    use super::*;

    #[test]
    fn malformed_messages_have_their_error_code() {
        let up = M3uaMessage::asp_up(Some(7), None).encode();
        assert_eq!(decode(&up).unwrap().message_type, MessageType::AspUp);
        let with = |at: usize, byte: u8| {
            let mut octets = up.clone();
            octets[at] = byte;
            decode(&octets).unwrap_err()
        };
        assert_eq!(with(0, 2), error_code::INVALID_VERSION);
        assert_eq!(with(2, 99), error_code::UNSUPPORTED_MESSAGE_CLASS);
        assert_eq!(with(3, 99), error_code::UNSUPPORTED_MESSAGE_TYPE);
        assert_eq!(with(7, 99), error_code::PROTOCOL_ERROR);
        assert_eq!(with(7, 4), error_code::PROTOCOL_ERROR);
        assert_eq!(with(11, 9), error_code::PARAMETER_FIELD_ERROR);
        assert_eq!(with(11, 3), error_code::PARAMETER_FIELD_ERROR);
        assert_eq!(with(11, 7), error_code::PARAMETER_FIELD_ERROR);
        for length in 0..up.len() {
            decode(&up[..length]).unwrap_err();
        }
    }

    #[test]
    fn padding_counts_in_the_length_or_not() {
        let padded = M3uaMessage::asp_up(None, Some("abc")).encode();
        let mut unpadded = padded.clone();
        unpadded[7] -= 1;
        assert_eq!(decode(&padded), decode(&unpadded));
        assert_eq!(decode(&padded), decode(&unpadded[..unpadded.len() - 1]));
    }

    #[test]
    fn routing_context_of_a_wrong_length_is_an_error() {
        let mut active = M3uaMessage::asp_active(None, Some(1));
        active.parameters[0].value.push(0);
        assert_eq!(
            decode(&active.encode()),
            Err(error_code::PARAMETER_FIELD_ERROR)
        );
    }

    #[test]
    fn an_error_is_not_answered() {
        let error_message = M3uaMessage::error(1, None, None).encode();
        assert_eq!(error(6, &error_message).messages().count(), 0);
        assert_eq!(error(6, b"\x01\x00\x03\x01").messages().count(), 1);
    }
}
