//! Joining of the halves of an association.

use std::{error::Error, fmt, sync::Arc};

use super::{Association, recv_half::RecvHalf, send_half::SendHalf};

impl SendHalf {
    /// Joins the halves of an association that was [split](Association::split).
    ///
    /// # Errors
    ///
    /// Returns both halves if they belong to different associations.
    #[allow(clippy::result_large_err, reason = "`Ok` has both halves as well")]
    pub fn reunite(self, receiver: RecvHalf) -> Result<Association, ReuniteError> {
        if Arc::ptr_eq(&self.shared, &receiver.shared) {
            Ok(Association {
                receiver,
                sender: self,
            })
        } else {
            Err(ReuniteError {
                sender: self,
                receiver,
            })
        }
    }
}

impl RecvHalf {
    /// Joins the halves of an association; see [`SendHalf::reunite`].
    ///
    /// # Errors
    ///
    /// The same as for [`SendHalf::reunite`].
    #[allow(clippy::result_large_err, reason = "`Ok` has both halves as well")]
    pub fn reunite(self, sender: SendHalf) -> Result<Association, ReuniteError> {
        sender.reunite(self)
    }
}

/// Error returned when two halves belong to different associations. Contains both halves.
#[derive(Debug)]
pub struct ReuniteError {
    /// The sending half.
    pub sender: SendHalf,
    /// The receiving half.
    pub receiver: RecvHalf,
}

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sender, receiver) = (self.sender.id(), self.receiver.id());
        write!(
            f,
            "halves belong to different associations: {sender} and {receiver}"
        )
    }
}

impl Error for ReuniteError {}
