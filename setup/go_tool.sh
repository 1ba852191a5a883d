#!/usr/bin/env bash
# Builds a program that tests or bench run, out of a Go module, into .deps/<name>-<version>/.
# Usage: setup/go_tool.sh versitygw. Go verifies what it fetches against its checksum database. Costs nothing when it
# is there already.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# module, version, package
declare -A source=(
  [age]="filippo.io/age 1.3.2 filippo.io/age/cmd/age"
  [versitygw]="github.com/versity/versitygw 1.8.0 github.com/versity/versitygw/cmd/versitygw"
  [toxiproxy]="github.com/Shopify/toxiproxy/v2 2.12.0 github.com/Shopify/toxiproxy/v2/cmd/server"
  [river]="github.com/riverqueue/river/cmd/river 0.24.0 github.com/riverqueue/river/cmd/river"
  [s5cmd]="github.com/peak/s5cmd/v2 2.3.0 github.com/peak/s5cmd/v2"
)
name=${1:?which tool}
[[ -v source[$name] ]] || { echo "setup: no Go tool '$name'; there are: ${!source[*]}" >&2; exit 2; }
read -r module version package <<<"${source[$name]}"
target="$here/../.deps/$name-$version"
[[ -x $target/$name ]] && exit 0

go=$("$here/go.sh")
echo "setup: building $name $version (some minutes, once)"
mkdir -p "$target"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
printf 'module tool\n\ngo 1.25.0\n\nrequire %s v%s\n' "$module" "$version" >"$build/go.mod"
(
  cd "$build"
  PATH="$(dirname "$go"):$PATH" GOTOOLCHAIN=local GOFLAGS=-modcacherw "$go" build -mod=mod -o "$name" "$package"
) 2>"$target/log" || {
  tail -5 "$target/log" >&2
  exit 1
}
mv "$build/$name" "$target/$name"
