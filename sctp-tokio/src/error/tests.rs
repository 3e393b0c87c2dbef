#[path = "../../tests/support/reported.rs"]
mod reported;

use std::error::Error;

use reported::{DiskFull, check, foreign};

use crate::{DecodeError, EncodeError, Side};

use super::*;

fn from_kernel() -> io::Error {
    io::Error::from_raw_os_error(errno::ENETUNREACH)
}

/// Checks an error, and the [`io::Error`] that it converts to.
#[track_caller]
fn check_both<E: Error + Into<io::Error> + 'static>(error: E, why: &str) {
    check(&error, why);
    check(&error.into(), why);
}

fn lost() -> End {
    End::Lost {
        error: io::ErrorKind::TimedOut,
    }
}

fn send_errors() -> [(SendError, &'static str); 10] {
    let invalid = SendError::InvalidStream {
        stream: StreamId::new(9),
        negotiated: 3,
    };
    [
        (SendError::Closed(lost()), "timed out"),
        (SendError::ShuttingDown, "shutting down"),
        (SendError::NoAssociation, "no such association"),
        (SendError::Empty, "empty"),
        (SendError::Full, "no space"),
        (
            SendError::TooLarge {
                len: 70_000,
                limit: 60_000,
            },
            "70000 bytes exceeds the send buffer of 60000",
        ),
        (
            SendError::TooManySlices {
                slices: 1025,
                limit: 1024,
            },
            "1025 slices, the maximum is 1024",
        ),
        (invalid, "stream 9 exceeds the 3"),
        (SendError::Io(foreign()), "the disk is full"),
        (SendError::Io(from_kernel()), "unreachable"),
    ]
}

fn recv_errors() -> [(RecvError, &'static str); 4] {
    [
        (RecvError::Closed(lost()), "timed out"),
        (RecvError::TooLarge { limit: 1000 }, "1000"),
        (RecvError::Io(foreign()), "the disk is full"),
        (RecvError::Io(from_kernel()), "unreachable"),
    ]
}

#[test]
fn connecting() {
    let end = End::Shutdown { by: Side::Peer };
    let peer: Vec<SocketAddr> = vec![([192, 0, 2, 1], 9).into(), ([192, 0, 2, 2], 9).into()];
    let nobody = || Vec::new();
    let unreachable = |error| ConnectError::Unreachable {
        peer: Vec::new(),
        error,
    };
    for (error, why) in [
        (
            ConnectError::Refused { peer: nobody() },
            "association refused",
        ),
        (
            ConnectError::Refused { peer: peer.clone() },
            "refused by 192.0.2.1:9, 192.0.2.2:9",
        ),
        (
            ConnectError::TimedOut { peer: nobody() },
            "no answer in time",
        ),
        (
            ConnectError::TimedOut { peer: peer.clone() },
            "no answer in time from 192.0.2.1:9, 192.0.2.2:9",
        ),
        (unreachable(from_kernel()), "unreachable"),
        (unreachable(foreign()), "the disk is full"),
        (
            ConnectError::Closed { peer, end },
            "192.0.2.2:9 closed during setup: shut down by peer",
        ),
        (ConnectError::Io(foreign()), "the disk is full"),
        (ConnectError::Io(from_kernel()), "unreachable"),
    ] {
        check_both(error, why);
    }
}

#[test]
fn sending() {
    for (error, why) in send_errors() {
        check_both(error, why);
    }
    for (error, why) in send_errors() {
        check_both(EndpointSendError::new(AssocId::new(7), error), why);
    }
    let full = io::Error::from(SendError::Full);
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    for (error, why) in send_errors() {
        check(&EncodeError::<DiskFull>::Send(error), why);
    }
}

#[test]
fn receiving() {
    for (error, why) in recv_errors() {
        check_both(error, why);
    }
    for (error, why) in recv_errors() {
        check(&DecodeError::<DiskFull>::Recv(error), why);
    }
}

#[test]
fn codecs() {
    let leftover = DecodeError::Leftover { len: 2, of: 5 };
    for (error, why) in [
        (DecodeError::Codec(DiskFull), "the disk is full"),
        (
            DecodeError::Incomplete {
                len: 5,
                error: None,
            },
            "ends before its frame",
        ),
        (leftover, "2 bytes after its frame"),
    ] {
        check(&error, why);
    }
    check(&EncodeError::Codec(DiskFull), "the disk is full");
}
