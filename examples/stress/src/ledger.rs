//! Progress of each request, as its server and its caller know it.

use std::sync::{Mutex, PoisonError};

use crate::payload::Request;

/// The number of requests of one caller that are remembered.
const WINDOW: u64 = 64;

/// The requests of all callers.
#[derive(Debug)]
pub(crate) struct Ledger(Vec<Mutex<Recent>>);

/// The last requests of one caller: bit 0 is the newest.
#[derive(Debug, Default)]
struct Recent {
    newest: u64,
    executed: u64,
    answered: u64,
    unsent: u64,
}

impl Recent {
    /// The bit of a request; `None` if it is too long ago.
    fn bit(&mut self, number: u64) -> Option<u64> {
        if number > self.newest {
            let by = number - self.newest;
            for bits in [&mut self.executed, &mut self.answered, &mut self.unsent] {
                *bits = if by < WINDOW { *bits << by } else { 0 };
            }
            self.newest = number;
        }
        let age = self.newest - number;
        (age < WINDOW).then(|| 1 << age)
    }
}

impl Ledger {
    pub(crate) fn new(callers: u32) -> Self {
        Self((0..callers).map(|_| Mutex::default()).collect())
    }

    /// A server has got a request. Returns what is wrong with that.
    pub(crate) fn executed(&self, request: &Request) -> Option<&'static str> {
        self.with(request, |recent, bit| {
            let before = recent.executed;
            recent.executed |= bit;
            if before & bit != 0 {
                Some("executed twice")
            } else if recent.unsent & bit != 0 {
                Some("executed after it was reported as not sent")
            } else {
                None
            }
        })
    }

    /// A handler has given its last answer to a request.
    pub(crate) fn answered(&self, request: &Request) {
        self.with(request, |recent, bit| {
            recent.answered |= bit;
            None
        });
    }

    /// A caller was told that a request was not sent. Returns what is wrong with that.
    pub(crate) fn unsent(&self, request: &Request) -> Option<&'static str> {
        self.with(request, |recent, bit| {
            recent.unsent |= bit;
            (recent.executed & bit != 0).then_some("executed, and reported as not sent")
        })
    }

    /// Describes how far a request has come.
    pub(crate) fn state(&self, caller: u32, number: u64) -> &'static str {
        self.at(caller, number, |recent, bit| {
            Some(
                match (recent.executed & bit != 0, recent.answered & bit != 0) {
                    (_, true) => "answered by its handler",
                    (true, false) => "not answered by its handler",
                    (false, false) => "not received by a handler",
                },
            )
        })
        .unwrap_or("forgotten")
    }

    /// Returns `true` if the handler has answered a request.
    pub(crate) fn is_answered(&self, request: &Request) -> bool {
        self.with(request, |recent, bit| {
            (recent.answered & bit != 0).then_some("")
        })
        .is_some()
    }

    fn with(
        &self,
        request: &Request,
        act: impl FnOnce(&mut Recent, u64) -> Option<&'static str>,
    ) -> Option<&'static str> {
        self.at(request.caller, request.number, act)
    }

    fn at(
        &self,
        caller: u32,
        number: u64,
        act: impl FnOnce(&mut Recent, u64) -> Option<&'static str>,
    ) -> Option<&'static str> {
        let recent = self.0.get(caller as usize)?;
        let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
        let bit = recent.bit(number)?;
        act(&mut recent, bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u64) -> Request {
        Request {
            caller: 0,
            number,
            work: 0,
            seed: 0,
            one_way: false,
        }
    }

    #[test]
    fn repeated_execution_is_reported() {
        let ledger = Ledger::new(1);
        for number in [1, 3, 2, 200] {
            assert_eq!(ledger.executed(&request(number)), None);
        }
        assert_eq!(ledger.executed(&request(200)), Some("executed twice"));
        assert_eq!(ledger.unsent(&request(201)), None);
        assert!(ledger.executed(&request(201)).is_some());
        // Too long ago to be known.
        assert_eq!(ledger.executed(&request(2)), None);
    }

    #[test]
    fn answers_are_remembered() {
        let ledger = Ledger::new(1);
        ledger.executed(&request(1));
        assert!(!ledger.is_answered(&request(1)));
        ledger.answered(&request(1));
        assert!(ledger.is_answered(&request(1)));
        assert!(ledger.unsent(&request(1)).is_some());
    }
}
