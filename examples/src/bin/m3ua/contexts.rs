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
    /// Adds contexts. Returns `false`, and adds none, if too many would be named.
    #[must_use]
    pub(crate) fn add(&mut self, contexts: &[u32]) -> bool {
        self.change(true, contexts)
    }

    /// Removes contexts. Returns `false`, and removes none, if too many would be named.
    #[must_use]
    pub(crate) fn remove(&mut self, contexts: &[u32]) -> bool {
        self.change(false, contexts)
    }

    fn change(&mut self, is_in: bool, contexts: &[u32]) -> bool {
        if contexts.is_empty() {
            self.all = is_in;
            self.named.clear();
        }
        let mut named = self.named.clone();
        for context in contexts {
            match is_in == self.all {
                true => named.remove(context),
                false => named.insert(*context),
            };
        }
        let fits = named.len() <= MAX_NAMED;
        if fits {
            self.named = named;
        }
        fits
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
        assert!(contexts.add(&[1]));
        assert!(contexts.add(&[2, 3]));
        assert!([1, 2, 3].iter().all(|context| contexts.contains(*context)));
        assert_eq!(contexts.first(), Some(1));
        assert!(contexts.remove(&[1, 3, 9]));
        assert!(contexts.contains(2) && !contexts.contains(1) && !contexts.contains(9));
        assert!(contexts.remove(&[]));
        assert!(!contexts.is_active());
    }

    #[test]
    fn message_without_context_is_about_all() {
        let mut contexts = Contexts::default();
        assert!(contexts.add(&[]));
        assert!(contexts.contains(7));
        assert!(contexts.remove(&[7]));
        assert!(!contexts.contains(7) && contexts.contains(8) && contexts.is_active());
        assert_eq!(contexts.first(), None);
        assert!(contexts.add(&[7]));
        assert!(contexts.contains(7));
    }

    #[test]
    fn only_what_would_be_named_counts() {
        let full: Vec<u32> = (1..=256).collect();
        let mut contexts = Contexts::default();
        assert!(contexts.add(&full));
        assert!(contexts.add(&full));
        assert!(!contexts.add(&[1, 257]));
        assert!(!contexts.contains(257));
        assert!(contexts.remove(&[1]));
        assert!(contexts.add(&[257]));
        assert!(contexts.contains(257) && !contexts.contains(1));
        // The same for those that are not in it.
        assert!(contexts.add(&[]) && contexts.remove(&full));
        assert!(!contexts.remove(&[257]) && contexts.contains(257));
        assert!(contexts.add(&[1]) && contexts.remove(&[257]));
        assert!(contexts.contains(1) && !contexts.contains(257));
    }
}
