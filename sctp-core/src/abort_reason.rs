//! Upper-layer reason carried by an ABORT chunk.

use std::fmt;

use bytes::Bytes;

/// Reason for an ABORT, given by the upper layer (user-initiated abort, error cause 12, RFC 9260
/// section 3.3.10.12).
///
/// A reason has at most [`AbortReason::MAX_LEN`] bytes and may be empty. The protocol allows nearly
/// 64 KiB, but SCTP does not fragment an ABORT. Near that size Linux reports success and closes the
/// association locally, but the peer receives nothing. The limit keeps the ABORT below any
/// practical path MTU.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct AbortReason(Bytes);

impl AbortReason {
    /// Maximum length of a reason, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Creates a reason from bytes.
    ///
    /// # Errors
    ///
    /// [`ReasonTooLong`] if there are more than [`AbortReason::MAX_LEN`].
    pub fn new(reason: impl Into<Bytes>) -> Result<Self, ReasonTooLong> {
        let reason = reason.into();
        if reason.len() > Self::MAX_LEN {
            return Err(ReasonTooLong { len: reason.len() });
        }
        Ok(Self(reason))
    }

    /// Creates a reason from a string constant.
    ///
    /// # Panics
    ///
    /// Panics if the reason is longer than [`AbortReason::MAX_LEN`]. In a `const`, this stops
    /// compilation.
    #[must_use]
    pub const fn from_static(reason: &'static str) -> Self {
        assert!(
            reason.len() <= Self::MAX_LEN,
            "abort reason exceeds AbortReason::MAX_LEN"
        );
        Self(Bytes::from_static(reason.as_bytes()))
    }

    /// Creates a reason from a string, truncated at a character boundary to
    /// [`AbortReason::MAX_LEN`] bytes.
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

    /// Returns the bytes of the reason.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns `true` if the reason is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes of the reason without copying them.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Shows the reason as text. Bytes that are not printable ASCII are escaped, so that a peer cannot
/// write control characters into a log.
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

/// Error returned for an abort reason longer than [`AbortReason::MAX_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonTooLong {
    len: usize,
}

impl fmt::Display for ReasonTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "abort reason of {} bytes exceeds the limit of {}",
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
    fn reason_beyond_limit_is_refused() {
        assert!(AbortReason::new(vec![0; AbortReason::MAX_LEN]).is_ok());
        let error = AbortReason::new(vec![0; AbortReason::MAX_LEN + 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "abort reason of 1025 bytes exceeds the limit of 1024"
        );
    }

    #[test]
    fn truncation_keeps_whole_characters() {
        let reason = AbortReason::truncated("x".repeat(AbortReason::MAX_LEN - 1) + "é");
        assert_eq!(reason.as_bytes().len(), AbortReason::MAX_LEN - 1);
    }

    #[test]
    fn display_escapes_control_characters() {
        let reason = AbortReason::new(&b"bye\x1b[2J\xff"[..]).unwrap();
        assert_eq!(reason.to_string(), "bye\\x1b[2J\\xff");
    }
}
