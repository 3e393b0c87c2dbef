#![no_main]

#[allow(dead_code, unused_imports, reason = "the examples use the rest")]
#[path = "../../../examples/src/diameter/mod.rs"]
mod diameter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| diameter::decode_anything(data));
