//! Guides to tasks that involve several items. All examples are compiled, and those that need no
//! kernel are run.
//!
//! | guide | covers |
//! |---|---|
//! | [`errors`] | errors, timeouts, panics, and messages that cannot be sent; log targets |
//! | [`graceful_shutdown`] | stopping a server without losing requests, also in Kubernetes |
//! | [`between_equals`] | messages, requests, handshakes and connections from either end of an association |
//! | [`beyond_one_machine`] | load balancers, address translation, dead nodes, several processors, IPsec |
//! | [`observability`] | metrics: names, kinds, units, labels; names and fields of spans |
//! | [`testing`] | tests without SCTP |
//! | [`middleware`] | writing a layer |
//! | [`from_axum`] | names and differences for users of axum and tonic |

#[doc = include_str!("docs/between_equals.md")]
pub mod between_equals {}

#[doc = include_str!("docs/beyond_one_machine.md")]
pub mod beyond_one_machine {}

#[doc = include_str!("docs/errors.md")]
pub mod errors {}

#[doc = include_str!("docs/from_axum.md")]
pub mod from_axum {}

#[doc = include_str!("docs/graceful_shutdown.md")]
pub mod graceful_shutdown {}

#[doc = include_str!("docs/middleware.md")]
pub mod middleware {}

#[doc = include_str!("docs/observability.md")]
pub mod observability {}

#[doc = include_str!("docs/testing.md")]
pub mod testing {}
