#!/usr/bin/env bash
# Installs the Debian packages of the named sets (build, test, bench, lint) that are missing.
# Usage: setup/install.sh build [test ...]. Costs one dpkg-query when nothing is missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

command -v dpkg-query >/dev/null || {
  echo "setup: no dpkg here; Spillway is built on Debian 12: install the equivalents of setup/packages-*.txt by hand" >&2
  exit 1
}

wanted=()
for set in "$@"; do
  list="$here/packages-$set.txt"
  [[ -r $list ]] || { echo "setup: unknown package set '$set' (no $list)" >&2; exit 2; }
  mapfile -t -O "${#wanted[@]}" wanted <"$list"
done

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
  grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
((${#missing[@]})) || exit 0

sudo=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || {
    echo "setup: missing packages and no sudo; as root run: apt-get install ${missing[*]}" >&2
    exit 1
  }
  sudo=(sudo)
fi
echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
