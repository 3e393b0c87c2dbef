//! The text that people type and read.

use std::{fmt, str};

use sctp_tokio::{AbortReason, End, Message, ReasonTooLong, Received, Side};

/// Reads a line `[N]text` as the message `text` for stream N.
///
/// # Errors
///
/// [`MalformedLine`] when it is not of that form.
pub fn message(line: &[u8]) -> Result<Message, MalformedLine> {
    parts(line)
        .map(|(stream, text)| Message::new(text.to_vec()).on_stream(stream))
        .ok_or_else(|| MalformedLine(printable(line)))
}

fn parts(line: &[u8]) -> Option<(u16, &[u8])> {
    let rest = line.strip_prefix(b"[")?;
    let end = rest.iter().position(|byte| *byte == b']')?;
    let stream = str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((stream, &rest[end + 1..]))
}

/// A line is not of the form `[N]text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedLine(String);

impl fmt::Display for MalformedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = &self.0;
        write!(
            f,
            "cannot read {line:?}: a line is [N]text, N being a stream from 0 to 65535"
        )
    }
}

impl std::error::Error for MalformedLine {}

/// Shows a reply as the textbook's client does.
#[must_use]
pub fn reply(received: &Received) -> String {
    let info = &received.info;
    let (stream, seq, assoc) = (info.stream, info.ssn, info.assoc.get());
    let text = printable(&received.payload);
    format!("From str:{stream} seq:{seq} (assoc:{assoc:#x}): {text}")
}

/// Shows bytes of a peer as text that cannot do anything to a terminal.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// Describes the end of an association, with the reason that this end gave if it aborted.
#[must_use]
pub fn end(end: &End, own: Option<&AbortReason>) -> String {
    match (end, own) {
        (
            End::Aborted {
                by: Side::Local, ..
            },
            Some(reason),
        ) => {
            format!("{end}, reason \"{}\"", reason.as_bytes().escape_ascii())
        }
        _ => end.to_string(),
    }
}

/// Reads the reason of an abort from the command line.
///
/// # Errors
///
/// [`ReasonTooLong`] when it is longer than an ABORT may carry.
pub fn reason(text: &str) -> Result<AbortReason, ReasonTooLong> {
    AbortReason::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use sctp_tokio::{AssocId, RecvInfo};

    use super::*;

    #[test]
    fn line_names_a_stream_and_a_text() {
        assert_eq!(message(b"[3]hi"), Ok(Message::new("hi").on_stream(3)));
        assert_eq!(message(b"[0]"), Ok(Message::new("")));
        assert_eq!(message(b"[1][2]"), Ok(Message::new("[2]").on_stream(1)));
        let not_utf8 = Message::new(&b"\xff"[..]).on_stream(65535);
        assert_eq!(message(b"[65535]\xff"), Ok(not_utf8));
    }

    #[test]
    fn other_lines_are_malformed() {
        for line in [
            "",
            "hi",
            "[1",
            "[]hi",
            "[-1]hi",
            "[x]hi",
            "[65536]hi",
            " [1]hi",
        ] {
            let error = message(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(&format!("{line:?}")), "{error}");
        }
    }

    #[test]
    fn reply_is_shown_as_in_the_book() {
        let info = RecvInfo::default()
            .with_stream(3)
            .with_assoc(AssocId::new(10));
        let received = Received::new("hi", info);
        assert_eq!(reply(&received), "From str:3 seq:0 (assoc:0xa): hi");
    }

    #[test]
    fn end_has_the_reason_of_this_end() {
        let aborted = End::Aborted {
            by: Side::Local,
            causes: sctp_tokio::sctp_core::ErrorCauses::default(),
        };
        let own = AbortReason::from_static("so long");
        assert_eq!(end(&aborted, Some(&own)), "aborted, reason \"so long\"");
        assert_eq!(end(&aborted, None), "aborted");
        let shutdown = End::Shutdown { by: Side::Peer };
        assert_eq!(end(&shutdown, Some(&own)), "shut down by peer");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("né\x1b[2J\n".as_bytes()), "né\\u{1b}[2J\\n");
    }
}
