//! Socket options of SCTP: value types, and the methods of [`Socket`] that get and set them.
//!
//! # Associations
//!
//! Most methods take an [`AssocId`]:
//!
//! * On a **one-to-many** socket it selects an association, or with [`AssocId::FUTURE`] the initial
//!   value for future associations. Some setters also accept [`AssocId::CURRENT`], all established
//!   associations, and [`AssocId::ALL`], both of these; `# Errors` says if they do not. No getter
//!   accepts them.
//! * On a **one-to-one** or a **peeled-off** socket the kernel ignores it. The value belongs to the
//!   association, if there is one, and otherwise to the future one. Once the association is
//!   closed, a getter returns the value of the socket. Pass [`AssocId::FUTURE`].
//!
//! Options without an association belong to the socket. Sockets from [`Socket::accept`] and
//! [`Socket::peel_off`] inherit the values of their origin. Options that offer an extension
//! (`..._supported`) are an exception: they start with the system's default.
//!
//! # Values
//!
//! * Times are [`Duration`](std::time::Duration)s, rounded up to the resolution of the kernel. For
//!   an established association, the kernel also rounds them up to its ticks of 1 to 10
//!   milliseconds: a getter may return slightly more than was set.
//! * Where zero, `None` or `Unchanged` leaves a value unchanged, its documentation says so. `new()`
//!   creates a value that changes nothing.
//! * A path is selected by the peer's address. `None` is the unspecified address: the whole
//!   association, or future associations.
//! * Defaults are those of the kernel. Many come from a sysctl below `net.sctp`, which the kernel
//!   reads when a socket is created.
//!
//! # Unsupported options
//!
//! An option that the running kernel lacks fails with [`UnsupportedOption`], inside an ordinary
//! [`io::Error`](std::io::Error).
#![doc = include_str!("TABLE.md")]

mod asconf;
mod assoc_stats;
mod auth;
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
