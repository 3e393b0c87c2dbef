//! Messages to send: from arguments, from files, or from standard input.

use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use sctp_tokio::{Ppid, Reliability, SendInfo};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    hex, parse,
    status::{FAILED, Failure, USAGE},
};

/// Maximum length of a message.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Number of messages that are read ahead.
const READ_AHEAD: usize = 16;
/// Time until the end of the input is known, for input that has ended.
const END_OF_INPUT: Duration = Duration::from_millis(100);

/// Messages, and the parameters with which they are sent.
#[derive(Args, Clone, Debug)]
pub(crate) struct Source {
    /// Send this text as a message; may be given several times. Without --message and --file,
    /// each line of standard input is a message
    #[arg(long, short, value_name = "TEXT", help_heading = "Messages")]
    message: Vec<String>,
    /// Send the contents of this file as one message, after those of --message
    #[arg(long, short, value_name = "FILE", help_heading = "Messages")]
    file: Vec<PathBuf>,
    /// Read texts, lines and files as hexadecimal digits: 00 1f, 00:1f or 001f
    #[arg(long, help_heading = "Messages")]
    hex: bool,
    /// Read messages of any bytes from standard input, each after its length in 4 bytes, the most
    /// significant first
    #[arg(long, conflicts_with_all = ["message", "file", "hex"], help_heading = "Messages")]
    length_prefixed: bool,

    /// Send on this stream
    #[arg(
        long,
        short,
        value_name = "N",
        default_value_t = 0,
        help_heading = "Messages"
    )]
    stream: u16,
    /// Payload protocol identifier: a number, or a name such as ngap, s1ap, m3ua, diameter
    #[arg(
        long,
        short,
        value_name = "N|NAME",
        default_value = "0",
        help_heading = "Messages"
    )]
    ppid: Ppid,
    /// Let messages overtake others of their stream
    #[arg(long, short, help_heading = "Messages")]
    unordered: bool,
    /// Abandon a message that could not be delivered within this time
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration,
          help_heading = "Messages")]
    lifetime: Option<Duration>,
}

impl Source {
    pub(crate) fn stream(&self) -> u16 {
        self.stream
    }

    pub(crate) fn info(&self) -> SendInfo {
        let reliability = match self.lifetime {
            Some(time) => Reliability::Lifetime(time),
            None => Reliability::Reliable,
        };
        SendInfo::on_stream(self.stream)
            .with_ppid(self.ppid)
            .with_unordered(self.unordered)
            .with_reliability(reliability)
    }

    /// Begins to read: these messages, or standard input if there are none.
    pub(crate) fn open(&self, given: Vec<Bytes>) -> Input {
        if !given.is_empty() {
            return Input::Given(given.into_iter());
        }
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let read = match (self.length_prefixed, self.hex) {
            (true, _) => read_prefixed,
            (false, true) => read_hex_lines,
            (false, false) => read_lines,
        };
        // tokio's standard input would keep the process alive until the user presses Enter.
        thread::spawn(move || read(&mut io::stdin().lock(), &sender));
        Input::Read(receiver)
    }

    /// Reads the messages of the command line.
    pub(crate) fn given(&self) -> Result<Vec<Bytes>, Failure> {
        let mut messages = Vec::new();
        for text in &self.message {
            let bytes = match self.hex {
                true => hex::parse(text.as_bytes()),
                false => Ok(text.clone().into_bytes()),
            };
            let checked = bytes.and_then(check);
            messages.push(
                checked
                    .map_err(|error| Failure::new(USAGE, format!("message {text:?}: {error}")))?,
            );
        }
        for path in &self.file {
            let failed =
                |error: String| Failure::new(FAILED, format!("{}: {error}", path.display()));
            let bytes = read_file(path).map_err(failed)?;
            let bytes = match self.hex {
                true => hex::parse(&bytes).map_err(failed)?,
                false => bytes,
            };
            messages.push(check(bytes).map_err(failed)?);
        }
        Ok(messages)
    }
}

/// Messages in the order in which they are to be sent.
#[derive(Debug)]
pub(crate) enum Input {
    Given(std::vec::IntoIter<Bytes>),
    Read(mpsc::Receiver<Result<Bytes, String>>),
}

impl Input {
    /// Returns the next message, or `None` at the end. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Given(messages) => Ok(messages.next()),
            Self::Read(receiver) => {
                let next = receiver.recv().await.transpose();
                next.map_err(|error| Failure::new(FAILED, error))
            }
        }
    }

    /// Returns `true` if the input has ended, or does so presently.
    pub(crate) async fn has_ended(&mut self) -> bool {
        matches!(timeout(END_OF_INPUT, self.next()).await, Ok(Ok(None)))
    }
}

