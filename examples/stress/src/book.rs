//! Accounts of the pushes that were accepted and received on each association.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sctp_service::{AssociationHandle, Counts, End, Message, SendError, Side};

use crate::{
    fault::{Faults, Kind},
    payload::Push,
    rng::Rng,
    watch::{At, Watch},
};

/// The pushes of one association, from when it comes up to when all of them are accounted for.
#[derive(Debug)]
pub(crate) struct Account {
    number: u64,
    pub(crate) at: At,
    accepted: AtomicU64,
    received: AtomicU64,
    /// The peer starts again, or is about to: messages may be missing in the middle.
    restarts: AtomicBool,
    /// The next number of each pusher.
    expected: Mutex<HashMap<u32, u64>>,
    /// The first push that arrived while one before it had not.
    gap: OnceLock<String>,
}

impl Account {
    /// Begins to push to this association.
    pub(crate) fn line(self: &Arc<Self>, pusher: u32) -> Line {
        Line {
            account: Arc::clone(self),
            pusher,
            next: 0,
        }
    }

    /// The server and association.
    fn key(&self) -> (u16, i32) {
        (
            self.at.server.unwrap_or_default(),
            self.at.assoc.unwrap_or_default(),
        )
    }

    pub(crate) fn expect_restart(&self) {
        self.restarts.store(true, Ordering::Release);
    }

    fn receive(&self, push: &Push) -> Option<&'static str> {
        self.received.fetch_add(1, Ordering::AcqRel);
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let next = expected.entry(push.pusher).or_default();
        let before = std::mem::replace(next, push.number + 1);
        if push.number < before {
            Some("received twice, or after a later one")
        } else {
            if push.number > before {
                // If the end of the association does not explain it, that is reported then.
                self.gap.get_or_init(|| {
                    let (number, pusher) = (push.number, push.pusher);
                    format!("push {number} of pusher {pusher} was received while {before} was not")
                });
            }
            None
        }
    }
}

/// One pusher's messages on one association.
#[derive(Debug)]
pub(crate) struct Line {
    account: Arc<Account>,
    pusher: u32,
    next: u64,
}

impl Line {
    pub(crate) fn at(&self) -> At {
        self.account.at
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Pushes a message. Dropped before it completes, nothing may arrive.
    pub(crate) async fn push(&mut self, handle: &AssociationHandle) -> Result<(), SendError> {
        let result = handle.send(self.message()).await;
        self.note(result)
    }

    pub(crate) fn try_push(&mut self, handle: &AssociationHandle) -> Result<(), SendError> {
        let result = handle.try_send(self.message()).map_err(SendError::from);
        self.note(result)
    }

    fn message(&self) -> Message {
        let push = Push {
            account: self.account.number,
            pusher: self.pusher,
            number: self.next,
        };
        Message::new(push.encode()).on_stream(0)
    }

    fn note(&mut self, result: Result<(), SendError>) -> Result<(), SendError> {
        if result.is_ok() {
            self.next += 1;
            self.account.accepted.fetch_add(1, Ordering::AcqRel);
        }
        result
    }
}

/// An association that is up.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) handle: AssociationHandle,
    pub(crate) account: Arc<Account>,
}

/// An association that is over, and whose pushes may still be on their way.
#[derive(Debug)]
struct Closed {
    account: Arc<Account>,
    end: End,
    counts: Counts,
    looks: u64,
}

/// Clients that had begun to shut down when their association ended, by server and association.
type Drained = HashSet<(u16, i32)>;

/// The accounts of all associations.
#[derive(Debug, Default)]
pub(crate) struct Book {
    open: Mutex<HashMap<(u16, i32), Open>>,
    accounts: Mutex<HashMap<u64, Arc<Account>>>,
    closed: Mutex<Vec<Closed>>,
    drained: Mutex<Drained>,
    next: AtomicU64,
    pushes: AtomicU64,
}

