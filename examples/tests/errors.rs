//! The errors of the three crates keep to one rule, which the guide to errors states: the text says
//! the whole reason, so that `source` goes on behind the error that is in the text.

use std::{fs, path::Path};

/// Calls a function on every source file of a crate.
fn each_file(folder: &Path, check: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            each_file(&path, check);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            check(&path, &fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// The bodies of the functions that return the source of an error of this crate.
fn sources(text: &str) -> impl Iterator<Item = &str> {
    let tests = text.find("\n#[cfg(test)]\n").unwrap_or(text.len());
    text[..tests]
        .split("    fn source(&self)")
        .skip(1)
        .map(|rest| rest.split("\n    }\n").next().unwrap_or(rest))
}

#[test]
fn errors_do_not_repeat_their_source() {
    let mut found = 0;
    for name in ["sctp-core", "sctp-tokio", "sctp-service"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(name)
            .join("src");
        each_file(&folder, &mut |path, text| {
            if path.ends_with("tests.rs") {
                return;
            }
            for body in sources(text) {
                found += 1;
                if body.contains("// The text of the source is not part of this text") {
                    continue;
                }
                for line in body.lines() {
                    let value = line.rsplit("=> ").next().unwrap_or(line).trim();
                    assert!(
                        !value.starts_with("Some("),
                        "{}: an error is in the text and the source as well: {line}",
                        path.display()
                    );
                }
            }
        });
    }
    assert!(
        found >= 9,
        "only {found} errors with a source are looked at"
    );
}
