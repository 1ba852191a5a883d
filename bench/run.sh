#!/usr/bin/env bash
# Ours and the peers in one run: bench/run.sh [--help]. `make bench` builds and installs what it needs first.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../.deps/venv/bin/python" -B "$here/bench.py" "$@"
