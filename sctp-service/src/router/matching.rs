//! Criteria of routes.

use std::{fmt, sync::Arc};

use sctp_core::{Ppid, StreamId};

use crate::Request;

/// Decides whether a request takes a route.
pub(super) type Predicate = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// Criterion of a route, created from a [`Ppid`], a [`StreamId`] or a predicate.
#[derive(Clone)]
pub struct Match(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Ppid(Ppid),
    Stream(StreamId),
    When(Predicate),
}

impl Match {
    /// Matches the requests for which a predicate returns `true`.
    ///
    /// Predicates are called for every request, in the order in which their routes were added, before
    /// PPIDs and streams are looked up. They should be cheap.
    pub fn when(predicate: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(predicate)))
    }
}

impl From<Ppid> for Match {
    fn from(ppid: Ppid) -> Self {
        Self(Kind::Ppid(ppid))
    }
}

impl From<StreamId> for Match {
    fn from(stream: StreamId) -> Self {
        Self(Kind::Stream(stream))
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Ppid(ppid) => ppid.fmt(f),
            Kind::Stream(stream) => stream.fmt(f),
            Kind::When(_) => f.write_str("Match::when(..)"),
        }
    }
}
