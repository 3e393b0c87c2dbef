//! Correlation by an identifier in the payload.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    fmt,
};

use sctp_core::StreamId;
use sctp_tokio::{Message, Received};

use super::{
    Correlator, Identity, Waiting,
    state::{Assigned, CallId, Class, CorrelationState, IdMap},
};
use crate::handle::error::Refusal;

/// Calls by their identifiers.
///
/// Calls that were given up stay here for a while, so that their identifiers are not reused.
pub(super) struct Keyed<C: Correlator> {
    correlator: C,
    calls: HashMap<C::Key, CallId>,
    keys: IdMap<C::Key>,
    /// The calls in the order in which they were made. Finished ones are removed lazily.
    order: VecDeque<(CallId, C::Key)>,
}

impl<C: Correlator> Keyed<C> {
    pub(super) fn new(correlator: C) -> Self {
        Self {
            correlator,
            calls: HashMap::new(),
            keys: IdMap::default(),
            order: VecDeque::new(),
        }
    }

    fn forget(&mut self, call: CallId) {
        let Some(key) = self.keys.remove(&call) else {
            return;
        };
        self.calls.remove(&key);
        while let Some((oldest, _)) = self.order.front()
            && !self.keys.contains_key(oldest)
        {
            self.order.pop_front();
        }
        // The oldest call may wait for long while many others come and go.
        if self.order.len() > 2 * self.keys.len() + 32 {
            self.order.retain(|(call, _)| self.keys.contains_key(call));
        }
    }
}

impl<C: Correlator> CorrelationState for Keyed<C> {
    fn assign(&mut self, call: CallId, message: &mut Message) -> Assigned {
        let key = match self.correlator.stamp(call, message) {
            Ok(key) => key,
            Err(error) => return Assigned::Never(Refusal::Correlator(error)),
        };
        match self.calls.entry(key) {
            Entry::Occupied(_) => Assigned::Never(Refusal::Correlator(Box::new(KeyInUse))),
            Entry::Vacant(entry) => {
                self.keys.insert(call, entry.key().clone());
                self.order.push_back((call, entry.key().clone()));
                entry.insert(call);
                Assigned::Now
            }
        }
    }

    fn classify(&mut self, received: &Received, is_sent: &dyn Fn(CallId) -> bool) -> Class {
        let waiting = Waiting::new(&self.calls, &self.order);
        match self.correlator.identify(received, waiting) {
            Identity::Request => Class::Request,
            Identity::Reply(key) => match self.calls.get(&key) {
                Some(call) if is_sent(*call) => Class::Reply(*call),
                _ => Class::UnknownReply,
            },
        }
    }

    fn finish(&mut self, call: CallId, _stream: StreamId) {
        self.forget(call);
    }

    fn give_up(&mut self, call: CallId, _stream: StreamId) -> bool {
        self.forget(call);
        true
    }

    fn expect_late(&mut self, _call: CallId, _stream: StreamId) -> bool {
        // Its identifier is that of no call, so that its reply is discarded.
        false
    }

    fn check_one_way(&self, _message: &Message) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Two calls would have the same identifier.
#[derive(Debug)]
struct KeyInUse;

impl fmt::Display for KeyInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("identifier already used by a call that is not finished")
    }
}

impl std::error::Error for KeyInUse {}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// The whole payload is the identifier.
    struct Whole;

    impl Correlator for Whole {
        type Key = u32;

        fn stamp(
            &mut self,
            number: u32,
            message: &mut Message,
        ) -> Result<u32, Box<dyn Error + Send + Sync>> {
            message.payload = number.to_string().into();
            Ok(number)
        }

        fn identify(&mut self, received: &Received, waiting: Waiting<'_, u32>) -> Identity<u32> {
            match std::str::from_utf8(&received.payload) {
                Ok("oldest") => waiting
                    .oldest()
                    .map_or(Identity::Request, |key| Identity::Reply(*key)),
                Ok(text) => text.parse().map_or(Identity::Request, Identity::Reply),
                Err(_) => Identity::Request,
            }
        }
    }

    fn class(keyed: &mut Keyed<Whole>, payload: &'static str) -> Class {
        keyed.classify(&Received::new(payload, Default::default()), &|_| true)
    }

    #[test]
    fn reply_without_identifier_belongs_to_the_oldest_call() {
        let mut keyed = Keyed::new(Whole);
        for call in 1..=3 {
            assert!(matches!(
                keyed.assign(call, &mut Message::new("")),
                Assigned::Now
            ));
        }
        keyed.finish(2, StreamId::default());
        assert_eq!(class(&mut keyed, "oldest"), Class::Reply(1));
        keyed.finish(1, StreamId::default());
        assert_eq!(class(&mut keyed, "oldest"), Class::Reply(3));
        assert_eq!(class(&mut keyed, "2"), Class::UnknownReply);
        keyed.finish(3, StreamId::default());
        assert_eq!(class(&mut keyed, "oldest"), Class::Request);
    }

    #[test]
    fn order_is_bounded_while_the_oldest_call_waits() {
        let mut keyed = Keyed::new(Whole);
        for call in 1..=10_000 {
            keyed.assign(call, &mut Message::new(""));
            if call > 1 {
                keyed.finish(call, StreamId::default());
            }
        }
        assert_eq!(class(&mut keyed, "oldest"), Class::Reply(1));
        assert!(keyed.order.len() < 100, "{}", keyed.order.len());
    }
}
