//! Values of settings, pauses that a server asks for, and texts that may hold secrets.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    cec::settings::properties::values(input.0);
    cec::http::properties::redacted(input.0);
    cec::http::properties::pause(input.0, input.1);
});
