//! The example `configured`: its file against the library, and its errors.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    collections::BTreeSet,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sctp_service::{Config, client::ClientConfig};
use sctp_tokio::SocketBuilder;
use support::Program;
use toml::{Table, Value};

const SAMPLE: &str = include_str!("../src/bin/configured/sample.toml");

/// Writes a file of this name for a test.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("configured-{name}.toml"));
    fs::write(&path, text).unwrap();
    path
}

/// Runs the program with a file, to its end.
#[track_caller]
fn configured(args: &[&str], file: &Path, code: i32) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_configured"));
    command.env_remove("RUST_LOG").args(args).arg(file);
    let mut program = Program::spawn(command);
    program.exits_with(code);
    program
}

/// Returns the settings in effect with a file.
#[track_caller]
fn in_effect(name: &str, text: &str) -> Table {
    let path = file(name, text);
    let printed = configured(&["--dump"], &path, 0).stdout.text();
    toml::from_str(&printed).unwrap()
}

/// Returns what the program says of a bad file, behind its name.
#[track_caller]
fn refused(name: &str, text: &str) -> String {
    let path = file(name, text);
    let program = configured(&["--check"], &path, 2);
    assert_eq!(program.stdout.text(), "");
    let said = program.stderr.text();
    let prefix = format!("configured: {}: ", path.display());
    said.strip_prefix(&prefix).expect(&said).to_owned()
}

#[test]
fn sample_has_every_key_with_its_default() {
    let sample: Table = toml::from_str(SAMPLE).unwrap();
    assert_eq!(in_effect("empty", ""), sample);
    assert_eq!(in_effect("sample", SAMPLE), sample);
}

/// Names of the fields that a value's `Debug` shows.
fn fields(value: &impl Debug) -> BTreeSet<String> {
    let shown = format!("{value:#?}");
    let of_this = shown.lines().filter_map(|line| line.strip_prefix("    "));
    of_this
        .filter(|line| !line.starts_with([' ', '}', ']', ')']))
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

#[test]
fn library_has_no_setting_without_key() {
    let sample: Table = toml::from_str(SAMPLE).unwrap();
    let pool = &sample["pool"];
    for (table, fields) in [
        (&sample["server"], fields(&Config::new())),
        (&sample["server"]["socket"], fields(&SocketBuilder::new())),
        (&pool["client"], fields(&ClientConfig::new())),
    ] {
        assert!(fields.len() > 7, "{fields:?}");
        for field in fields {
            // The pool serves nothing.
            let is_known = table.get(&field).is_some() || field == "serving";
            assert!(is_known, "no {field} in {table}");
        }
    }
}

/// Returns another value than the default, within the limits.
fn changed(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("servers", _) => Value::from(vec![vec!["192.0.2.1:3868", "198.51.100.1:3868"]]),
        ("local_addrs", _) => Value::from(vec!["127.0.0.1:0"]),
        ("request_order", _) => Value::from("unordered"),
        ("reply_stream", _) => Value::from("same"),
        ("dscp" | "init_max_attempts", _) => Value::from(46),
        ("send_buffer_size" | "recv_buffer_size", _) => Value::from(100_000),
        ("max_retransmissions" | "path_max_retransmissions", _) => Value::from(4),
        ("min", _) => Value::from("70ms"),
        ("sack_delay", _) => Value::from("100ms"),
        (_, Value::Integer(number)) => Value::from(number + 1),
        (_, Value::Boolean(on)) => Value::from(!on),
        (_, Value::String(_)) => Value::from("1m 1s"),
        _ => panic!("no other value for {key}"),
    }
}

/// Returns copies of a table, in each of which another key has another value.
fn each_changed(table: &Table) -> Vec<Table> {
    let mut copies = Vec::new();
    for (key, value) in table {
        let values = match value {
            Value::Table(inner) => each_changed(inner).into_iter().map(Value::Table).collect(),
            _ => vec![changed(key, value)],
        };
        for value in values {
            let mut copy = table.clone();
            copy.insert(key.clone(), value);
            copies.push(copy);
        }
    }
    copies
}

