//! Compiles the programs in C.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// Compiles a program of the folder `baseline`.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    compile(name, name, &[])
}

/// Compiles a library to preload.
pub(crate) fn library(name: &str) -> io::Result<PathBuf> {
    compile(name, &format!("{name}.so"), &["-shared", "-fPIC", "-ldl"])
}

/// Compiles once in the life of this process, since a program that runs cannot be written to.
fn compile(source: &str, output: &str, flags: &[&str]) -> io::Result<PathBuf> {
    static DONE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut done = DONE
        .lock()
        .map_err(|_| io::Error::other("another thread failed to compile"))?;
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(output);
    if done.contains(&output) {
        return Ok(output);
    }
    let status = Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-o"])
        .arg(&output)
        .arg(sources()?.join(source).with_extension("c"))
        .args(flags)
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("cc: {error}")))?;
    if status.success() {
        done.push(output.clone());
        Ok(output)
    } else {
        Err(io::Error::other(format!("{source}.c does not compile")))
    }
}

/// The folder `baseline`, wherever in the workspace the package lies that includes this file.
fn sources() -> io::Result<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .map(|folder| folder.join("sctp-tokio/benches/baseline"))
        .find(|folder| folder.is_dir())
        .ok_or_else(|| io::Error::other("the folder sctp-tokio/benches/baseline is gone"))
}
