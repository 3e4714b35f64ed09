//! Names from a server: as local names, and on a terminal.
#![no_main]

libfuzzer_sys::fuzz_target!(|name: &str| {
    cells_client::sys::local_name::properties::local_name(name);
    cec::fuzzing::escaped(name);
});
