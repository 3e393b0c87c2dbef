//! Messages of M3UA (RFC 4666) as an end reads them: strictly, with the codec of the crate `m3ua`.
//!
//! Nothing here is about SCTP: a message is what one SCTP message carries.

use m3ua::{CommonHeader, M3uaError, M3uaMessage, MessageClass, ProtocolData, error_code, tags};

/// Longest user data that fits into a parameter, of which the length has 16 bits.
pub const MAX_USER_DATA: usize = u16::MAX as usize - 4 - ProtocolData::HEADER_SIZE;

/// Decodes a message strictly: its length, its parameters, and the form of those that all use.
///
/// # Errors
///
/// Returns the code of the Error message that answers it (RFC 4666, 3.8.1).
pub fn decode(octets: &[u8]) -> Result<M3uaMessage, u32> {
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

/// Puts user data on the stream of its signalling link selection: what has one is kept in order.
/// Stream 0 is for management (1.4.7), unless there is no other.
#[must_use]
pub fn data_stream(data: &ProtocolData, streams: u16) -> u16 {
    match streams {
        0 | 1 => 0,
        _ => 1 + u16::from(data.sls) % (streams - 1),
    }
}

/// Returns the class and type of the acknowledgement that answers a request, of which these are the
/// first octets. `None` if it has none.
#[must_use]
pub fn acknowledgement(request: &[u8]) -> Option<(u8, u8)> {
    match *request.get(2..4)? {
        [class, kind @ 1..=3] if class == ASPSM => Some((class, kind + 3)),
        [class, kind @ 1..=2] if class == ASPTM => Some((class, kind + 2)),
        _ => None,
    }
}

/// Classes of messages in the header.
const ASPSM: u8 = MessageClass::Aspsm as u8;
const ASPTM: u8 = MessageClass::Asptm as u8;

/// Names a state that a Notify reports (3.8.2).
#[must_use]
pub fn status(message: &M3uaMessage) -> &'static str {
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

/// Decodes arbitrary octets: a message is the same after another round, and what both ends read of it
/// is read.
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, missing_docs, reason = "for tests")]
pub fn decode_anything(octets: &[u8]) {
    let _ = acknowledgement(octets);
    match decode(octets) {
        Ok(message) => {
            assert_eq!(decode(&message.encode()), Ok(message.clone()));
            assert!(!status(&message).is_empty());
            let _ = (message.error_code(), message.traffic_mode_type());
            assert!(message.routing_contexts().len() <= octets.len() / 4);
            assert!(message.affected_destinations().len() <= octets.len() / 4);
            if let Some(data) = message.heartbeat_data() {
                assert!(data.len() <= octets.len());
            }
            if let Ok(data) = message.protocol_data() {
                assert!(data.user_data.len() <= MAX_USER_DATA);
                for streams in [1, 2, 17, u16::MAX] {
                    assert!(data_stream(&data, streams) < streams);
                }
            }
        }
        Err(code) => assert!((1..=0x1a).contains(&code)),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use m3ua::MessageType;

    use super::*;

    #[test]
    fn fuzzing_corpus_decodes() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../sctp-core/fuzz/corpus/m3ua");
        let mut inputs = 0;
        for file in fs::read_dir(Path::new(corpus)).unwrap() {
            decode_anything(&fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 3);
    }

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
}
