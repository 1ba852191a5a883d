#!/usr/bin/env bash
# Builds Versity's S3 gateway, against which storage/s3 is tested, into .deps/versitygw-<version>/.
# Go verifies what it fetches against its checksum database. Costs nothing when it is there already.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=1.8.0
target="$here/../.deps/versitygw-$version"
[[ -x $target/versitygw ]] && exit 0

command -v go >/dev/null || {
  echo "setup: versitygw $version is built with Go, which is not here; install Go 1.25 or newer" >&2
  exit 1
}
echo "setup: building versitygw $version (some minutes, once)"
mkdir -p "$target"
GOBIN=$(cd "$target" && pwd) GOFLAGS=-modcacherw go install "github.com/versity/versitygw/cmd/versitygw@v$version" 2>"$target/log" || {
  tail -5 "$target/log" >&2
  exit 1
}
