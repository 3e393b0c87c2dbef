//! Programs of others that `.ci/foreign-peers` has fetched.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not see helpers"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A program that `.ci/foreign-peers` has fetched.
pub(crate) fn foreign(name: &str) -> Command {
    let program = fetched(&format!("bin/{name}"));
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", fetched("lib"));
    command
}

/// A file or folder that `.ci/foreign-peers` has fetched.
pub(crate) fn fetched(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("foreign")
        .join(name);
    assert!(
        path.exists(),
        "there is no {}: run .ci/foreign-peers",
        path.display()
    );
    path
}
