#!/usr/bin/env bash
# Builds a program that tests or bench run, out of a Go module, into .deps/<name>-<version>/.
# Usage: setup/go_tool.sh versitygw. Go verifies what it fetches against its checksum database. Costs nothing when it
# is there already.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A package=(
  [versitygw]=github.com/versity/versitygw/cmd/versitygw@v1.8.0
  [s5cmd]=github.com/peak/s5cmd/v2@v2.3.0
)
name=${1:?which tool}
[[ -v package[$name] ]] || { echo "setup: no Go tool '$name'; there are: ${!package[*]}" >&2; exit 2; }
target="$here/../.deps/$name-${package[$name]##*@v}"
[[ -x $target/$name ]] && exit 0

go=$("$here/go.sh")
echo "setup: building $name (some minutes, once)"
mkdir -p "$target"
PATH="$(dirname "$go"):$PATH" GOTOOLCHAIN=local GOBIN=$(cd "$target" && pwd) GOFLAGS=-modcacherw \
  "$go" install "${package[$name]}" 2>"$target/log" || {
  tail -5 "$target/log" >&2
  exit 1
}
