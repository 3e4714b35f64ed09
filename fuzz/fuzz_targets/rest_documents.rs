//! The REST services' documents: nodes, jobs, the user's state.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| cells_client::api::properties::documents(body));