impl Book {
    /// An association came up.
    pub(crate) fn open(&self, server: u16, assoc: i32, handle: AssociationHandle) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let account = Arc::new(Account {
            number,
            at: At {
                server: Some(server),
                assoc: Some(assoc),
            },
            accepted: AtomicU64::new(0),
            received: AtomicU64::new(0),
            restarts: AtomicBool::new(false),
            expected: Mutex::default(),
            gap: OnceLock::new(),
        });
        lock(&self.accounts).insert(number, Arc::clone(&account));
        let open = Open { handle, account };
        lock(&self.open).insert((server, assoc), open);
    }

    /// The peer of an association started again, which has a new handle from now on.
    pub(crate) fn restart(&self, server: u16, assoc: i32, handle: AssociationHandle) {
        if let Some(open) = lock(&self.open).get_mut(&(server, assoc)) {
            open.account.expect_restart();
            open.handle = handle;
        }
    }

    /// An association is over.
    pub(crate) fn close(&self, server: u16, assoc: i32, end: End, counts: Counts, watch: &Watch) {
        let open = lock(&self.open).remove(&(server, assoc));
        if let Some(open) = open {
            lock(&self.closed).push(Closed {
                account: open.account,
                end,
                counts,
                looks: watch.looks(),
            });
        }
    }

    /// A client's association is over, which the client had begun to shut down: what arrived after that
    /// may have been discarded. Its account may be settled already, and is not asked about any more.
    pub(crate) fn drained(&self, server: u16, assoc: i32) {
        let key = (server, assoc);
        let mut drained = lock(&self.drained);
        let accounts = lock(&self.accounts);
        if accounts.values().any(|account| account.key() == key) {
            drained.insert(key);
        }
    }

    /// An association that is up, if there is one.
    pub(crate) fn find(&self, server: u16, assoc: i32) -> Option<Arc<Account>> {
        let open = lock(&self.open);
        let open = open.get(&(server, assoc))?;
        Some(Arc::clone(&open.account))
    }

    /// Some association that is up.
    pub(crate) fn any(&self, rng: &mut Rng) -> Option<Open> {
        let open = lock(&self.open);
        let index = rng.below(open.len().max(1));
        open.values().nth(index).cloned()
    }

    /// A push arrived. Returns what is wrong with that.
    pub(crate) fn receive(&self, push: &Push) -> Option<String> {
        // Those of an association that ended otherwise than in order may come late.
        let account = lock(&self.accounts).get(&push.account).cloned()?;
        let wrong = account.receive(push)?;
        Some(format!(
            "push {} of pusher {}, on {}: {wrong}",
            push.number, push.pusher, account.at
        ))
    }

    /// Settles the accounts of associations that are over, and reports those that cannot be.
    pub(crate) fn settle(&self, watch: &Watch, faults: &Faults) {
        let mut settled = Vec::new();
        let mut drained = lock(&self.drained);
        lock(&self.closed).retain(|closed| {
            let is_drained = closed.is_drained(&drained);
            let is_settled = closed.is_settled(is_drained);
            let is_complete = is_settled && closed.end.is_orderly() && !is_drained;
            if !is_complete && !watch.is_overdue(closed.looks) {
                return true;
            }
            if !(is_settled && closed.has_no_gap(is_drained)) {
                faults.add(Kind::Lost, closed.describe(is_drained));
            }
            settled.push(Arc::clone(&closed.account));
            false
        });
        let mut accounts = lock(&self.accounts);
        for account in settled {
            let accepted = account.accepted.load(Ordering::Acquire);
            self.pushes.fetch_add(accepted, Ordering::Relaxed);
            accounts.remove(&account.number);
            drained.remove(&account.key());
        }
    }

    /// Returns `true` if no association is up, and every account is settled.
    pub(crate) fn is_empty(&self) -> bool {
        let drained = lock(&self.drained);
        let is_settled = |closed: &Closed| closed.is_settled(closed.is_drained(&drained));
        lock(&self.open).is_empty() && lock(&self.closed).iter().all(is_settled)
    }

    /// The pushes that were accepted so far.
    pub(crate) fn pushes(&self) -> u64 {
        let accounts = lock(&self.accounts);
        let open = accounts
            .values()
            .map(|account| account.accepted.load(Ordering::Acquire));
        self.pushes.load(Ordering::Relaxed) + open.sum::<u64>()
    }
}

impl Closed {
    /// Returns `true` if the client had begun to shut down.
    fn is_drained(&self, drained: &Drained) -> bool {
        drained.contains(&self.account.key())
    }

    /// Returns `true` if each push that was accepted has arrived, or need not have.
    ///
    /// After an orderly end all have, but for those that the server's counts have as discarded. A
    /// client that had begun to shut down may have discarded more, and any end but an orderly one may
    /// have lost more.
    fn is_settled(&self, is_drained: bool) -> bool {
        let accepted = self.account.accepted.load(Ordering::Acquire);
        let received = self.account.received.load(Ordering::Acquire);
        let accounted = received + self.counts.discarded_sends;
        let restarts = self.account.restarts.load(Ordering::Acquire);
        let arrived = match &self.end {
            _ if restarts || is_drained => accounted <= accepted,
            // Everything that was accepted is sent before.
            End::Shutdown { by: Side::Local } => received == accepted,
            End::Shutdown { .. } => accounted == accepted,
            _ => accounted <= accepted,
        };
        accepted == self.counts.sends && arrived
    }

