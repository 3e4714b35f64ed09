//! Remote globs, and names tried on them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| cells_client::walk::glob::properties::glob(input.0, input.1));
