//! Ctrl-C and SIGTERM at each moment.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    process::{ExitStatus, Stdio},
    time::Instant,
};

use crate::support::{
    File, PATIENCE, Program, Server, command, echo_then_cut, netns::two_cables, sctp_in, silence,
    wait, within,
};

#[track_caller]
fn interrupted(program: &mut Program) {
    program.signal("INT");
    program.exits_with(130);
    assert_eq!(program.stderr.text(), "sctp: interrupted");
}

#[test]
fn interrupt_while_connecting() {
    let namespace = silence();
    for subcommand in ["send", "probe"] {
        let args = [subcommand, "10.3.0.2:9", "--connect-timeout", "1h"];
        let mut program = sctp_in(&namespace, &args);
        program.wait_for("net/sctp/assocs", "10.3.0.2");
        interrupted(&mut program);
    }
}

#[test]
fn interrupt_while_input_is_read() {
    let mut server = Server::start(&["--echo"]);
    let mut client = server.client(&[]);
    client.line("hello");
    assert_eq!(client.stdout.next(), "hello");
    interrupted(&mut client);
    assert!(server.closed().ends_with("shut down by peer"));
}

#[test]
fn interrupt_while_replies_are_awaited() {
    let mut server = Server::start(&[]);
    let mut client = server.client(&["-m", "hello", "--expect", "1", "--wait", "1h"]);
    assert_eq!(server.program.stdout.next(), "hello");
    interrupted(&mut client);
    assert!(server.closed().ends_with("shut down by peer"));
}

/// Sends signals to a client whose peer will never answer its SHUTDOWN, and waits for its end.
#[track_caller]
fn signalled_while_unreachable(signals: &[&str], trace: &File) -> (Program, ExitStatus) {
    let (left, right) = two_cables();
    let server = Server::of(sctp_in(&right, &["listen", "10.1.0.2:0", "--echo"]));
    let args = ["send", server.addr(), "--trace", trace.path()];
    let mut client = sctp_in(&left, &args);
    echo_then_cut(&mut client, &right);
    client.signals(signals);
    let status = client.status();
    (client, status)
}

/// An abort, which is traced, follows after a second.
#[test]
fn interrupt_with_an_unreachable_peer() {
    let trace = File::new("pcapng");
    let (client, status) = signalled_while_unreachable(&["INT"], &trace);
    assert_eq!(status.code(), Some(130));
    assert_eq!(client.stderr.text(), "sctp: interrupted");
    let traced = fs::read(trace.path()).unwrap();
    let reason = b"sctp: no orderly end in time";
    assert!(traced.windows(reason.len()).any(|found| found == reason));
}

/// The status is that of the second, but the order of two pending signals is up to the kernel.
#[test]
fn second_signal_waits_for_nothing() {
    let trace = File::new("pcapng");
    let (client, status) = signalled_while_unreachable(&["INT", "TERM"], &trace);
    assert!(matches!(status.code(), Some(130 | 143)), "{status}");
    assert_eq!(client.stderr.text(), "");
}

#[test]
fn interrupt_while_a_file_is_read() {
    let server = Server::echo();
    let fifo = format!("/run/sctp-fifo-{}", std::process::id());
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let mut client = server.client(&["--file", &fifo]);
    // Opening it lets the program begin to read, which then waits for more.
    let path = fifo.clone();
    let file = within("opening the FIFO", move || {
        OpenOptions::new().write(true).open(path).unwrap()
    });
    interrupted(&mut client);
    drop(file);
    fs::remove_file(&fifo).unwrap();
}

#[test]
fn termination_has_its_own_status() {
    let mut server = Server::start(&[]);
    let mut client = server.client(&["-m", "hello", "--wait", "1h"]);
    assert_eq!(server.program.stdout.next(), "hello");
    client.terminate();
    client.exits_with(143);
    assert_eq!(client.stderr.text(), "sctp: terminated");
}

/// Replies come until the pipe is full, which nobody reads.
#[test]
fn interrupt_while_nobody_reads_the_output() {
    let server = Server::start(&["--quiet", "--reply", &"x".repeat(10_000)]);
    let mut child = command(&["send", server.addr(), "--expect", "1000", "--wait", "1h"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // It fails when the program ends.
        while input.write_all(b"more\n").is_ok() {}
    });
    let mut stdout = child.stdout.take().unwrap();
    let stdout = within("reading the first replies", move || {
        stdout.read_exact(&mut [0; 1000]).unwrap();
        stdout
    });
    let deadline = Instant::now() + PATIENCE;
    while rustix::io::ioctl_fionread(&stdout).unwrap() < 55_000 {
        assert!(Instant::now() < deadline, "the pipe is not full");
        std::thread::yield_now();
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    let status = wait(&mut child);
    writer.join().unwrap();
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert_eq!(said, "sctp: interrupted\n");
}
