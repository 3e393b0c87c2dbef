//! Policy for repeating calls.

use std::{
    error::Error,
    future::{Ready, ready},
};

use sctp_tokio::{Message, Received};
use tower::retry::Policy;

use super::clients::ClientSet;
use crate::{CallError, Cause};

/// Repeats calls whose message was certainly not sent. This is a [`Policy`] for [`tower::retry`] on
/// any client.
///
/// Calls that an orderly shutdown left unanswered are not repeated by default: the server may have
/// acted on them. [`with_after_shutdown`](Self::with_after_shutdown) repeats them as well.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    left: usize,
    after_shutdown: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            left: 3,
            after_shutdown: false,
        }
    }
}

impl RetryPolicy {
    /// Creates a policy with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of retries of one call. Defaults to 3.
    #[must_use]
    pub fn with_retries(mut self, retries: usize) -> Self {
        self.left = retries;
        self
    }

    /// Sets whether to repeat calls that were sent, and that an orderly shutdown of the server left
    /// unanswered. Defaults to `false`.
    ///
    /// A draining server of this crate answers every request that it has read before it shuts down,
    /// so it has not acted on unanswered requests. This does not hold if a handler replies with
    /// [`Shutdown::AfterAck`](crate::Shutdown::AfterAck) while other calls are in flight, if the
    /// server is killed, or for other implementations. Enable this setting only if calls are
    /// idempotent, or if every server is known to drain.
    #[must_use]
    pub fn with_after_shutdown(mut self, after_shutdown: bool) -> Self {
        self.after_shutdown = after_shutdown;
        self
    }

    /// Returns the maximum number of [retries](Self::with_retries) of one call.
    #[must_use]
    pub fn retries(&self) -> usize {
        self.left
    }

    /// Returns `true` if calls that were sent are repeated [after a
    /// shutdown](Self::with_after_shutdown).
    #[must_use]
    pub fn after_shutdown(&self) -> bool {
        self.after_shutdown
    }

    fn allows(&self, error: &CallError) -> bool {
        match error.cause() {
            // A retry would fail as well, or has no time left.
            Cause::Refused(_) | Cause::Unavailable(_) | Cause::TimedOut | Cause::Expired => false,
            Cause::ShutDown => self.after_shutdown || error.is_safe_to_retry(),
            _ => error.is_safe_to_retry(),
        }
    }
}

impl Policy<Message, Received, CallError> for RetryPolicy {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _message: &mut Message,
        result: &mut Result<Received, CallError>,
    ) -> Option<Ready<()>> {
        match result {
            Err(error) if self.left > 0 && self.allows(error) => {
                tracing::debug!(error = error as &dyn Error, "retrying call");
                self.left -= 1;
                Some(ready(()))
            }
            _ => None,
        }
    }

    /// Shares the payload.
    fn clone_request(&mut self, message: &Message) -> Option<Message> {
        Some(message.clone())
    }
}

/// Policy of a pool, which repeats nothing once the pool is shut down: a retry would be refused,
/// and would hide the original error.
#[derive(Clone, Debug)]
pub(super) struct WhileOpen {
    pub(super) policy: RetryPolicy,
    pub(super) clients: ClientSet,
    /// The call was repeated once, beyond what the policy says, since its server was removed.
    pub(super) removed: bool,
}

impl Policy<Message, Received, CallError> for WhileOpen {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        message: &mut Message,
        result: &mut Result<Received, CallError>,
    ) -> Option<Ready<()>> {
        if self.clients.is_stopped() {
            return None;
        }
        // It was given to a server that was taken off the list at the same moment.
        if let Err(error) = result
            && matches!(error.cause(), Cause::Closed)
            && error.is_safe_to_retry()
            && !std::mem::replace(&mut self.removed, true)
        {
            return Some(ready(()));
        }
        self.policy.retry(message, result)
    }

    fn clone_request(&mut self, message: &Message) -> Option<Message> {
        self.policy.clone_request(message)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Fate;

    #[test]
    fn sent_calls_are_not_repeated_by_default() {
        let repeated = |policy: &RetryPolicy, fate| {
            let mut message = Message::new(Bytes::new());
            let mut failed = Err(CallError::new(Cause::ShutDown, fate));
            policy.clone().retry(&mut message, &mut failed).is_some()
        };
        let policy = RetryPolicy::new();
        assert!(repeated(&policy, Fate::NotSent));
        assert!(!repeated(&policy, Fate::Unknown));
        let policy = policy.with_after_shutdown(true);
        assert!(repeated(&policy, Fate::Unknown));
    }

    #[test]
    fn call_for_a_removed_server_is_repeated_once() {
        let repeated = |policy: &mut WhileOpen, fate| {
            let mut message = Message::new(Bytes::new());
            let mut failed = Err(CallError::new(Cause::Closed, fate));
            policy.retry(&mut message, &mut failed).is_some()
        };
        let mut policy = WhileOpen {
            policy: RetryPolicy::new().with_retries(0),
            clients: ClientSet::default(),
            removed: false,
        };
        assert!(!repeated(&mut policy, Fate::Unknown));
        // Each call has a policy of its own.
        let mut other = policy.clone();
        assert!(repeated(&mut policy, Fate::NotSent));
        assert!(!repeated(&mut policy, Fate::NotSent));
        assert!(repeated(&mut other, Fate::NotSent));
    }
}
