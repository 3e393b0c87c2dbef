//! Panics in user code.

use std::{
    any::Any,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

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

/// Returns the message of a panic, if its payload is a string.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}
