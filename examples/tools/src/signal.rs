//! Signals that stop the program.

use std::{io, process};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Stream of the signals that ask the process to stop: Ctrl-C and SIGTERM.
#[derive(Debug)]
pub(crate) struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    /// Catches the signals from now on.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
        }
    }
}

/// Signal that stops the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Stop {
    /// Exit status that a shell shows for the signal.
    pub(crate) fn status(self) -> u8 {
        128 + match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// Signals of the whole run: the first ends it in order, the second at once.
#[derive(Clone, Debug)]
pub(crate) struct Signals(watch::Receiver<Option<Stop>>);

impl Signals {
    /// Catches the signals from now on.
    pub(crate) fn catch() -> io::Result<Self> {
        let mut stops = Stops::catch()?;
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            sender.send_replace(Some(stops.next().await));
            process::exit(stops.next().await.status().into());
        });
        Ok(Self(receiver))
    }

    /// Waits for a future, unless the first signal comes before.
    pub(crate) async fn unless<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            signal = self.first() => Err(signal),
            done = future => Ok(done),
        }
    }

    /// Waits for the first signal.
    pub(crate) async fn first(&mut self) -> Stop {
        // The sender waits for the second signal once it has sent the first.
        match self.0.wait_for(Option::is_some).await {
            Ok(signal) => signal.unwrap_or(Stop::Interrupt),
            Err(_) => std::future::pending().await,
        }
    }
}
