#!/usr/bin/env bash
# Fuzzes one target, or every one of them in short: see README.md.
#
#   fuzz/run.sh TARGET [SECONDS] [libFuzzer flags]     SECONDS: 60
#   fuzz/run.sh TARGET FILE                            that input alone; FILE as seen from fuzz/
#   fuzz/run.sh smoke [SECONDS]                        each target for so long (8), and the canary, which must fail
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd .. && pwd)
target=${1:?"usage: fuzz/run.sh TARGET|smoke [SECONDS] [libFuzzer flags]"}
targets=(room_commands session_ops client_frame cursor_token parcel ws_stream sse_request socketio_payload log_record log_file)
# The sources of this workspace are instrumented, nothing else is: what others have built can be used as it is, and the
# coverage that steers the fuzzer is ours.
export RUSTC_WRAPPER="$root/fuzz/instrument.sh"
export RUST_BACKTRACE=${RUST_BACKTRACE:-0} CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
built=${CARGO_TARGET_DIR:-$root/fuzz/target}/debug

build() {
    cargo build -q --locked "$@"
}

# Finds go to artifacts/, inputs that reach something new to corpus-local/; neither is committed as it is.
fuzz() {
    local name=$1 seconds=$2
    shift 2
    # redb clears as much memory as a page number says, at most 4 GiB, before it looks whether the file is as long.
    local seeds=() memory=2048
    [ "$name" = log_file ] && memory=6144
    [ -d "corpus/$name" ] && seeds=("corpus/$name")
    mkdir -p "corpus-local/$name" "artifacts/$name"
    "$built/$name" "corpus-local/$name" "${seeds[@]}" -max_total_time="$seconds" -artifact_prefix="artifacts/$name/" \
        -max_len=2048 -timeout=20 -rss_limit_mb="$memory" -print_final_stats=1 "$@"
}

if [ "$target" != smoke ]; then
    build --bin "$target"
    if [ -f "${2:-}" ]; then
        exec "$built/$target" "${@:2}"
    fi
    fuzz "$target" "${2:-60}" "${@:3}"
    exit
fi

build --bins
output=$(mktemp)
trap 'rm -f "$output"' EXIT
echo 'canary: must be found'
if fuzz canary 60 -seed=1 >"$output" 2>&1 || ! grep -q 'the canary' "$output"; then
    cat "$output"
    echo 'the canary was not found: nothing would be' >&2
    exit 1
fi
rm -rf artifacts/canary corpus-local/canary
for name in "${targets[@]}"; do
    if ! fuzz "$name" "${2:-8}" >"$output" 2>&1; then
        cat "$output"
        echo "$name has failed; what did it is in fuzz/artifacts/$name" >&2
        exit 1
    fi
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$output") runs"
done
