#!/usr/bin/env bash
# Usage: tests/fuzz/run.sh <build folder> <seconds>. Runs every fuzzer for that long, starting from
# its corpus; new inputs and crashes go to the build folder. Stops at the first crash.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 seconds=$2
export ASAN_OPTIONS=external_symbolizer_path=/usr/bin/llvm-symbolizer-19
shopt -s nullglob
fuzzers=("$build"/tests/fuzz/*_fuzzer)
((${#fuzzers[@]})) || { echo "fuzz: no fuzzers in $build/tests/fuzz" >&2; exit 1; }
for fuzzer in "${fuzzers[@]}"; do
  name=$(basename "$fuzzer")
  mkdir -p "$build/found/$name"
  echo "fuzz: $name for $seconds s"
  "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/found/$name-" "$build/found/$name" "$here/corpus/$name"
done
