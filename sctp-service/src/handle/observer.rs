//! Observers of associations.

use std::fmt;

/// Observer of an association, called with no lock of the association held.
pub(crate) trait Observer: Send + Sync {
    /// Called when the handshake has completed, or the peer has announced its SHUTDOWN.
    fn changed(&self);
    /// Called when the association has closed, or its peer has restarted, before waiting tasks are
    /// woken.
    fn ended(&self);
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
