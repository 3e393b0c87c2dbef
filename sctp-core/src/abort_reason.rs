//! The reason that travels in an ABORT.

use std::fmt;

use bytes::Bytes;

/// The upper layer's reason for an ABORT: bytes that travel in the user-initiated-abort error
/// cause (code 12, RFC 9260 section 3.3.10.12).
///
/// At most [`AbortReason::MAX_LEN`] bytes. The protocol would allow nearly 64 KiB, but an ABORT
/// is one chunk that SCTP does not fragment: near that size Linux answers success, ends the
/// association locally, and the peer never hears of it. The limit keeps a reason well inside
/// every path MTU. An empty reason is legal.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct AbortReason(Bytes);

impl AbortReason {
    /// The longest reason, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Takes the reason's bytes.
    ///
    /// # Errors
    ///
    /// [`ReasonTooLong`] when there are more than [`AbortReason::MAX_LEN`].
    pub fn new(reason: impl Into<Bytes>) -> Result<Self, ReasonTooLong> {
        let reason = reason.into();
        if reason.len() > Self::MAX_LEN {
            return Err(ReasonTooLong { len: reason.len() });
        }
        Ok(Self(reason))
    }

    /// Takes a reason that is known when the program is written.
    ///
    /// # Panics
    ///
    /// When it is longer than [`AbortReason::MAX_LEN`]; in a `const`, that stops compilation.
    #[must_use]
    pub const fn from_static(reason: &'static str) -> Self {
        assert!(
            reason.len() <= Self::MAX_LEN,
            "the reason is longer than AbortReason::MAX_LEN"
        );
        Self(Bytes::from_static(reason.as_bytes()))
    }

    /// Takes as much of a text as fits, cut at a character boundary.
    #[must_use]
    pub fn truncated(reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        let mut end = reason.len().min(Self::MAX_LEN);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        reason.truncate(end);
        Self(reason.into())
    }

    /// Returns the bytes as they travel.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no reason at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes, still shared.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Shows the reason as text; what is not UTF-8 or not printable is escaped, so that a peer
/// cannot write control characters into a log.
impl fmt::Display for AbortReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for AbortReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AbortReason({:?})", self.0)
    }
}

impl TryFrom<Bytes> for AbortReason {
    type Error = ReasonTooLong;

    fn try_from(reason: Bytes) -> Result<Self, ReasonTooLong> {
        Self::new(reason)
    }
}

impl TryFrom<String> for AbortReason {
    type Error = ReasonTooLong;

    fn try_from(reason: String) -> Result<Self, ReasonTooLong> {
        Self::new(reason)
    }
}

impl TryFrom<&'static str> for AbortReason {
    type Error = ReasonTooLong;

    fn try_from(reason: &'static str) -> Result<Self, ReasonTooLong> {
        Self::new(reason)
    }
}

/// An abort reason was longer than [`AbortReason::MAX_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonTooLong {
    len: usize,
}

impl fmt::Display for ReasonTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an abort reason of {} bytes is longer than the {} allowed",
            self.len,
            AbortReason::MAX_LEN
        )
    }
}

impl std::error::Error for ReasonTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_checked() {
        assert!(AbortReason::new(vec![0; AbortReason::MAX_LEN]).is_ok());
        let error = AbortReason::new(vec![0; AbortReason::MAX_LEN + 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "an abort reason of 1025 bytes is longer than the 1024 allowed"
        );
    }

    #[test]
    fn truncation_respects_characters() {
        let reason = AbortReason::truncated("x".repeat(AbortReason::MAX_LEN - 1) + "é");
        assert_eq!(reason.as_bytes().len(), AbortReason::MAX_LEN - 1);
    }

    #[test]
    fn display_escapes_control_characters() {
        let reason = AbortReason::new(&b"bye\x1b[2J\xff"[..]).unwrap();
        assert_eq!(reason.to_string(), "bye\\x1b[2J\\xff");
    }
}
