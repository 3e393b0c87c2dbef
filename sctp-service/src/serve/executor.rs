//! Spawning of the tasks of associations.

use std::future::Future;

/// Spawns the task of each association.
///
/// The hook for runtimes within tokio: a `LocalSet` in disguise, a wrapper that counts or names
/// tasks. Timers and readiness are tokio's, so its runtime must be there in any case.
pub trait Executor: Send + Sync + 'static {
    /// Runs a future in a task of its own.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// Spawns with [`tokio::spawn`]: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioExecutor;

impl Executor for TokioExecutor {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}
