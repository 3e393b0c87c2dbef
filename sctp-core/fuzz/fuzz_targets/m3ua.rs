#![no_main]

#[allow(dead_code, reason = "the examples use the rest")]
#[path = "../../../examples/src/m3ua_codec.rs"]
mod m3ua_codec;

libfuzzer_sys::fuzz_target!(|data: &[u8]| m3ua_codec::decode_anything(data));
