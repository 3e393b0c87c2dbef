//! What a reporter makes of an error.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{error::Error, fmt, io, iter};

/// An error from elsewhere that has a source: a codec's, or one of an [`io::Error`].
#[derive(Debug)]
pub(crate) struct DiskFull;

/// Its text.
pub(crate) const WHY: &str = "the disk is full";

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WHY)
    }
}

impl Error for DiskFull {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&fmt::Error)
    }
}

pub(crate) fn foreign() -> io::Error {
    io::Error::other(DiskFull)
}

/// What is printed of it by whoever walks the chain.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// Nothing is said twice, and the first line says why.
#[track_caller]
pub(crate) fn check(error: &(dyn Error + 'static), why: &str) {
    let chain = chain(error);
    for (place, text) in chain.iter().enumerate() {
        let said = chain[..place].iter().any(|before| before.contains(text));
        assert!(!said, "{text:?} is said twice: {chain:?}");
    }
    assert!(chain[0].contains(why), "no {why:?} in {:?}", chain[0]);
    if why == WHY {
        assert_eq!(chain[1..], [fmt::Error.to_string()], "{chain:?}");
    }
}
