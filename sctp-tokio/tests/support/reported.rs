//! Output of an error reporter.
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

/// Texts of an error and its chain of sources.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// Checks that no text repeats and that the first has the reason.
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