#[test]
fn every_key_reaches_the_library() {
    let sample: Table = toml::from_str(SAMPLE).unwrap();
    for other in each_changed(&sample) {
        assert_ne!(other, sample);
        assert_eq!(in_effect("changed", &other.to_string()), other);
    }
}

#[test]
fn valid_file_is_reported() {
    let path = file("valid", "[server]\ncall_timeout = \"none\"\n");
    let said = configured(&["--check"], &path, 0).stdout.text();
    assert_eq!(said, format!("{}: valid", path.display()));
}

#[test]
fn bad_files_are_refused_with_line_and_reason() {
    for (name, text, reasons) in [
        (
            "unknown-key",
            "[server]\n\nmax_asociations = 5\n",
            &[
                "line 3, column 1",
                "unknown field `max_asociations`, expected one of `max_associations`",
            ][..],
        ),
        (
            "unknown-table",
            "[sever]\n",
            &["line 1", "unknown field `sever`"],
        ),
        (
            "unknown-socket-key",
            "[pool.socket]\nrto = \"1s\"\n",
            &["line 2, column 1", "unknown field `rto`", "`rto_initial`"],
        ),
        (
            "too-small",
            "[server]\nmax_in_flight = 0\n",
            &[
                "line 2",
                "max_in_flight = 0",
                "0 is out of range: 1 to 4294967295",
            ],
        ),
        (
            "too-many-streams",
            "[server.socket]\noutbound_streams = 70000\n",
            &["line 2", "70000 is out of range: 1 to 65535"],
        ),
        (
            "too-long",
            "[server.socket]\nsack_delay = \"1s\"\n",
            &["line 2", "1s is out of range: 1ms to 500ms, or \"kernel\""],
        ),
        (
            "no-time",
            "[pool]\nready_timeout = \"soon\"\n",
            &["line 2", "\"soon\" is no time: "],
        ),
        (
            "number-for-a-time",
            "[pool]\nready_timeout = 10\n",
            &["line 2", "invalid type: integer `10`, expected a string"],
        ),
        (
            "no-such-order",
            "[server]\nrequest_order = \"random\"\n",
            &[
                "line 2",
                "\"random\" is none of: per-stream, per-association, unordered",
            ],
        ),
        (
            "no-port",
            "[pool]\nservers = [[\"192.0.2.1\"]]\n",
            &["line 2", "invalid socket address"],
        ),
        (
            "pauses",
            "[server.backoff]\nmin = \"20s\"\n",
            &["server.backoff: min of 20s exceeds max of 10s"],
        ),
        (
            "timeouts",
            "[pool.socket]\nrto_min = \"3s\"\nrto_max = \"2s\"\n",
            &["pool.socket: rto_min of 3s exceeds rto_max of 2s"],
        ),
        ("no-toml", "server = [\n", &["line 1", "unclosed array"]),
    ] {
        let said = refused(name, text);
        for reason in reasons {
            assert!(said.contains(reason), "{name}: no {reason:?} in:\n{said}");
        }
    }
}

#[test]
fn missing_file_is_reported() {
    let path = Path::new("/nonexistent/settings.toml");
    let said = configured(&[], path, 2).stderr.text();
    let expected = "configured: /nonexistent/settings.toml: No such file or directory";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn sample_runs() {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/bin/configured/sample.toml"
    );
    let printed = configured(&[], Path::new(sample), 0).stdout.text();
    let expected = "the pool has a reply: b\"hello\"\nstreams: 128 inbound, 128 outbound";
    assert_eq!(printed, expected);
}

#[test]
fn server_and_pool_talk_as_the_file_says() {
    let text = "
        [server.socket]
        local_addrs = [\"127.0.0.1:0\"]
        outbound_streams = 5
        rto_min = \"100ms\"
        [pool]
        ready_timeout = \"30s\"
        [pool.socket]
        outbound_streams = 3
        send_buffer_size = 65536
    ";
    let printed = configured(&[], &file("talk", text), 0).stdout.text();
    let expected = "the pool has a reply: b\"hello\"\nstreams: 5 inbound, 3 outbound";
    assert_eq!(printed, expected);
}
