//! Placeholder correlation until the correlator is created.

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::{Assigned, CallId, Class, CorrelationState};
use crate::handle::error::Refusal;

/// Placeholder: calls wait, and every message is a request.
pub(crate) struct Placeholder;

impl CorrelationState for Placeholder {
    fn assign(&mut self, _: CallId, _: &mut Message) -> Assigned {
        Assigned::Later
    }

    fn classify(&mut self, _: &Received, _: &dyn Fn(CallId) -> bool) -> Class {
        Class::Request
    }

    fn finish(&mut self, _: CallId, _: StreamId) {}

    fn give_up(&mut self, _: CallId, _: StreamId) -> bool {
        true
    }

    fn expect_late(&mut self, _: CallId, _: StreamId) -> bool {
        false
    }

    fn check_one_way(&self, _: &Message) -> Result<(), Refusal> {
        Ok(())
    }
}
