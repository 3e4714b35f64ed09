//! The gateway's errors and small results.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u16, bool, &[u8])| {
    let (status, html, body) = input;
    cells_client::s3::properties::answer(100 + status % 500, html, body);
});
