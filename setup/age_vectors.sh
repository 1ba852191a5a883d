#!/usr/bin/env bash
# Fetches C2SP's test vectors of age, a Go module, into .deps/age-vectors-<date>/. Costs nothing when they are there
# already.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=c2sp.org/CCTV/age
version=v0.0.0-20251208015420-e9274a7bdbfd
digest=h1:ZLsPO6WdZ5zatV4UfVpr7oAwLGRZ+sebTUruuM4Ra3M=
target="$here/../.deps/age-vectors-20251208"
[[ -d $target ]] && exit 0

go=$("$here/go.sh")
echo "setup: fetching age's test vectors"
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
fetched=$(GOMODCACHE="$cache" GOTOOLCHAIN=local GOFLAGS=-modcacherw "$go" mod download -json "$module@$version")
[[ $fetched == *"\"$digest\""* ]] || {
  echo "setup: the test vectors of age that were fetched are not those that are pinned" >&2
  exit 1
}
mkdir -p "$here/../.deps"
rm -rf "$target.part"
mkdir "$target.part"
cp -r "$cache"/c2sp.org/*/age@"$version"/testdata "$target.part/"
mv "$target.part" "$target"
