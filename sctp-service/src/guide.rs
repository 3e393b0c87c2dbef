//! Guides: what the items' own documentation cannot say, since it concerns several of them. Each
//! is read in five minutes, and its code is compiled, and run where it needs no kernel.
//!
//! | guide | answers |
//! |---|---|
//! | [`errors`] | what becomes of an error, a timeout, a panic, a reply that cannot be sent? |
//! | [`graceful_shutdown`] | how does a server stop without losing a call, in Kubernetes too? |
//! | [`between_equals`] | how do both ends of an association send, ask, and close it? |
//! | [`testing`] | how is a service tested where there is no SCTP? |
//! | [`middleware`] | how is a layer of one's own written? |
//! | [`from_axum`] | what is called what, and what is really different? |

#[doc = include_str!("docs/between_equals.md")]
pub mod between_equals {}

#[doc = include_str!("docs/errors.md")]
pub mod errors {}

#[doc = include_str!("docs/from_axum.md")]
pub mod from_axum {}

#[doc = include_str!("docs/graceful_shutdown.md")]
pub mod graceful_shutdown {}

#[doc = include_str!("docs/middleware.md")]
pub mod middleware {}

#[doc = include_str!("docs/testing.md")]
pub mod testing {}
