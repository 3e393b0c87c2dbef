//! Comparison of the table of options with `<linux/sctp.h>`.

use std::collections::BTreeMap;

const TABLE: &str = include_str!("TABLE.md");
const HEADER: &str = "/usr/include/linux/sctp.h";

/// Returns the names in the socket option blocks of the header.
fn options_of(header: &str) -> Vec<&str> {
    let from = header.find("#define SCTP_RTOINFO").unwrap();
    let to = header.find("/* PR-SCTP policies */").unwrap();
    header[from..to]
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect()
}

/// Returns the rows of the table by the name of the option.
fn rows_of(table: &str) -> BTreeMap<&str, &str> {
    let mut rows = BTreeMap::new();
    for line in table.lines() {
        let Some(row) = line.strip_prefix("| `SCTP_") else {
            continue;
        };
        let (_, what) = row.split_once(" | ").unwrap();
        for name in line.split(" | ").next().unwrap().split('`') {
            if name.starts_with("SCTP_") {
                assert_eq!(rows.insert(name, what), None, "{name} is there twice");
            }
        }
    }
    rows
}

#[cfg_attr(miri, ignore = "reads the header")]
#[test]
fn table_and_header_have_the_same_options() {
    let header = std::fs::read_to_string(HEADER)
        .expect("this test needs the kernel's headers (linux-libc-dev)");
    let options = options_of(&header);
    assert!(options.len() > 60, "{options:?}");
    let rows = rows_of(TABLE);
    for option in &options {
        assert!(rows.contains_key(option), "{option} is not in TABLE.md");
    }
    for row in rows.keys() {
        assert!(options.contains(row), "{row} is not an option of {HEADER}");
    }
}

/// Links are not checked here: rustdoc resolves them.
#[test]
fn every_row_has_a_link_or_a_reason() {
    for (option, what) in rows_of(TABLE) {
        let links = what.contains("[`Socket::");
        let reason = what.contains("left out: ");
        assert!(links != reason, "{option}: {what}");
    }
}

#[test]
fn header_options_are_parsed() {
    let header = "x\n#define SCTP_RTOINFO\t0\n#define SCTP_A SCTP_B\n/* c */\n#define SCTP_C 1 /* d */\n/* PR-SCTP policies */\n#define SCTP_PR 3\n";
    assert_eq!(options_of(header), ["SCTP_RTOINFO", "SCTP_A", "SCTP_C"]);
}
