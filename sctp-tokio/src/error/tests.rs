use std::error::Error;

use crate::{DecodeError, EncodeError, Side};

use super::*;

/// An error from elsewhere that has a source: a codec's, or one of an [`io::Error`].
#[derive(Debug)]
struct DiskFull;

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk is full")
    }
}

impl Error for DiskFull {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&fmt::Error)
    }
}

fn foreign() -> io::Error {
    io::Error::other(DiskFull)
}

fn from_kernel() -> io::Error {
    io::Error::from_raw_os_error(101)
}

/// What a reporter prints that walks the chain.
fn chain(error: &dyn Error) -> Vec<String> {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// Nothing is said twice, and the first line says why.
#[track_caller]
fn check(error: &dyn Error, why: &str) {
    let chain = chain(error);
    for (place, text) in chain.iter().enumerate() {
        let said = chain[..place].iter().any(|before| before.contains(text));
        assert!(!said, "{text:?} is said twice: {chain:?}");
    }
    assert!(chain[0].contains(why), "no {why:?} in {:?}", chain[0]);
    if why == DiskFull.to_string() {
        assert_eq!(chain[1..], [fmt::Error.to_string()], "{chain:?}");
    }
}

/// The same of what an error becomes for who wants an [`io::Error`].
#[track_caller]
fn check_both<E: Error + Into<io::Error>>(error: E, why: &str) {
    check(&error, why);
    check(&error.into(), why);
}

fn lost() -> End {
    End::Lost {
        error: io::ErrorKind::TimedOut,
    }
}

fn send_errors() -> [(SendError, &'static str); 8] {
    let invalid = SendError::InvalidStream {
        stream: StreamId::new(9),
        negotiated: 3,
    };
    [
        (SendError::Ended(lost()), "timed out"),
        (SendError::ShuttingDown, "shutting down"),
        (SendError::NoAssociation, "no such association"),
        (SendError::Empty, "empty"),
        (SendError::TooLarge { len: 70_000 }, "70000"),
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
    let ended = End::Shutdown { by: Side::Peer };
    for (error, why) in [
        (ConnectError::Refused, "refused"),
        (ConnectError::TimedOut, "did not answer"),
        (ConnectError::Unreachable(from_kernel()), "unreachable"),
        (ConnectError::Unreachable(foreign()), "the disk is full"),
        (ConnectError::Ended(ended), "shut down by the peer"),
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
        (DecodeError::Incomplete { len: 5 }, "ends before its frame"),
        (leftover, "2 bytes after its frame"),
    ] {
        check(&error, why);
    }
    check(&EncodeError::Codec(DiskFull), "the disk is full");
}
