#!/usr/bin/env bash
# Calls the compiler; the crates of this workspace are compiled with what libFuzzer needs to see.
set -euo pipefail
case " $* " in
*' --crate-name chat_'* | *' --crate-name transport_'* | *' --crate-name log_redb '* | *' fuzz_targets/'*) ;;
*) exec "$@" ;;
esac
exec "$@" -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
