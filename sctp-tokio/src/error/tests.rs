#[path = "../../tests/support/reported.rs"]
mod reported;

use std::error::Error;

use reported::{DiskFull, check, foreign};

use crate::{DecodeError, EncodeError, Side};

use super::*;

fn from_kernel() -> io::Error {
    io::Error::from_raw_os_error(errno::ENETUNREACH)
}

/// The same of what an error becomes for who wants an [`io::Error`].
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

fn send_errors() -> [(SendError, &'static str); 9] {
    let invalid = SendError::InvalidStream {
        stream: StreamId::new(9),
        negotiated: 3,
    };
    [
        (SendError::Ended(lost()), "timed out"),
        (SendError::ShuttingDown, "shutting down"),
        (SendError::NoAssociation, "no such association"),
        (SendError::Empty, "empty"),
        (
            SendError::TooLarge {
                len: 70_000,
                limit: 60_000,
            },
            "70000 bytes is larger than the send buffer, 60000",
        ),
        (
            SendError::TooManySlices {
                slices: 1025,
                limit: 1024,
            },
            "in 1025 slices, where 1024",
        ),
        (invalid, "stream 9 does not exist, 3"),
        (SendError::Io(foreign()), "the disk is full"),
        (SendError::Io(from_kernel()), "unreachable"),
    ]
}

fn recv_errors() -> [(RecvError, &'static str); 4] {
    [
        (RecvError::Ended(lost()), "timed out"),
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
        (ConnectError::Refused { peer: nobody() }, "the peer refused"),
        (
            ConnectError::Refused { peer: peer.clone() },
            "the peer at 192.0.2.1:9, 192.0.2.2:9 refused",
        ),
        (ConnectError::TimedOut { peer: nobody() }, "did not answer"),
        (
            ConnectError::TimedOut { peer: peer.clone() },
            "192.0.2.2:9 did not answer",
        ),
        (unreachable(from_kernel()), "unreachable"),
        (unreachable(foreign()), "the disk is full"),
        (
            ConnectError::Ended { peer, end },
            "192.0.2.2:9 ended as it came up: shut down by the peer",
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
