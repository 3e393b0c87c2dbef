//! Rule for reading the next message.

/// Inputs of the rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// There is a request that is ready to be served, but that the service has not accepted.
    pub(super) has_ready: bool,
    /// Requests that wait for an earlier one of their stream.
    pub(super) held: usize,
    /// The size of all requests that wait, in bytes.
    pub(super) cost: usize,
    /// The reply queue is full.
    pub(super) is_full: bool,
    /// A drain has begun, and what had arrived was read.
    pub(super) is_drained: bool,
    /// A call waits for its reply.
    pub(super) is_awaited: bool,
    /// The association has ended as far as reading is concerned: nothing is left, or only what is
    /// in the receive buffer.
    pub(super) end: Ending,
}

/// Knowledge of the end of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Unknown,
    /// The end was seen without reading, so messages may precede it.
    Seen,
    Read,
}

/// Limits of reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) held: usize,
    pub(super) cost: usize,
}

/// Decides whether the next message may be read. A limit of zero counts as one.
#[inline]
pub(super) fn may_read(load: Load, limits: Limits) -> bool {
    match load.end {
        Ending::Read => false,
        // Nothing more can arrive: what is left is no more than the receive buffer holds, and the end
        // behind it says if the peer still counts on it.
        Ending::Seen => true,
        Ending::Unknown => {
            let is_free = !load.has_ready
                && (load.held == 0 || load.held < limits.held)
                && !load.is_full
                && !load.is_drained;
            // Awaited replies are read even if the reply queue is full. Otherwise two ends that
            // both wait for room to reply would deadlock.
            (is_free || load.is_awaited) && (load.cost == 0 || load.cost < limits.cost)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { held: 2, cost: 100 };

    const IDLE: Load = Load {
        has_ready: false,
        held: 0,
        cost: 0,
        is_full: false,
        is_drained: false,
        is_awaited: false,
        end: Ending::Unknown,
    };

    /// Asserts what the rule says of a load, before an end, behind one that was seen, and behind
    /// one that was read.
    #[track_caller]
    fn assert_rule(load: Load, expected: [bool; 3]) {
        for (end, expected) in [Ending::Unknown, Ending::Seen, Ending::Read]
            .into_iter()
            .zip(expected)
        {
            let load = Load { end, ..load };
            assert_eq!(may_read(load, LIMITS), expected, "{load:?}");
        }
    }

    #[test]
    fn each_limit_holds_until_an_end_is_seen() {
        assert_rule(IDLE, [true, true, false]);
        let within = Load {
            held: 1,
            cost: 99,
            ..IDLE
        };
        assert_rule(within, [true, true, false]);
        let beyond = [
            Load {
                has_ready: true,
                ..IDLE
            },
            Load { held: 2, ..IDLE },
            Load { cost: 100, ..IDLE },
            Load {
                is_full: true,
                ..IDLE
            },
            Load {
                is_drained: true,
                ..IDLE
            },
        ];
        for load in beyond {
            assert_rule(load, [false, true, false]);
        }
    }

    #[test]
    fn awaited_message_is_read_up_to_the_cost_alone() {
        let within = Load {
            has_ready: true,
            held: 9,
            cost: 99,
            is_full: true,
            is_drained: true,
            is_awaited: true,
            end: Ending::Unknown,
        };
        assert_rule(within, [true, true, false]);
        let beyond = Load {
            is_awaited: true,
            cost: 100,
            ..IDLE
        };
        assert_rule(beyond, [false, true, false]);
    }

    #[test]
    fn limit_of_zero_counts_as_one() {
        let none = Limits { held: 0, cost: 0 };
        assert!(may_read(IDLE, none));
        assert!(!may_read(Load { held: 1, ..IDLE }, none));
    }
}
