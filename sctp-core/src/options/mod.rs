//! The socket options of SCTP: their value types, and the methods of [`Socket`] that get and set
//! them.
//!
//! # Which associations
//!
//! Most methods take an [`AssocId`]:
//!
//! * On a **one-to-many** socket it names an association, or [`AssocId::FUTURE`] for what
//!   associations to come will begin with. Some setters also take [`AssocId::CURRENT`], every
//!   association that is up, and [`AssocId::ALL`], both of them; where they do not, `# Errors`
//!   says so, and no getter does.
//! * On a **one-to-one** or a **peeled-off** socket the kernel ignores it: the value belongs to
//!   the association, if there is one, and otherwise to the one to come: a getter says nothing
//!   when the association has ended, and returns the socket's value. [`AssocId::FUTURE`] is the
//!   natural thing to write there.
//!
//! Options without an association hold for the socket. What a socket from [`Socket::accept`] or
//! [`Socket::peel_off`] begins with is what the socket that it came from had, but for those whether
//! an extension is offered (`..._supported`), which begin with the system's default again.
//!
//! # Values
//!
//! * Times are [`Duration`](std::time::Duration)s, rounded up to what the kernel can hold. For an
//!   association that is up, the kernel also rounds them up to its ticks, of 1 to 10 milliseconds
//!   each: a getter may return a little more than was set.
//! * Where zero, `None` or `Unchanged` leaves a value as it is, its documentation says so, and
//!   `new()` makes a value that changes nothing.
//! * A path is named by the peer's address. `None` is the unspecified address: the association, or
//!   associations to come, as a whole.
//! * "Default" is the kernel's. Many defaults come from a sysctl below `net.sctp`, read when a
//!   socket is made.
//!
//! # Unsupported
//!
//! An option that the running kernel does not have answers [`UnsupportedOption`], as a value, like
//! any other error.
#![doc = include_str!("TABLE.md")]

mod asconf;
mod assoc_stats;
mod auth;
mod delivery;
mod encapsulation;
mod events;
mod init;
mod partial_reliability;
mod path;
mod peer_addr_params;
mod raw;
mod reconfig;
mod scheduling;
mod send;
mod socket;
mod status;
#[cfg(test)]
mod table_test;
mod timing;
mod unsupported;

pub use assoc_stats::AssocStats;
pub use auth::HmacId;
pub use init::InitMsg;
pub use partial_reliability::{PrPolicy, PrStatus};
pub use path::{PathThresholds, PfExposure};
pub use peer_addr_params::{Heartbeat, MtuDiscovery, PeerAddrParams, SackDelay};
pub use reconfig::{ResetDirection, StreamResetPolicy};
pub use scheduling::StreamScheduler;
pub use send::DefaultSendInfo;
pub use status::{AssociationState, PathInfo, PathState, Status};
pub use timing::{AssocInfo, DelayedSack, RtoInfo};
pub use unsupported::UnsupportedOption;

#[cfg(doc)]
use crate::{ids::AssocId, socket::Socket};
