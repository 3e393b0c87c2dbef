//! A protocol with requests in both directions.

use std::error::Error;

use sctp_service::{Correlation, Correlator, Identity, Message, Received, Waiting};

/// The first byte is `?` in requests and `!` in replies, the next four are the identifier.
pub(crate) struct Header;

impl Correlator for Header {
    type Key = u32;

    fn stamp(
        &mut self,
        number: u32,
        message: &mut Message,
    ) -> Result<u32, Box<dyn Error + Send + Sync>> {
        message.payload = [b"?", &number.to_be_bytes()[..], &message.payload]
            .concat()
            .into();
        Ok(number)
    }

    fn identify(&mut self, received: &Received, _: Waiting<'_, u32>) -> Identity<u32> {
        match received.payload.first_chunk() {
            Some(&[b'!', a, b, c, d]) => Identity::Reply(u32::from_be_bytes([a, b, c, d])),
            _ => Identity::Request,
        }
    }
}

pub(crate) fn by_header() -> Correlation {
    Correlation::by_key(|_| Header)
}

/// Turns a request into its reply.
pub(crate) fn reply_to(request: &[u8], text: &str) -> Vec<u8> {
    assert_eq!(request[0], b'?', "{request:?}");
    [b"!", &request[1..5], text.as_bytes()].concat()
}
