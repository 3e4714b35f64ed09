# What one does here. `just` alone lists it.

_default:
    @just --list --unsorted

# All tests
test *ARGUMENTS:
    cargo test --workspace --locked {{ ARGUMENTS }}

# Formatting and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The documentation of the code
docs:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

# The main job on an embedded server, told step by step
quickstart:
    cargo run --release --locked --example quickstart

# A server to play with, until Ctrl-C
sandbox *ARGUMENTS:
    cargo run --release --locked --example sandbox -- {{ ARGUMENTS }}

# All that CI checks on Linux
ci:
    .ci/run
