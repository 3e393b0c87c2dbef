//! The beginnings of log targets that the guide promises are those of the modules that log.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::{collections::BTreeSet, fs, path::Path};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// Those of the crate's modules in which something is logged, here or further down.
fn modules_that_log() -> BTreeSet<String> {
    let entries = fs::read_dir(SOURCE).unwrap().map(Result::unwrap);
    let logs = entries.filter(|entry| logs(&entry.path()));
    logs.map(|entry| {
        entry
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    })
    .collect()
}

fn logs(path: &Path) -> bool {
    if path.is_dir() {
        let mut entries = fs::read_dir(path).unwrap().map(Result::unwrap);
        return entries.any(|entry| logs(&entry.path()));
    }
    path.extension().is_some_and(|extension| extension == "rs") && {
        let source = fs::read_to_string(path).unwrap();
        let macros = ["error", "warn", "info", "debug", "trace", "event"];
        let spans = macros.map(|name| format!("{name}_span!("));
        let calls = macros.map(|name| format!("tracing::{name}!("));
        spans.iter().chain(&calls).any(|call| source.contains(call))
    }
}

#[test]
fn guide_names_the_modules_that_log() {
    let guide = include_str!("../src/docs/errors.md");
    let rows = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| `sctp_service::"));
    let promised: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(promised, modules_that_log());
}

/// A target that is spelt out would not begin with its module.
#[test]
fn log_targets_are_module_paths() {
    fn check(path: &Path) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                check(&entry.unwrap().path());
            }
        } else {
            let source = fs::read_to_string(path).unwrap();
            assert!(!source.contains("target: \""), "{}", path.display());
        }
    }
    check(Path::new(SOURCE));
}
