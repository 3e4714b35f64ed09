# Common tasks. `just` without arguments lists them.

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

# The main job on an embedded server, step by step
quickstart:
    cargo run --release --locked --example quickstart

# A server to try things out on, until Ctrl-C
sandbox *ARGUMENTS:
    cargo run --release --locked --example sandbox -- {{ ARGUMENTS }}

# Run a fuzz target for some seconds; requires a C++ compiler. The targets are in fuzz/fuzz_targets
fuzz TARGET SECONDS="600":
    cp Cargo.lock fuzz/Cargo.lock
    mkdir -p fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }} fuzz/artifacts
    RUSTC_WRAPPER="$PWD/.ci/instrumented-rustc" cargo build --release --manifest-path fuzz/Cargo.toml --bin {{ TARGET }}
    fuzz/target/release/{{ TARGET }} fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }} -max_total_time={{ SECONDS }} \
        -timeout=20 -max_len=4096 -dict=fuzz/words.dict -artifact_prefix=fuzz/artifacts/{{ TARGET }}-

# The long tests: many processes that renew one token many times; transfers killed hundreds
# of times; walks of a third of a million nodes
soak:
    cargo test --test cli --locked -- --ignored refresh:: resume:: walks::

# Chaos tests: a server that lies, clients in all orders, a connection that breaks; SECONDS of each, with SEED or a random
# seed.
# If CEC_TEST_URL and CEC_TEST_TOKEN name a real server, the last one runs on that server (docs/conformance.md)
chaos SECONDS="200" SEED="":
    CEC_CHAOS_SECONDS={{ SECONDS }} CEC_CHAOS_SEED={{ SEED }} \
        cargo test --test chaos --locked -- --ignored --nocapture --test-threads 1

# Compare cec with curl, rclone, s5cmd, aws; see docs/performance.md for the variables (CEC_BENCH_…)
bench:
    cargo bench --bench compare --locked

# All that CI checks on Linux
ci:
    .ci/run
