//! One notification of each type, in the layout of Linux (`<linux/sctp.h>`).

use bytes::{BufMut, Bytes, BytesMut};

/// Returns the notifications and the names of their types.
pub(crate) fn all() -> Vec<(&'static str, Bytes)> {
    // An ABORT's cause: 12, user initiated, with four bytes of reason.
    let cause = [0, 12, 0, 8, b'd', b'o', b'n', b'e'];
    let change = |state: u16, info: &[u8]| {
        notification(0x8001, 0, |body| {
            body.put_u16_ne(state);
            body.put_slice(&[0, 0, 0, 0]); // flags (in the header's place), error
            body.put_slice(&[10, 0, 10, 0, 7, 0, 0, 0]); // streams, association
            body.put_slice(info);
        })
    };
    vec![
        ("SCTP_ASSOC_CHANGE, COMM_UP", change(0, &[])),
        (
            "SCTP_ASSOC_CHANGE, COMM_LOST with a reason",
            change(1, &cause),
        ),
        ("SCTP_PEER_ADDR_CHANGE", peer_addr_change()),
        ("SCTP_SEND_FAILED_EVENT, 64 bytes", send_failed()),
        ("SCTP_REMOTE_ERROR", remote_error(&cause)),
        ("SCTP_SHUTDOWN_EVENT", words(0x8005, &[7])),
        ("SCTP_PARTIAL_DELIVERY_EVENT", words(0x8006, &[0, 7, 0, 0])),
        ("SCTP_ADAPTATION_INDICATION", words(0x8007, &[1, 7])),
        ("SCTP_AUTHENTICATION_EVENT", words(0x8008, &[1, 0, 7])),
        ("SCTP_SENDER_DRY_EVENT", words(0x8009, &[7])),
        ("SCTP_STREAM_RESET_EVENT, 4 streams", stream_reset()),
        ("SCTP_ASSOC_RESET_EVENT", words(0x800b, &[7, 1, 1])),
        ("SCTP_STREAM_CHANGE_EVENT", words(0x800c, &[7, 0x000a_000a])),
    ]
}

/// Encodes a header, with the length, and a body.
fn notification(kind: u16, flags: u16, body: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u16_ne(kind);
    bytes.put_u16_ne(flags);
    bytes.put_u32_ne(0);
    body(&mut bytes);
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    bytes[4..8].copy_from_slice(&len.to_ne_bytes());
    bytes.freeze()
}

fn words(kind: u16, words: &[u32]) -> Bytes {
    notification(kind, 0, |body| {
        words.iter().for_each(|word| body.put_u32_ne(*word))
    })
}

fn peer_addr_change() -> Bytes {
    notification(0x8002, 0, |body| {
        body.put_u16_ne(2); // AF_INET
        body.put_u16(9877);
        body.put_slice(&[127, 0, 0, 1]);
        body.put_bytes(0, 120); // the rest of sockaddr_storage
        [1, 0, 7].into_iter().for_each(|word| body.put_u32_ne(word)); // state, error, association
    })
}

fn send_failed() -> Bytes {
    notification(0x800d, 1, |body| {
        body.put_u32_ne(0); // error
        body.put_bytes(0, 16); // struct sctp_sndinfo
        body.put_u32_ne(7);
        body.put_bytes(b'x', 64);
    })
}

fn remote_error(cause: &[u8]) -> Bytes {
    notification(0x8004, 0, |body| {
        body.put_slice(&[0, 12, 0, 0]); // error, in network byte order
        body.put_u32_ne(7);
        body.put_slice(cause);
    })
}

fn stream_reset() -> Bytes {
    notification(0x800a, 1, |body| {
        body.put_u32_ne(7);
        (0..4).for_each(|stream| body.put_u16_ne(stream));
    })
}