    /// Returns `true` if no push is missing before one that has arrived, or one may be.
    fn has_no_gap(&self, is_drained: bool) -> bool {
        let restarts = self.account.restarts.load(Ordering::Acquire);
        restarts || is_drained || self.account.gap.get().is_none()
    }

    fn describe(&self, is_drained: bool) -> String {
        let restarts = self.account.restarts.load(Ordering::Acquire);
        format!(
            "pushes on {}, {}{}{}: {} accepted, {} by its counts, {} discarded, {} received{}",
            self.account.at,
            self.end,
            if restarts { " after a restart" } else { "" },
            if is_drained {
                ", of a client that shut down"
            } else {
                ""
            },
            self.account.accepted.load(Ordering::Acquire),
            self.counts.sends,
            self.counts.discarded_sends,
            self.account.received.load(Ordering::Acquire),
            self.account
                .gap
                .get()
                .map_or_else(String::new, |gap| format!("; {gap}")),
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUSHES: u64 = 3;

    /// An association with this end, of whose pushes one was not received.
    fn one_missing(end: End, discarded_sends: u64) -> Closed {
        let book = Book::default();
        book.open(1, 1, AssociationHandle::default());
        let account = Arc::clone(&lock(&book.open)[&(1, 1)].account);
        let mut line = account.line(0);
        for _ in 0..PUSHES {
            line.note(Ok(())).unwrap();
        }
        for number in [0, 2] {
            let push = Push {
                account: account.number,
                pusher: 0,
                number,
            };
            assert_eq!(book.receive(&push), None);
        }
        let mut counts = Counts::default();
        counts.sends = PUSHES;
        counts.discarded_sends = discarded_sends;
        Closed {
            account,
            end,
            counts,
            looks: 0,
        }
    }

    #[test]
    fn missing_push_is_lost_after_an_orderly_end() {
        let [local, peer] = [Side::Local, Side::Peer].map(|by| End::Shutdown { by });
        assert!(!one_missing(local.clone(), 0).is_settled(false));
        assert!(!one_missing(local, 1).is_settled(false));
        assert!(!one_missing(peer.clone(), 0).is_settled(false));
        assert!(one_missing(peer.clone(), 1).is_settled(false));
        let closed = one_missing(peer, 1);
        assert!(!closed.has_no_gap(false));
        let text = closed.describe(false);
        assert!(
            text.contains("2 of pusher 0 was received while 1 was not"),
            "{text}"
        );
    }

    #[test]
    fn gap_in_a_complete_account_is_reported() {
        let (book, watch, faults) = (Book::default(), Watch::default(), Faults::default());
        let closed = one_missing(End::Shutdown { by: Side::Peer }, 1);
        lock(&book.accounts).insert(closed.account.number, Arc::clone(&closed.account));
        lock(&book.closed).push(closed);
        book.settle(&watch, &faults);
        let lines = faults.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("was received while 1 was not"),
            "{lines:?}"
        );
        assert!(book.is_empty() && lock(&book.accounts).is_empty());
    }

    #[test]
    fn client_that_closes_after_its_account_leaves_nothing() {
        let (book, watch, faults) = (Book::default(), Watch::default(), Faults::default());
        for assoc in [1, 2] {
            book.open(1, assoc, AssociationHandle::default());
        }
        let end = End::Shutdown { by: Side::Peer };
        book.close(1, 1, end, Counts::default(), &watch);
        book.settle(&watch, &faults);
        book.drained(1, 1);
        assert!(lock(&book.drained).is_empty());
        book.drained(1, 2);
        assert_eq!(*lock(&book.drained), HashSet::from([(1, 2)]));
        assert_eq!(faults.lines(), Vec::<String>::new());
    }

    #[test]
    fn client_that_shut_down_may_discard_pushes() {
        let closed = one_missing(End::Shutdown { by: Side::Local }, 0);
        assert!(closed.is_settled(true) && closed.has_no_gap(true));
        // More than were accepted cannot have arrived.
        let closed = one_missing(End::Shutdown { by: Side::Peer }, 2);
        assert!(!closed.is_settled(true));
    }
}
