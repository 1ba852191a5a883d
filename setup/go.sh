#!/usr/bin/env bash
# Prints the path of a Go that is new enough for the tools that tests and bench build with it: this machine's, or else
# one that Debian's older Go fetches as the module that Go itself switches toolchains with, into .deps/go-<version>/.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=1.25.4
digest=h1:5e4fxJf48MqaBmsurT33X8lENq6kLpby4xLNGF0tmEw=
target="$here/../.deps/go-$version"

# new_enough <go>
new_enough() {
  local found
  found=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  printf '%s\n%s\n' "$version" "${found#go}" | sort -CV
}

for go in "$(command -v go || true)" /usr/local/go/bin/go "$target/bin/go"; do
  if [[ -x $go ]] && new_enough "$go"; then
    echo "$go"
    exit 0
  fi
done

[[ $(uname -m) == x86_64 ]] || {
  echo "setup: install Go $version or newer; it is fetched for x86_64 alone" >&2
  exit 1
}
"$here/install.sh" go >&2
echo "setup: fetching Go $version" >&2
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
module=$(GOMODCACHE="$cache" GOFLAGS=-modcacherw go mod download -json "golang.org/toolchain@v0.0.1-go$version.linux-amd64")
[[ $module == *"\"$digest\""* ]] || {
  echo "setup: the Go $version that was fetched is not the one that is pinned" >&2
  exit 1
}
rm -rf "$target.part"
cp -r "$cache/golang.org/toolchain@v0.0.1-go$version.linux-amd64" "$target.part"
# Modules have no executables.
chmod +x "$target.part/bin/"* "$target.part/pkg/tool/linux_amd64/"*
rm -rf "$target" && mv "$target.part" "$target"
echo "$target/bin/go"
