//! Panics in code of the user.

use std::{
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use crate::event::panic_message;

/// Completes with an error if the future panics.
pub(crate) async fn caught<R>(
    future: impl Future<Output = R>,
    failed: impl FnOnce(io::Error) -> R,
) -> R {
    let mut future = pin!(future);
    let polled = poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Err(panic) => {
                let message = panic_message(&*panic);
                Poll::Ready(Err(io::Error::other(format!("panicked: {message}"))))
            }
        },
    );
    polled.await.unwrap_or_else(failed)
}
