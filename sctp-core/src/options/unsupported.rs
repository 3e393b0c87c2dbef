//! What the kernel says to an option that it does not know.

use std::{error, fmt, io};

use crate::abi;

/// The running kernel does not have a socket option.
///
/// Every method of [`Socket`](crate::Socket) that gets or sets an option returns it inside an
/// [`io::Error`] of kind [`Unsupported`](io::ErrorKind::Unsupported), in place of the kernel's
/// `ENOPROTOOPT`; [`UnsupportedOption::of`] finds it there. The kind alone does not tell: an option
/// on the wrong style of socket is `EOPNOTSUPP`, which is of the same kind.
///
/// ```
/// # use sctp_core::{AssocId, Socket, options::UnsupportedOption};
/// # fn example(socket: &Socket) -> std::io::Result<()> {
/// match socket.set_ecn_supported(false) {
///     Err(error) if UnsupportedOption::of(&error).is_some() => {} // older than Linux 5.4: do without
///     result => result?,
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnsupportedOption {
    /// The option's number.
    pub number: i32,
    /// The option's name in `<linux/sctp.h>`, if this crate knows since when there is one.
    pub name: Option<&'static str>,
    /// The first version of Linux that has it.
    pub since: Option<&'static str>,
}

/// The options that came after Linux 4.7, and the version of Linux that brought them.
const SINCE: &[(i32, &str, &str)] = &[
    (abi::SCTP_PR_SUPPORTED, "SCTP_PR_SUPPORTED", "4.8"),
    (abi::SCTP_DEFAULT_PRINFO, "SCTP_DEFAULT_PRINFO", "4.8"),
    (abi::SCTP_PR_ASSOC_STATUS, "SCTP_PR_ASSOC_STATUS", "4.8"),
    (abi::SCTP_PR_STREAM_STATUS, "SCTP_PR_STREAM_STATUS", "4.12"),
    (
        abi::SCTP_ENABLE_STREAM_RESET,
        "SCTP_ENABLE_STREAM_RESET",
        "4.11",
    ),
    (
        abi::SCTP_RECONFIG_SUPPORTED,
        "SCTP_RECONFIG_SUPPORTED",
        "4.12",
    ),
    (abi::SCTP_STREAM_SCHEDULER, "SCTP_STREAM_SCHEDULER", "4.15"),
    (
        abi::SCTP_STREAM_SCHEDULER_VALUE,
        "SCTP_STREAM_SCHEDULER_VALUE",
        "4.15",
    ),
    (
        abi::SCTP_INTERLEAVING_SUPPORTED,
        "SCTP_INTERLEAVING_SUPPORTED",
        "4.16",
    ),
    (
        abi::SCTP_AUTH_DEACTIVATE_KEY,
        "SCTP_AUTH_DEACTIVATE_KEY",
        "4.17",
    ),
    (abi::SCTP_REUSE_PORT, "SCTP_REUSE_PORT", "4.19"),
    (abi::SCTP_EVENT, "SCTP_EVENT", "5.0"),
    (abi::SCTP_ASCONF_SUPPORTED, "SCTP_ASCONF_SUPPORTED", "5.4"),
    (abi::SCTP_AUTH_SUPPORTED, "SCTP_AUTH_SUPPORTED", "5.4"),
    (abi::SCTP_ECN_SUPPORTED, "SCTP_ECN_SUPPORTED", "5.4"),
    (
        abi::SCTP_PEER_ADDR_THLDS_V2,
        "SCTP_PEER_ADDR_THLDS_V2",
        "5.5",
    ),
    (
        abi::SCTP_EXPOSE_POTENTIALLY_FAILED_STATE,
        "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE",
        "5.5",
    ),
    (
        abi::SCTP_REMOTE_UDP_ENCAPS_PORT,
        "SCTP_REMOTE_UDP_ENCAPS_PORT",
        "5.11",
    ),
    (
        abi::SCTP_PLPMTUD_PROBE_INTERVAL,
        "SCTP_PLPMTUD_PROBE_INTERVAL",
        "5.14",
    ),
];

impl UnsupportedOption {
    /// Returns the option that the kernel does not have, if that is what the error says.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    fn new(number: i32) -> Self {
        let entry = SINCE.iter().find(|(known, ..)| *known == number);
        Self {
            number,
            name: entry.map(|(_, name, _)| *name),
            since: entry.map(|(.., since)| *since),
        }
    }
}

impl fmt::Display for UnsupportedOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name, self.since) {
            (Some(name), Some(since)) => {
                write!(
                    f,
                    "this kernel does not have {name}, which came with Linux {since}"
                )
            }
            _ => write!(
                f,
                "this kernel does not have the SCTP option {}",
                self.number
            ),
        }
    }
}

impl error::Error for UnsupportedOption {}

/// Replaces the kernel's answer to an unknown option.
pub(super) fn explain(number: i32, error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(libc::ENOPROTOOPT) {
        return error;
    }
    io::Error::new(io::ErrorKind::Unsupported, UnsupportedOption::new(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::AssocId,
        socket::{Family, Socket},
    };

    /// A number that no kernel has.
    const NONE: i32 = 9999;

    #[cfg_attr(miri, ignore = "makes sockets")]
    #[test]
    fn an_option_that_no_kernel_has_is_a_value() {
        for socket in [
            Socket::one_to_many(Family::V4).unwrap(),
            Socket::one_to_one(Family::V6).unwrap(),
        ] {
            for error in [
                socket.number(NONE).unwrap_err(),
                socket.set_number(NONE, 1).unwrap_err(),
                socket.assoc_number(NONE, AssocId::FUTURE).unwrap_err(),
                socket.set_offered(NONE, true).unwrap_err(),
                // SCTP_SENDMSG_CONNECT has a number among the options, and is none.
                socket.number(126).unwrap_err(),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::Unsupported);
                let option = UnsupportedOption::of(&error).unwrap();
                assert!([NONE, 126].contains(&option.number), "{option}");
            }
        }
    }

    #[test]
    fn the_message_names_the_option_and_its_kernel() {
        let error = explain(
            abi::SCTP_PLPMTUD_PROBE_INTERVAL,
            io::Error::from_raw_os_error(libc::ENOPROTOOPT),
        );
        assert_eq!(
            error.to_string(),
            "this kernel does not have SCTP_PLPMTUD_PROBE_INTERVAL, which came with Linux 5.14"
        );
    }

    #[test]
    fn other_errors_stay() {
        let error = explain(NONE, io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        assert_eq!(UnsupportedOption::of(&error), None);
    }
}
