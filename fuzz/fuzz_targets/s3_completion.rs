//! The body that puts the parts of an upload together.
#![no_main]

libfuzzer_sys::fuzz_target!(|etags: Vec<String>| cells_client::s3::properties::completion(&etags));
