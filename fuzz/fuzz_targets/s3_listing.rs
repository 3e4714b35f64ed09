//! The gateway's listings.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &[u8])| cells_client::s3::properties::listing(input.0, input.1));
