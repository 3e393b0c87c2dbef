//! Counting what is logged.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// Counts the events of this crate that this thread emits: how many there were of each level, and
/// of each place in the code.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<HashMap<(Level, String), usize>>>);

impl Log {
    /// Begins to count; ends when the guard is dropped.
    pub(crate) fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = tracing::subscriber::set_default(log.clone());
        (log, guard)
    }

    /// Returns the number of events of a level.
    pub(crate) fn count(&self, level: Level) -> usize {
        let counts = self.0.lock().unwrap();
        let of_level = counts.iter().filter(|((each, _), _)| *each == level);
        of_level.map(|(_, count)| count).sum()
    }

    /// Returns the number of events that an operator is to look at.
    pub(crate) fn alarms(&self) -> usize {
        self.count(Level::ERROR) + self.count(Level::WARN)
    }

    /// Returns the number of events that had a message.
    pub(crate) fn times(&self, message: &str) -> usize {
        let counts = self.0.lock().unwrap();
        let same = counts.iter().filter(|((_, each), _)| each == message);
        same.map(|(_, count)| count).sum()
    }

    /// Says what was counted, for a test that fails.
    pub(crate) fn summary(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sctp")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let key = (*event.metadata().level(), message.0);
        *self.0.lock().unwrap().entry(key).or_default() += 1;
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
