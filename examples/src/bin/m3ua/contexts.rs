//! The application servers that a process is active for.

use std::collections::BTreeSet;

/// Limit on contexts that are named, which the peer chooses.
const MAX_NAMED: usize = 256;

/// A set of routing contexts, or all but some. Messages without a context are about all.
#[derive(Default)]
pub(crate) struct Contexts {
    all: bool,
    /// Those in the set, or with `all` those that are not.
    named: BTreeSet<u32>,
}

impl Contexts {
    pub(crate) fn add(&mut self, contexts: &[u32]) {
        self.change(true, contexts);
    }

    pub(crate) fn remove(&mut self, contexts: &[u32]) {
        self.change(false, contexts);
    }

    fn change(&mut self, is_in: bool, contexts: &[u32]) {
        if contexts.is_empty() {
            self.all = is_in;
            self.named.clear();
        }
        for context in contexts {
            match is_in == self.all {
                true => self.named.remove(context),
                false => self.named.insert(*context),
            };
        }
    }

    /// Returns `true` if as many contexts may be added or removed by name.
    pub(crate) fn has_room(&self, contexts: usize) -> bool {
        self.named.len() + contexts <= MAX_NAMED
    }

    pub(crate) fn contains(&self, context: u32) -> bool {
        self.all != self.named.contains(&context)
    }

    /// Returns `true` unless it is empty.
    pub(crate) fn is_active(&self) -> bool {
        self.all || !self.named.is_empty()
    }

    /// Returns the first context, unless it is all of them.
    pub(crate) fn first(&self) -> Option<u32> {
        (!self.all).then(|| self.named.first().copied())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_added_and_removed_by_name() {
        let mut contexts = Contexts::default();
        assert!(!contexts.is_active());
        contexts.add(&[1]);
        contexts.add(&[2, 3]);
        assert!([1, 2, 3].iter().all(|context| contexts.contains(*context)));
        assert_eq!(contexts.first(), Some(1));
        contexts.remove(&[1, 3, 9]);
        assert!(contexts.contains(2) && !contexts.contains(1) && !contexts.contains(9));
        contexts.remove(&[]);
        assert!(!contexts.is_active());
    }

    #[test]
    fn message_without_context_is_about_all() {
        let mut contexts = Contexts::default();
        contexts.add(&[]);
        assert!(contexts.contains(7));
        contexts.remove(&[7]);
        assert!(!contexts.contains(7) && contexts.contains(8) && contexts.is_active());
        assert_eq!(contexts.first(), None);
        contexts.add(&[7]);
        assert!(contexts.contains(7));
    }
}
