//! Spawning of tasks.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

/// Spawns the tasks of a server, client or pool, in place of [`tokio::spawn`].
///
/// Implement this trait to count or name tasks, or to spawn them on another tokio runtime. Timers
/// and sockets use tokio, so a tokio runtime is required in any case. The trait is object safe, so
/// an executor can be chosen at run time.
///
/// A server has a task for each listener, for each [dialled](crate::Serve::with_dial) peer and for
/// each association. A client has one task, and a second one for an association that still drains
/// while the next one is used. A pool has a few tasks in addition to those of its clients.
///
/// ```
/// use std::{future::Future, pin::Pin, sync::{Arc, atomic::{AtomicUsize, Ordering}}};
///
/// use sctp_service::Executor;
///
/// /// Counts the tasks that have not ended.
/// struct Counting(Arc<AtomicUsize>);
///
/// impl Executor for Counting {
///     fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
///         let count = Arc::clone(&self.0);
///         count.fetch_add(1, Ordering::Relaxed);
///         tokio::spawn(async move {
///             task.await;
///             count.fetch_sub(1, Ordering::Relaxed);
///         });
///     }
/// }
/// ```
pub trait Executor: Send + Sync + 'static {
    /// Runs a future in a task of its own.
    ///
    /// A future that is dropped before it completes closes its listener, association or client.
    ///
    /// # Panics
    ///
    /// A panic while spawning closes the association of a server, or ends the whole server, client
    /// or pool, depending on the task.
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>);
}

impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        (**self).spawn(task);
    }
}

impl<E: Executor + ?Sized> Executor for Box<E> {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        (**self).spawn(task);
    }
}

/// Spawns with [`tokio::spawn`], which needs no allocation for the future, or with an executor.
#[derive(Clone, Default)]
pub(crate) struct Spawner(Option<Arc<dyn Executor>>);

impl Spawner {
    pub(crate) fn new(executor: impl Executor) -> Self {
        Self(Some(Arc::new(executor)))
    }

    /// Returns this one, or the other if this one is the default.
    #[cfg(feature = "pool")]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// Spawns a task.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, if no executor was set.
    #[track_caller]
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            Some(executor) => executor.spawn(Box::pin(task)),
            None => drop(tokio::spawn(task)),
        }
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "unset" })
    }
}
