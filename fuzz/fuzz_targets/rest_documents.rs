//! The REST services' documents: nodes, jobs, the user's state.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| cec::api::properties::documents(body));
