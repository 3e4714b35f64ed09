//! Remote paths as a user types them and as a server gives them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cells_client::path::properties::path(text));
