//! Values of settings, pauses that a server asks for, and texts that may hold secrets.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    cec::fuzzing::values(input.0);
    cells_client::http::properties::redacted(input.0);
    cells_client::http::properties::pause(input.0, input.1);
});
