# The whole service on http://127.0.0.1:8001
run *flags:
    cargo run --release -- up {{flags}}

# Everything that has to pass, as the README says
test:
    cargo test --workspace

# One package's tests, or one scenario: `just it e2e bad_input`
it package *filter:
    cargo test -p {{package}} -- {{filter}}

# The measurements, one at a time, on the release build
bench:
    cargo test --release --workspace measure_ -- --ignored --nocapture --test-threads 1

# Time and memory of `logkin cluster` in ratios to grep, one thread, gzip and zstd; `just ratios big.log` or small logs to grow
ratios *logs:
    cargo build --release -p logkin && engine/benches/ratios.py {{logs}}

# logkin beside other programs on labelled logs, `NAME.truth.csv` beside `NAME.log`: see bench/README.md
compare +labels:
    bench/run {{labels}}

# A fuzz target of the engine for ten minutes (cargo-fuzz, nightly)
fuzz target:
    cd engine && cargo +nightly fuzz run {{target}} -- -max_total_time=600

# Formatting and clippy, warnings denied
lint:
    cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings

# The documentation, warnings denied
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, advisories, duplicate versions (cargo-deny)
deny:
    cargo deny check

# Rewrite snapshots and the README's screenshot from what the programs do now
bless:
    INSTA_UPDATE=always LOGKIN_BLESS=1 cargo test --workspace

# What CI runs
ci:
    .ci/run
