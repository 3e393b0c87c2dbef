//! Holds `docs/lksctp.md` to the tests it names.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A group of checks.
struct Row {
    program: String,
    checks: usize,
    tested_by: String,
}

/// The rows; one that names no program belongs to that of the row above.
fn rows() -> Vec<Row> {
    let table = fs::read_to_string(Path::new(MANIFEST).join("docs/lksctp.md")).unwrap();
    let mut program = String::new();
    let mut rows = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, checks, what, tested_by] = cells[..] else {
            panic!("four columns: {line}");
        };
        assert!(!what.is_empty(), "{line}");
        if !name.is_empty() {
            program = name.trim_matches('`').to_owned();
        }
        rows.push(Row {
            program: program.clone(),
            checks: checks.parse().expect(line),
            tested_by: tested_by.to_owned(),
        });
    }
    rows
}

/// Names of tests in backquotes.
fn tests_in(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| name.split_once("::"))
}

/// The functions of a file that the test harness runs.
fn tests_of(file: &Path) -> BTreeSet<String> {
    let source =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found = BTreeSet::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            let head = lines.find(|line| !line.starts_with("#[")).unwrap();
            let name = head
                .trim_start_matches("async ")
                .strip_prefix("fn ")
                .unwrap();
            found.insert(name.split('(').next().unwrap().to_owned());
        }
    }
    found
}

fn file(name: &str) -> PathBuf {
    let (folder, name) = match name.strip_prefix("core/") {
        Some(name) => ("../sctp-core/tests", name),
        None => ("tests", name),
    };
    Path::new(MANIFEST).join(folder).join(format!("{name}.rs"))
}

#[test]
fn named_tests_exist() {
    for row in rows() {
        let mut tested = tests_in(&row.tested_by).peekable();
        let is_excused = row
            .tested_by
            .strip_prefix("None: ")
            .is_some_and(|reason| !reason.is_empty());
        assert!(tested.peek().is_some() || is_excused, "{}", row.program);
        for (name, test) in tested {
            let tests = tests_of(&file(name));
            assert!(tests.contains(test), "{}: no {name}::{test}", row.program);
        }
    }
}

#[test]
fn reasons_are_explained() {
    let page = fs::read_to_string(Path::new(MANIFEST).join("docs/lksctp.md")).unwrap();
    for row in rows() {
        if let Some(reason) = row.tested_by.strip_prefix("None: ") {
            let is_sentence = reason.contains(' ');
            assert!(
                is_sentence || page.contains(&format!("- **{reason}**: ")),
                "{}: {reason}",
                row.program
            );
        }
    }
}

#[test]
fn tests_for_lksctp_tools_are_named() {
    let rows = rows();
    for name in ["lksctp_one_to_one", "lksctp_one_to_many", "lksctp_options"] {
        for test in tests_of(&file(name)) {
            let named = rows
                .iter()
                .any(|row| tests_in(&row.tested_by).any(|found| found == (name, &test)));
            assert!(named, "{name}::{test}");
        }
    }
}

#[test]
fn every_check_is_counted() {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for row in rows() {
        match counted.last_mut() {
            Some((program, checks)) if *program == row.program => *checks += row.checks,
            _ => counted.push((row.program, row.checks)),
        }
    }
    let expected = CHECKS.map(|(program, checks)| (program.to_owned(), checks));
    assert_eq!(counted, expected);
}

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

/// The lines that each program of lksctp-tools 1.0.21 prints, one a check.
const CHECKS: [(&str, usize); 35] = [
    ("1_to_1_accept_close", 10),
    ("1_to_1_addrs", 10),
    ("1_to_1_connect", 10),
    ("1_to_1_connectx", 10),
    ("1_to_1_events", 3),
    ("1_to_1_initmsg_connect", 1),
    ("1_to_1_nonblock", 5),
    ("1_to_1_recvfrom", 7),
    ("1_to_1_recvmsg", 8),
    ("1_to_1_rtoinfo", 3),
    ("1_to_1_send", 8),
    ("1_to_1_sendmsg", 14),
    ("1_to_1_sendto", 4),
    ("1_to_1_shutdown", 6),
    ("1_to_1_socket_bind_listen", 14),
    ("1_to_1_sockopt", 22),
    ("1_to_1_threads", 1),
    ("assoc_abort", 1),
    ("assoc_shutdown", 1),
    ("autoclose", 1),
    ("basic", 15),
    ("connect", 5),
    ("connectx", 10),
    ("fragments", 4),
    ("getname", 13),
    ("inaddr_any", 2),
    ("interleave", 5),
    ("peeloff", 6),
    ("re_conf", 5),
    ("recvmsg", 2),
    ("sctp_sendrecvmsg", 10),
    ("sctp_sendvrecvv", 12),
    ("sockopt", 44),
    ("tcp_style", 22),
    ("timetolive", 6),
];
