//! Correlation by an identifier in the payload.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::{Assigned, CallId, Correlation, Correlator, Found};
use crate::client::error::Refusal;

/// The calls under way by their identifiers. Those that were given up for a while are among
/// them, so that their identifiers are not used again too soon.
pub(super) struct Keyed<C: Correlator> {
    correlator: C,
    calls: HashMap<C::Key, CallId>,
    keys: HashMap<CallId, C::Key>,
}

impl<C: Correlator> Keyed<C> {
    pub(super) fn new(correlator: C) -> Self {
        Self {
            correlator,
            calls: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    fn forget(&mut self, call: CallId) {
        if let Some(key) = self.keys.remove(&call) {
            self.calls.remove(&key);
        }
    }
}

impl<C: Correlator> Correlation for Keyed<C> {
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned {
        let key = match self.correlator.stamp(call, message) {
            Ok(key) => key,
            Err(error) => return Assigned::Never(Refusal::Correlator(error)),
        };
        match self.calls.entry(key) {
            Entry::Occupied(_) => Assigned::Never(Refusal::Correlator(Box::new(InUse))),
            Entry::Vacant(entry) => {
                self.keys.insert(call, entry.key().clone());
                entry.insert(call);
                Assigned::Now
            }
        }
    }

    fn find(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Found {
        let Some(key) = self.correlator.identify(received) else {
            return Found::Push;
        };
        match self.calls.get(&key) {
            Some(&call) if is_sent(call) => {
                self.forget(call);
                Found::Reply(call)
            }
            _ => Found::Late,
        }
    }

    fn withdraw(&mut self, call: CallId, _stream: StreamId) {
        self.forget(call);
    }

    fn give_up(&mut self, call: CallId, _stream: StreamId) -> bool {
        self.forget(call);
        true
    }

    fn is_bounded(&self) -> bool {
        false
    }

    fn check_one_way(&self, _message: &Message) -> Result<(), Refusal> {
        Ok(())
    }

    fn set_streams(&mut self, _streams: u16) {}
}

/// Two calls would have one identifier.
#[derive(Debug)]
struct InUse;

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an earlier call has the same identifier and is not finished")
    }
}

impl std::error::Error for InUse {}
