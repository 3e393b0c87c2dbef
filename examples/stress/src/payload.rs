//! The messages of a run on the wire.

use std::error::Error;

use bytes::{BufMut, Bytes, BytesMut};
use sctp_service::{Correlation, Correlator, Identity, Message, Received, Waiting};

const LEN: usize = 26;
/// Behind the identifier that a [`Header`] writes.
const TAG: usize = 4;

const CALL: u8 = 0;
const ONE_WAY: u8 = 1;
const REPLY: u8 = 2;
const NOTICE: u8 = 3;
const PUSH: u8 = 4;

/// One request of a caller, and the work that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) caller: u32,
    /// Counts the requests of a caller, from 1.
    pub(crate) number: u64,
    /// Index of the work in [`Work::ALL`](crate::work::Work::ALL).
    pub(crate) work: u8,
    /// Seed of the choices within the work.
    pub(crate) seed: u64,
    pub(crate) one_way: bool,
}

/// One push: the account of its association, its pusher, and which one it is of that pusher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) account: u64,
    pub(crate) pusher: u32,
    pub(crate) number: u64,
}

/// The content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Request(Request),
    Reply(Request),
    /// A message of a reply stream before its last one.
    Notice,
    Push(Push),
    Unknown,
}

impl Request {
    pub(crate) fn encode(self) -> Bytes {
        self.tagged(if self.one_way { ONE_WAY } else { CALL })
    }

    fn tagged(self, tag: u8) -> Bytes {
        let mut bytes = BytesMut::with_capacity(LEN);
        bytes.put_u32(0);
        bytes.put_u8(tag);
        bytes.put_u8(self.work);
        bytes.put_u32(self.caller);
        bytes.put_u64(self.number);
        bytes.put_u64(self.seed);
        bytes.freeze()
    }
}

impl Push {
    pub(crate) fn encode(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(LEN);
        bytes.put_u32(0);
        bytes.put_u8(PUSH);
        bytes.put_u8(0);
        bytes.put_u32(self.pusher);
        bytes.put_u64(self.number);
        bytes.put_u64(self.account);
        bytes.freeze()
    }
}

impl Payload {
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let (Some(tag), Some(work)) = (bytes.get(TAG), bytes.get(TAG + 1)) else {
            return Self::Unknown;
        };
        let (Some(from), Some(number), Some(last)) = (
            number::<4>(bytes, 6),
            number::<8>(bytes, 10),
            number::<8>(bytes, 18),
        ) else {
            return Self::Unknown;
        };
        // Four bytes fit.
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let request = Request {
            caller: from,
            number,
            work: *work,
            seed: last,
            one_way: *tag == ONE_WAY,
        };
        match *tag {
            CALL | ONE_WAY => Self::Request(request),
            REPLY => Self::Reply(request),
            NOTICE => Self::Notice,
            PUSH => Self::Push(Push {
                account: last,
                pusher: from,
                number,
            }),
            _ => Self::Unknown,
        }
    }
}

/// Makes the reply to a request.
pub(crate) fn reply(request: &Bytes) -> Bytes {
    with_tag(request, REPLY)
}

/// Makes a message that a reply stream sends before its reply.
pub(crate) fn notice(request: &Bytes) -> Bytes {
    with_tag(request, NOTICE)
}

fn with_tag(request: &Bytes, tag: u8) -> Bytes {
    let mut bytes = BytesMut::from(&request[..]);
    if let Some(place) = bytes.get_mut(TAG) {
        *place = tag;
    }
    bytes.freeze()
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + N)?;
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// Correlates by the identifier in the first four bytes.
#[derive(Debug)]
pub(crate) struct Header;

impl Header {
    pub(crate) fn correlation() -> Correlation {
        Correlation::by_key(|_| Self)
    }
}

impl Correlator for Header {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<u32, Box<dyn Error + Send + Sync>> {
        let mut bytes = BytesMut::from(&message.payload[..]);
        let id = bytes.get_mut(..TAG).ok_or("too short for a header")?;
        id.copy_from_slice(&number.to_be_bytes());
        message.payload = bytes.freeze();
        Ok(number)
    }

    fn identify(&mut self, received: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        let key = number::<4>(&received.payload, 0).and_then(|key| u32::try_from(key).ok());
        match key {
            Some(key) if received.payload.get(TAG) == Some(&REPLY) => Identity::Reply(key),
            _ => Identity::Request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_encoding() {
        let request = Request {
            caller: 7,
            number: 1 << 40,
            work: 3,
            seed: u64::MAX,
            one_way: false,
        };
        assert_eq!(
            Payload::decode(&request.encode()),
            Payload::Request(request)
        );
        assert_eq!(
            Payload::decode(&reply(&request.encode())),
            Payload::Reply(request)
        );
        assert_eq!(Payload::decode(&notice(&request.encode())), Payload::Notice);
        let push = Push {
            account: 5,
            pusher: 6,
            number: 7,
        };
        assert_eq!(Payload::decode(&push.encode()), Payload::Push(push));
        assert_eq!(Payload::decode(b"short"), Payload::Unknown);
    }
}
