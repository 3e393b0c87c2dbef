//! The socket options of SCTP: their value types, and the methods of
//! [`Socket`](crate::Socket) that get and set them.

mod events;
mod init;
mod socket;
mod status;

pub use init::InitMsg;
pub use status::{AssociationState, PathInfo, PathStatus, Status};