type Sender = mpsc::Sender<Result<Bytes, String>>;

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_MESSAGE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn read_lines(input: &mut dyn BufRead, sender: &Sender) {
    each_line(input, sender, |line| Ok(line.to_vec()));
}

fn read_hex_lines(input: &mut dyn BufRead, sender: &Sender) {
    each_line(input, sender, hex::parse);
}

/// Reads lines until the end, the first unusable one, or nobody wants any more.
fn each_line(
    input: &mut dyn BufRead,
    sender: &Sender,
    convert: fn(&[u8]) -> Result<Vec<u8>, String>,
) {
    for number in 1_u64.. {
        let mut line = Vec::new();
        // In hex, with separators, a message takes three characters for each byte.
        let mut limited = Read::take(&mut *input, 3 * MAX_MESSAGE as u64 + 2);
        let message = match limited.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                convert(line).and_then(check)
            }
            Err(error) => Err(error.to_string()),
        };
        let message = message.map_err(|error| format!("standard input, line {number}: {error}"));
        let ends = message.is_err();
        if sender.blocking_send(message).is_err() || ends {
            return;
        }
    }
}

fn read_prefixed(input: &mut dyn BufRead, sender: &Sender) {
    for number in 1_u64.. {
        let message = match prefixed(input) {
            Ok(None) => return,
            Ok(Some(bytes)) => Ok(bytes),
            Err(error) => Err(format!("standard input, message {number}: {error}")),
        };
        let ends = message.is_err();
        if sender.blocking_send(message).is_err() || ends {
            return;
        }
    }
}

/// Reads one message after its length. `None` if the input ends before it.
fn prefixed(input: &mut dyn BufRead) -> Result<Option<Bytes>, String> {
    if input
        .fill_buf()
        .map_err(|error| error.to_string())?
        .is_empty()
    {
        return Ok(None);
    }
    let cut_off = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "the input ends within it".to_owned(),
        _ => error.to_string(),
    };
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(cut_off)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_MESSAGE {
        return Err(too_long(length));
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes).map_err(cut_off)?;
    check(bytes).map(Some)
}

fn check(bytes: Vec<u8>) -> Result<Bytes, String> {
    match bytes.len() {
        0 => Err("message is empty".to_owned()),
        len if len > MAX_MESSAGE => Err(too_long(len)),
        _ => Ok(bytes.into()),
    }
}

fn too_long(len: usize) -> String {
    format!("message of {len} bytes exceeds the limit of {MAX_MESSAGE} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(read: fn(&mut dyn BufRead, &Sender), mut input: &[u8]) -> Vec<Result<Bytes, String>> {
        let (sender, mut receiver) = mpsc::channel(READ_AHEAD);
        read(&mut input, &sender);
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    #[test]
    fn lines_become_messages_up_to_the_first_unusable() {
        let two = [Ok(Bytes::from("a b")), Ok(Bytes::from_static(b"\xff"))];
        assert_eq!(read(read_lines, b"a b\n\xff"), two);
        let empty = "standard input, line 2: message is empty".to_owned();
        assert_eq!(
            read(read_lines, b"a b\n\nc\n"),
            [two[0].clone(), Err(empty)]
        );
        let malformed = "standard input, line 2: malformed hex: odd number of digits".to_owned();
        let one = Ok(Bytes::from_static(b"\x01\x02"));
        assert_eq!(
            read(read_hex_lines, b"01 02\n0\n01\n"),
            [one, Err(malformed)]
        );
    }

    #[test]
    fn lengths_delimit_messages() {
        let input = b"\0\0\0\x02a\n\0\0\0\x01b";
        let two = [Ok(Bytes::from("a\n")), Ok(Bytes::from("b"))];
        assert_eq!(read(read_prefixed, input), two);
        for (input, error) in [
            (&b"\0\0"[..], "the input ends within it"),
            (b"\0\0\0\x02a", "the input ends within it"),
            (b"\0\0\0\0", "message is empty"),
            (
                b"\xff\0\0\0",
                "message of 4278190080 bytes exceeds the limit of 16777216 bytes",
            ),
        ] {
            let error = format!("standard input, message 1: {error}");
            assert_eq!(read(read_prefixed, input), [Err(error)]);
        }
    }
}
