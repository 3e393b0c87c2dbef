//! Readiness of services within the cooperative budget of the task.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
};

use tokio::task::coop;
use tower_service::Service;

/// Polls a service for readiness, or yields if the task has no cooperative budget left.
///
/// Without budget, tokio's semaphores and channels return `Pending` although there is room, and a
/// layer such as `LoadShed` mistakes that for overload. The budget could also run out between two
/// layers, so the service is polled without a budget. The task still yields, since the budget is
/// checked before each poll.
pub(crate) fn poll_ready<S, R>(service: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
where
    S: Service<R>,
{
    ready!(poll_budget(cx));
    poll_ready_with_budget(service, cx)
}

/// Polls a service for readiness, for callers that have looked at the budget.
pub(crate) fn poll_ready_with_budget<S, R>(
    service: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Result<(), S::Error>>
where
    S: Service<R>,
{
    pin!(coop::unconstrained(poll_fn(|cx| service.poll_ready(cx)))).poll(cx)
}

/// Completes if the task has cooperative budget left. Otherwise schedules the task again.
pub(crate) fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    if coop::has_budget_remaining() {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::Ready};

    use tokio::sync::Semaphore;

    use super::*;

    /// Takes `LoadShed` at its word: whether it was overloaded when it was asked last.
    struct Nested {
        layers: Vec<Semaphore>,
        was_overloaded: bool,
    }

    impl Service<()> for Nested {
        type Response = ();
        type Error = Infallible;
        type Future = Ready<Result<(), Infallible>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.was_overloaded = self
                .layers
                .iter()
                .any(|layer| pin!(layer.acquire()).poll(cx).is_pending());
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            std::future::ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn layers_with_room_never_look_overloaded() {
        let mut service = Nested {
            layers: (0..2).map(|_| Semaphore::new(1)).collect(),
            was_overloaded: false,
        };
        let mut asked = 0;
        let mut yields = 0;
        poll_fn(|cx| {
            for _ in 0..1000 {
                let other_work = coop::poll_proceed(cx);
                if let Poll::Ready(progress) = other_work {
                    progress.made_progress();
                }
                match poll_ready(&mut service, cx) {
                    Poll::Ready(_) => asked += 1,
                    Poll::Pending => {
                        yields += 1;
                        return Poll::Pending;
                    }
                }
                assert!(!service.was_overloaded, "question {asked}");
                if asked == 500 {
                    break;
                }
            }
            Poll::Ready(())
        })
        .await;
        assert!(asked == 500 && yields > 0);
    }
}
