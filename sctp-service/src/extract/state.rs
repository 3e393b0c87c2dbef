//! State that handlers share.

use std::convert::Infallible;

use super::FromRequestParts;
use crate::Parts;

/// State of the router or handler, set by `with_state`.
///
/// The state is cloned for each request. Put large or mutable state into an `Arc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct State<T>(pub T);

impl<S, T: FromRef<S>> FromRequestParts<S> for State<T> {
    type Rejection = Infallible;

    #[inline]
    fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(T::from_ref(state)))
    }
}

/// Converts the whole state into a part of it.
///
/// Implement it to give each handler only the part that it needs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the state `{S}`, nor a part of it",
    label = "not in the state `{S}`",
    note = "a handler or a router that takes `State` is given it with `.with_state(state)`",
    note = "implement `FromRef<{S}>` for `{Self}` to make it a part"
)]
pub trait FromRef<S> {
    /// Returns the part.
    fn from_ref(state: &S) -> Self;
}

impl<S: Clone> FromRef<S> for S {
    fn from_ref(state: &S) -> Self {
        state.clone()
    }
}
