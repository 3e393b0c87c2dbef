//! Observers of associations.

use std::fmt;

/// Observer of an association, called with no lock of the association held.
pub(crate) trait Observer: Send + Sync {
    /// The handshake has ended, or the peer has announced its SHUTDOWN.
    fn changed(&self);
    /// The association has ended, or its peer has restarted. Those who wait for that are woken later.
    fn ended(&self);
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
