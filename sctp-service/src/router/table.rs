//! Lookup of the route of a request.

use std::{collections::HashMap, fmt};

use sctp_core::{Ppid, StreamId};

use super::{
    Match, Route,
    fallback::Fallback,
    matching::{Kind, Predicate},
};
use crate::{Request, Shutdown, handler::BoxReply};

/// Routes of a router, generic over their destination.
#[derive(Clone)]
pub(super) struct Table<E> {
    when: Vec<(Predicate, E)>,
    ppids: HashMap<Ppid, E>,
    streams: HashMap<StreamId, E>,
    pub(super) fallback: Fallback<E>,
}

impl<E> Table<E> {
    #[track_caller]
    pub(super) fn add(&mut self, matching: Match, endpoint: E) {
        let taken = match matching.0 {
            Kind::When(predicate) => {
                self.when.push((predicate, endpoint));
                return;
            }
            Kind::Ppid(ppid) => self
                .ppids
                .insert(ppid, endpoint)
                .map(|_| format!("{ppid:?}")),
            Kind::Stream(stream) => self
                .streams
                .insert(stream, endpoint)
                .map(|_| format!("stream {stream}")),
        };
        if let Some(key) = taken {
            panic!("there is a route for {key} already");
        }
    }

    pub(super) fn has_routes(&self) -> bool {
        !(self.when.is_empty() && self.ppids.is_empty() && self.streams.is_empty())
    }

    #[track_caller]
    pub(super) fn merge(&mut self, other: &Self)
    where
        E: Clone,
    {
        for (predicate, endpoint) in &other.when {
            self.add(Match(Kind::When(predicate.clone())), endpoint.clone());
        }
        for (ppid, endpoint) in &other.ppids {
            self.add((*ppid).into(), endpoint.clone());
        }
        for (stream, endpoint) in &other.streams {
            self.add((*stream).into(), endpoint.clone());
        }
        assert!(
            !self.fallback.is_set() || !other.fallback.is_set(),
            "both routers have a fallback"
        );
        self.fallback.merge(&other.fallback);
    }

    pub(super) fn map<F>(
        &self,
        route: impl Fn(&E) -> F,
        fallback: impl Fn(&Fallback<E>) -> Fallback<F>,
    ) -> Table<F> {
        let when = self
            .when
            .iter()
            .map(|(predicate, e)| (predicate.clone(), route(e)));
        Table {
            when: when.collect(),
            ppids: self
                .ppids
                .iter()
                .map(|(ppid, e)| (*ppid, route(e)))
                .collect(),
            streams: self
                .streams
                .iter()
                .map(|(stream, e)| (*stream, route(e)))
                .collect(),
            fallback: fallback(&self.fallback),
        }
    }

    fn find(&self, request: &Request) -> Option<&E> {
        let when = self.when.iter().find(|(predicate, _)| predicate(request));
        when.map(|(_, endpoint)| endpoint)
            .or_else(|| self.ppids.get(&request.ppid()))
            .or_else(|| self.streams.get(&request.stream()))
    }
}

impl Table<Route> {
    pub(super) fn call(&self, request: Request) -> BoxReply {
        match self.find(&request) {
            Some(route) => route.answer(request),
            None => self.fallback.call(request, |request| self.unknown(request)),
        }
    }

    /// Returns the shutdown of the default fallback, whose reason names the unmatched values. An
    /// outer router may know the PPID.
    fn unknown(&self, request: &Request) -> Shutdown {
        let (ppid, stream) = (request.ppid(), request.stream());
        Shutdown::abort(if !self.ppids.is_empty() {
            format!("no handler for PPID {ppid} on stream {stream}")
        } else if !self.streams.is_empty() {
            format!("no handler for stream {stream} (PPID {ppid})")
        } else {
            format!("no handler for this message (PPID {ppid}, stream {stream})")
        })
    }
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self {
            when: Vec::new(),
            ppids: HashMap::new(),
            streams: HashMap::new(),
            fallback: Fallback::default(),
        }
    }
}

impl<E> fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("predicates", &self.when.len())
            .field("ppids", &self.ppids.keys())
            .field("streams", &self.streams.keys())
            .field("fallback", &self.fallback.is_set())
            .finish()
    }
}
