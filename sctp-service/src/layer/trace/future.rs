use std::{
    any::Any,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tracing::{
    Level, Span, Value,
    field::{debug, display},
};

use crate::{IntoReply, Reply, Shutdown, log_limit::LogLimiter};

pin_project! {
    /// The answer of [`Trace`](super::Trace).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TraceFuture<F> {
        #[pin]
        future: F,
        span: Span,
        // `None` if nobody is told of it: reading the clock costs more than all else here does.
        begin: Option<Instant>,
    }
}

impl<F> TraceFuture<F> {
    pub(super) fn new(future: F, span: Span) -> Self {
        let recorded = !span.is_disabled() || tracing::enabled!(Level::DEBUG);
        Self {
            future,
            span,
            begin: recorded.then(Instant::now),
        }
    }
}

impl<F, R, E> Future for TraceFuture<F>
where
    F: Future<Output = Result<R, E>>,
    R: IntoReply,
    E: fmt::Display + 'static,
{
    type Output = Result<Reply, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let answer = ready!(this.future.poll(cx)).map(R::into_reply);
        let elapsed = this.begin.map(|begin| debug(begin.elapsed()));
        match &answer {
            Ok(reply) => {
                if let Some(shutdown) = reply.shutdown() {
                    this.span.record("sctp.termination", termination(shutdown));
                }
                let messages = reply.messages().count();
                tracing::debug!(messages, shutdown = ?reply.shutdown(), elapsed, "answered");
            }
            Err(error) => {
                this.span.record("otel.status_code", "ERROR");
                this.span.record("otel.status_description", display(error));
                failed(error, elapsed);
            }
        }
        Poll::Ready(answer)
    }
}

/// Returns the name of a termination, which the metric of terminations has, too.
fn termination(shutdown: &Shutdown) -> &'static str {
    match shutdown {
        Shutdown::AfterAck => "after_ack",
        Shutdown::Abort(_) => "abort",
    }
}

/// Reports an error. Those of tower's layers come in a box, which says what it has in it and not
/// why that came about: its sources are reported with it.
fn failed<E: fmt::Display + 'static>(error: &E, elapsed: Option<impl Value>) {
    static FAILURES: LogLimiter = LogLimiter::new();
    let Some(occurrences) = FAILURES.record() else {
        return;
    };
    let boxed = (error as &dyn Any).downcast_ref::<Box<dyn Error + Send + Sync>>();
    match boxed {
        Some(error) => {
            tracing::warn!(
                error = &**error as &dyn Error,
                elapsed,
                occurrences,
                "failed"
            );
        }
        None => tracing::warn!(%error, elapsed, occurrences, "failed"),
    }
}
