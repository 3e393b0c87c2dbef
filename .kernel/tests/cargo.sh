# As cargo's runner: tests of all kinds, and programs.
if ! type -P cargo >/dev/null; then
    skip "cargo" "no cargo"
    return
fi

mkdir -p project/.cargo project/member/src project/member/tests project/target/kernel
cp -r "$here" project/
[[ ! -d $cache/uml ]] || cp -r "$cache/uml" project/target/kernel/
cat >project/.cargo/config.toml <<'END'
[target.'cfg(target_os = "linux")']
runner = ".kernel/run"
END
cat >project/Cargo.toml <<'END'
[workspace]
members = ["member"]
resolver = "2"
END
cat >project/member/Cargo.toml <<'END'
[package]
name = "member"
version = "0.0.0"
edition = "2021"
END
cat >project/member/src/lib.rs <<'END'
//! ```
//! assert!(std::path::Path::new("/proc/net/sctp").exists());
//! ```
#[test]
fn unit() {
    assert!(std::path::Path::new("/proc/net/sctp").exists());
    assert_eq!(std::env::current_dir().unwrap().to_str(), Some(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(std::env::var("CARGO_PKG_NAME").unwrap(), "member");
}
END
cat >project/member/src/main.rs <<'END'
fn main() {
    println!("{}", std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap());
    std::process::exit(77);
}
END
cat >project/member/tests/integration.rs <<'END'
#[test]
fn passes() {
    assert!(std::path::Path::new("/proc/net/sctp").exists());
}
#[test]
#[ignore]
fn fails() {
    panic!("as it should");
}
END
cargo() {
    env -u CARGO_TARGET_DIR cargo "$@"
}
cd project/member/src || return
cargo test -q --offline >"$scratch/log" 2>&1
same "cargo test: unit, integration and documentation" "0 3" "$? $(grep -c '1 passed' "$scratch/log")"
cargo test -q --offline -- --ignored >"$scratch/log" 2>&1
same "cargo test that fails" "101" "$?"
like "says why" "*as it should*" "$(cat "$scratch/log")"
same "cargo run" "sctp-guest 77" "$( (cargo run -q --offline 2>/dev/null; echo $?) | xargs)"
