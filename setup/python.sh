#!/usr/bin/env bash
# Installs setup/requirements-<set>.txt (test, bench), pinned by hash, into .deps/venv.
# A stamp makes the second run free.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
set=${1:?usage: setup/python.sh test|bench}
venv="$here/../.deps/venv"
stamp="$venv/installed-$set"
wanted=$(cat "$here"/requirements-*.txt)
[[ -r $stamp && $(<"$stamp") == "$wanted" ]] && exit 0

echo "setup: installing the Python packages of requirements-$set.txt"
[[ -x $venv/bin/pip ]] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
  --requirement "$here/requirements-$set.txt"
printf '%s\n' "$wanted" >"$stamp"
