//! Signals that stop a program.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the process is asked to stop, by Ctrl-C or SIGTERM. Both are caught from the
/// moment this is called, not only once the future is polled.
///
/// # Errors
///
/// When the signal cannot be caught.
pub fn stop() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
