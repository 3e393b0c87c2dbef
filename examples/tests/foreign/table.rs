//! Holds the table in `docs/foreign-peers.md` against what the tests prove, so that it cannot go
//! stale: each test compares its own rows, and one test looks for rows that no test has.
//!
//! With `SCTP_FOREIGN_TABLE=write` in the environment the tests write their rows instead.

use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

use super::fetched;

/// Called at the end of a test, by its name: which program proved what, and as what it did.
#[track_caller]
pub(crate) fn proved<T: Fn()>(_test: T, proofs: &[(&str, &str, &str)]) {
    let test = std::any::type_name::<T>();
    let (_, test) = test.split_once("::").unwrap_or(("", test));
    let mut rows: Vec<String> = proofs
        .iter()
        .map(|(program, role, what)| {
            let version = version(program);
            format!("| {program} | {version} | {role} | {what} | `{test}` |")
        })
        .collect();
    rows.sort();
    let is_ours = |row: &str| test_of(row) == test;
    if is_writing() {
        return rewrite(|row| !is_ours(row), rows);
    }
    let documented: Vec<String> = rows_of(&read())
        .filter(|row| is_ours(row))
        .map(without_version)
        .collect();
    let proved: Vec<String> = rows.iter().map(|row| without_version(row)).collect();
    assert_eq!(
        documented, proved,
        "left: docs/foreign-peers.md; right: what {test} proved. {ADVICE}"
    );
}

const ADVICE: &str = "The tests write the table if SCTP_FOREIGN_TABLE=write is set";

#[test]
fn table_row_without_test_is_found() {
    let listed = Command::new(env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tests: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    assert!(tests.contains(&"table::table_row_without_test_is_found"));
    let has_test = |row: &str| tests.contains(&test_of(row));
    if is_writing() {
        return rewrite(has_test, Vec::new());
    }
    let text = read();
    assert!(rows_of(&text).count() > 3);
    for row in rows_of(&text) {
        assert!(has_test(row), "no test proves this:\n{row}\n{ADVICE}");
    }
}

/// The version of a program's package.
fn version(program: &str) -> String {
    let package = match program {
        "python" => "python3",
        "sctp_darn" | "sctp_test" | "withsctp" => "lksctp-tools",
        "sipp" => "sip-tester",
        "usrsctp" => "libusrsctp-examples",
        _ => program,
    };
    let versions = fs::read_to_string(fetched("versions")).unwrap();
    let version = versions
        .lines()
        .find_map(|line| line.strip_prefix(package)?.strip_prefix(' '));
    version
        .unwrap_or_else(|| panic!("no version of {package} in\n{versions}"))
        .to_owned()
}

/// Versions are for the reader: they differ from one machine to the next.
fn without_version(row: &str) -> String {
    let mut cells: Vec<&str> = row.split(" | ").collect();
    cells.remove(1);
    cells.join(" | ")
}

/// The test that a row names, in its last cell.
fn test_of(row: &str) -> &str {
    row.rsplit('`').nth(1).unwrap_or_default()
}

/// The rows below the table's head. Nothing but the table follows it.
fn rows_of(text: &str) -> impl Iterator<Item = &str> {
    let rows = text.lines().skip_while(|line| !line.starts_with("|---"));
    rows.skip(1)
}

fn is_writing() -> bool {
    env::var_os("SCTP_FOREIGN_TABLE").is_some_and(|value| value == "write")
}

/// Keeps some rows, and adds others.
fn rewrite(keep: impl Fn(&str) -> bool, added: Vec<String>) {
    static FILE: Mutex<()> = Mutex::new(());
    let _guard = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = read();
    let head: Vec<&str> = text
        .lines()
        .take(text.lines().count() - rows_of(&text).count())
        .collect();
    let mut rows: Vec<String> = rows_of(&text)
        .filter(|row| keep(row))
        .map(str::to_owned)
        .chain(added)
        .collect();
    rows.sort();
    fs::write(
        file(),
        format!("{}\n{}\n", head.join("\n"), rows.join("\n")),
    )
    .unwrap();
}

fn read() -> String {
    fs::read_to_string(file()).unwrap()
}

fn file() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/foreign-peers.md"
    ))
}
