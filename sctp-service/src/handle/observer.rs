//! Observers of associations.

use std::fmt;

/// One that is told when an association opens and ends, with no lock of the association held.
pub(crate) trait Observer: Send + Sync {
    /// The handshake has ended, or an end has begun.
    fn changed(&self);
    /// The association has ended, or restarted. Nobody who waits for that has been told yet.
    fn ended(&self);
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
