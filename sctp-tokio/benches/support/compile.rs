//! Compiles the programs in C.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

const SOURCES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../sctp-tokio/benches/baseline"
);

/// Compiles a program of the folder `baseline`.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    compile(name, name, &[])
}

/// Compiles a library to preload.
pub(crate) fn library(name: &str) -> io::Result<PathBuf> {
    compile(name, &format!("{name}.so"), &["-shared", "-fPIC", "-ldl"])
}

fn compile(source: &str, output: &str, flags: &[&str]) -> io::Result<PathBuf> {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(output);
    let status = Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-o"])
        .arg(&output)
        .arg(Path::new(SOURCES).join(source).with_extension("c"))
        .args(flags)
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("cc: {error}")))?;
    if status.success() {
        Ok(output)
    } else {
        Err(io::Error::other(format!("{source}.c does not compile")))
    }
}
