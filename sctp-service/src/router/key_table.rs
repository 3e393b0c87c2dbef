//! Lookup of the route of a request by its key.

use std::{collections::HashMap, fmt, hash::Hash, sync::Arc};

use super::{Route, fallback::Fallback};
use crate::{Request, Shutdown, handler::BoxReply};

/// Function that extracts the key of a request.
type FindKey<K> = Arc<dyn Fn(&Request) -> Option<K> + Send + Sync>;

/// Routes by key, generic over their destination.
pub(super) struct KeyTable<K, E> {
    pub(super) key: FindKey<K>,
    pub(super) routes: HashMap<K, E>,
    pub(super) fallback: Fallback<E>,
}

impl<K: Hash + Eq + Clone, E> KeyTable<K, E> {
    pub(super) fn map<F>(
        &self,
        route: impl Fn(&E) -> F,
        fallback: impl Fn(&Fallback<E>) -> Fallback<F>,
    ) -> KeyTable<K, F> {
        let routes = self.routes.iter().map(|(key, e)| (key.clone(), route(e)));
        KeyTable {
            key: Arc::clone(&self.key),
            routes: routes.collect(),
            fallback: fallback(&self.fallback),
        }
    }
}

impl<K: Hash + Eq + Clone + fmt::Debug, E> KeyTable<K, E> {
    #[track_caller]
    pub(super) fn add(&mut self, key: K, endpoint: E) {
        let taken = self.routes.insert(key.clone(), endpoint).is_some();
        assert!(!taken, "there is a route for key {key:?} already");
    }

    #[track_caller]
    pub(super) fn merge(&mut self, other: &Self)
    where
        E: Clone,
    {
        for (key, endpoint) in &other.routes {
            self.add(key.clone(), endpoint.clone());
        }
        assert!(
            !self.fallback.is_set() || !other.fallback.is_set(),
            "both routers have a fallback"
        );
        self.fallback.merge(&other.fallback);
    }
}

impl<K: Hash + Eq + fmt::Debug> KeyTable<K, Route> {
    pub(super) fn call(&self, request: Request) -> BoxReply {
        let key = (self.key)(&request);
        match key.as_ref().and_then(|key| self.routes.get(key)) {
            Some(route) => route.answer(request),
            None => self
                .fallback
                .call(request, |request| unknown(key.as_ref(), request)),
        }
    }
}

/// Returns the shutdown of the default fallback.
fn unknown<K: fmt::Debug>(key: Option<&K>, request: &Request) -> Shutdown {
    let (ppid, stream) = (request.ppid(), request.stream());
    Shutdown::abort(match key {
        Some(key) => format!("no handler for key {key:?} (PPID {ppid}, stream {stream})"),
        None => format!("no key in this message (PPID {ppid}, stream {stream})"),
    })
}
