//! Errors for options that the kernel lacks.

use std::{error, fmt, io};

use crate::abi;

/// Error returned for a socket option that the running kernel lacks.
///
/// Every method of [`Socket`](crate::Socket) that gets or sets an option returns it inside an
/// [`io::Error`] of kind [`Unsupported`](io::ErrorKind::Unsupported), in place of the kernel's
/// `ENOPROTOOPT`. [`UnsupportedOption::of`] extracts it. The kind alone is ambiguous: `EOPNOTSUPP`,
/// for an option on the wrong style of socket, has the same kind.
///
/// ```
/// # use sctp_core::{AssocId, Socket, options::UnsupportedOption};
/// # fn example(socket: &Socket) -> std::io::Result<()> {
/// match socket.set_ecn_supported(false) {
///     Err(error) if UnsupportedOption::of(&error).is_some() => {} // older than Linux 5.4
///     result => result?,
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnsupportedOption {
    /// Number of the option.
    pub number: i32,
    /// Name of the option in `<linux/sctp.h>`, if known.
    pub name: Option<&'static str>,
    /// First version of Linux with the option, if known.
    pub since: Option<&'static str>,
}

/// Options introduced after Linux 4.7, and the versions of Linux that introduced them.
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
    /// Extracts an unsupported option from an error.
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
                    "kernel does not support {name}, introduced in Linux {since}"
                )
            }
            _ => write!(f, "kernel does not support SCTP option {}", self.number),
        }
    }
}

impl error::Error for UnsupportedOption {}

/// Replaces the error of the kernel for an unknown option.
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

    /// Number without an option in any kernel.
    const NONE: i32 = 9999;

    #[cfg_attr(miri, ignore = "makes sockets")]
    #[test]
    fn unknown_options_are_reported() {
        for socket in [
            Socket::one_to_many(Family::V4).unwrap(),
            Socket::one_to_one(Family::V6).unwrap(),
        ] {
            for error in [
                socket.number(NONE).unwrap_err(),
                socket.set_number(NONE, 1).unwrap_err(),
                socket.assoc_number(NONE, AssocId::FUTURE).unwrap_err(),
                socket.set_offered(NONE, true).unwrap_err(),
                // SCTP_SENDMSG_CONNECT has a number among the options, but is none.
                socket.number(126).unwrap_err(),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::Unsupported);
                let option = UnsupportedOption::of(&error).unwrap();
                assert!([NONE, 126].contains(&option.number), "{option}");
            }
        }
    }

    #[test]
    fn message_names_option_and_version() {
        let error = explain(
            abi::SCTP_PLPMTUD_PROBE_INTERVAL,
            io::Error::from_raw_os_error(libc::ENOPROTOOPT),
        );
        assert_eq!(
            error.to_string(),
            "kernel does not support SCTP_PLPMTUD_PROBE_INTERVAL, introduced in Linux 5.14"
        );
    }

    #[test]
    fn other_errors_are_unchanged() {
        let error = explain(NONE, io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        assert_eq!(UnsupportedOption::of(&error), None);
    }
}
