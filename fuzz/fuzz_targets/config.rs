//! config.json, read, written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cells_client::store::properties::config(text));
