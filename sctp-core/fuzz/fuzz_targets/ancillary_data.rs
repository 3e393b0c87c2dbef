#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sctp_core::fuzzing::ancillary_data(data));
