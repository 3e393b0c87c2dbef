//! Kinds of work for handlers.

use crate::{payload::Request, rng::Rng};

/// The work that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Work {
    Abort,
    /// Asks back. Only where both ends can.
    Back,
    Channel,
    Echo,
    Join,
    Leave,
    Mpsc,
    Notify,
    Push,
    Rally,
    Restart,
    Select,
    Semaphore,
    Spin,
    Stream,
    Timer,
    Unordered,
}

impl Work {
    pub(crate) const ALL: [Self; 17] = [
        Self::Abort,
        Self::Back,
        Self::Channel,
        Self::Echo,
        Self::Join,
        Self::Leave,
        Self::Mpsc,
        Self::Notify,
        Self::Push,
        Self::Rally,
        Self::Restart,
        Self::Select,
        Self::Semaphore,
        Self::Spin,
        Self::Stream,
        Self::Timer,
        Self::Unordered,
    ];

    pub(crate) fn random(rng: &mut Rng) -> Self {
        match rng.below(3000) {
            0 => Self::Abort,
            1 => Self::Leave,
            2..500 => Self::Join,
            500..900 => Self::Rally,
            900..1500 => Self::Spin,
            _ => rng.pick(&[
                Self::Channel,
                Self::Echo,
                Self::Mpsc,
                Self::Notify,
                Self::Push,
                Self::Select,
                Self::Semaphore,
                Self::Stream,
                Self::Timer,
                Self::Unordered,
            ]),
        }
    }

    pub(crate) fn of(request: &Request) -> Self {
        let work = Self::ALL.get(usize::from(request.work));
        work.copied().unwrap_or(Self::Echo)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Abort => "call (abort)",
            Self::Back => "call (asking back)",
            Self::Channel => "call (reply channel)",
            Self::Echo => "call (echo)",
            Self::Join => "call (join)",
            Self::Leave => "call (shutdown after the reply)",
            Self::Mpsc => "call (mpsc)",
            Self::Notify => "call (notify)",
            Self::Push => "call (push)",
            Self::Rally => "call (rally)",
            Self::Restart => "call (before a restart)",
            Self::Select => "call (select)",
            Self::Semaphore => "call (semaphore)",
            Self::Spin => "call (waking itself)",
            Self::Stream => "call (reply stream)",
            Self::Timer => "call (timer)",
            Self::Unordered => "call (unordered futures)",
        }
    }
}
