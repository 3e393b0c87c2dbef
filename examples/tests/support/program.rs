//! Runs programs, reads what they print line by line, and never waits longer than it must.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// Time limit for each step of a test. No step of a passing test takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running program. It is killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

impl Program {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
        Self {
            stdin: child.stdin.take(),
            stdout: Lines::read(format!("{name}'s stdout"), child.stdout.take().unwrap()),
            stderr: Lines::read(format!("{name}'s stderr"), child.stderr.take().unwrap()),
            name,
            child,
        }
    }

    /// Writes a line to the program's standard input.
    pub(crate) fn line(&mut self, line: impl AsRef<[u8]>) {
        let line = [line.as_ref(), b"\n"].concat();
        self.stdin.as_mut().unwrap().write_all(&line).unwrap();
    }

    /// Writes to the program's standard input. The program may have ended.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stdin.as_mut().unwrap().write_all(bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
    }

    /// Ends the program's standard input.
    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal: INT is what Ctrl-C sends.
    pub(crate) fn signal(&self, name: &str) {
        self.signals(&[name]);
    }

    /// Sends signals, each at once after the one before.
    pub(crate) fn signals(&self, names: &[&str]) {
        let id = self.child.id();
        let kills: Vec<_> = names
            .iter()
            .map(|name| format!("kill -{name} {id}"))
            .collect();
        assert!(
            Command::new("sh")
                .args(["-c", &kills.join(" && ")])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Returns the number of open sockets of the program.
    pub(crate) fn sockets(&self) -> usize {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.unwrap().path()).ok())
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Waits until a file of the program's folder in /proc has a text in it.
    #[track_caller]
    pub(crate) fn wait_for(&self, file: &str, text: &str) {
        let path = format!("/proc/{}/{file}", self.child.id());
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(&path).unwrap().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {path}");
            thread::yield_now();
        }
    }

    /// Waits for the program's end. Its standard input is left as it is.
    pub(crate) fn status(&mut self) -> ExitStatus {
        // Both streams end with the program. What is in them stays readable.
        self.stdout.read_to_end();
        self.stderr.read_to_end();
        self.child.wait().unwrap()
    }

    #[track_caller]
    pub(crate) fn exits_with(&mut self, code: i32) {
        let status = self.status();
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        assert_eq!(
            status.code(),
            Some(code),
            "{} ended with {status}\nstdout:\n{stdout}\nstderr:\n{stderr}",
            self.name,
        );
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one output stream, read in a thread of its own.
pub(crate) struct Lines {
    name: String,
    receiver: Receiver<String>,
    seen: Vec<String>,
    /// Number of seen lines that have been returned.
    taken: usize,
}

impl Lines {
    fn read(name: String, stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            name,
            receiver,
            seen: Vec::new(),
            taken: 0,
        }
    }

    /// Returns the next line.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        self.find("")
    }

    /// Waits for a line that contains a text, passing over others.
    #[track_caller]
    pub(crate) fn find(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while self.taken < self.seen.len() {
                self.taken += 1;
                let line = &self.seen[self.taken - 1];
                if line.contains(text) {
                    return line.clone();
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no {text:?} in {}: {error}\n{}", self.name, self.text()),
            }
        }
    }

    /// Every line so far.
    pub(crate) fn text(&self) -> String {
        self.seen.join("\n")
    }

    #[track_caller]
    fn read_to_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} does not end\n{}", self.name, self.text())
                }
            }
        }
    }
}
