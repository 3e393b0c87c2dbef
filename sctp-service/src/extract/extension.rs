//! Values that middleware attached, as arguments.

use std::{any::type_name, fmt, marker::PhantomData};

use super::FromRequestParts;
use crate::{IntoReply, Parts, Reply, abort_reasons, log_limit::LogLimiter};

/// A value that middleware attached to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Extension<T>(pub T);

impl<S, T: Clone + Send + Sync + 'static> FromRequestParts<S> for Extension<T> {
    type Rejection = MissingExtension<T>;

    #[inline]
    fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingExtension<T>> {
        parts
            .extensions
            .get()
            .cloned()
            .map(Self)
            .ok_or(MissingExtension(PhantomData))
    }
}

/// Rejection of an [`Extension`] that no middleware attached.
///
/// This is a mistake in the server. As a reply, the error is logged, and the association is aborted
/// with the reason `internal error`.
pub struct MissingExtension<T>(PhantomData<fn() -> T>);

impl<T> IntoReply for MissingExtension<T> {
    fn into_reply(self) -> Reply {
        static MISSING: LogLimiter = LogLimiter::new();
        if let Some(occurrences) = MISSING.record() {
            tracing::error!(occurrences, "{self}");
        }
        abort_reasons::INTERNAL_ERROR.clone().into_reply()
    }
}

impl<T> fmt::Display for MissingExtension<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no layer attached the extension {}", type_name::<T>())
    }
}

impl<T> fmt::Debug for MissingExtension<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MissingExtension")
            .field(&type_name::<T>())
            .finish()
    }
}

impl<T> std::error::Error for MissingExtension<T> {}
