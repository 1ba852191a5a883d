#!/usr/bin/env bash
# The main job on real input: the changelogs of this machine's own Debian packages go into a lake, one
# organisation's messages of a range come out as a zip with a CSV a day, and the result is checked
# against a count taken straight from the changelogs.
#   demo/run.sh [PATH_TO_SPILLWAY [DEMO_DIRECTORY]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
spillway=$(realpath "${1:-$here/../build/release/src/cli/spillway}")
work=${2:-$here/../build/demo}
mkdir -p "$work"
work=$(cd "$work" && pwd)
cd "$work"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
  printf '\033[2m$ %s\033[0m\n' "${*/#$spillway/spillway}"
  "$@"
}

say "1. Messages: every changelog entry of every installed package"
python3 "$here/changelogs.py" "$here/.." >messages.ndjson
cp "$here/spillway.yaml" spillway.yaml
show "$spillway" ingest messages.ndjson

read -r organisation from to < <(python3 "$here/busiest.py" messages.ndjson)
request=(messages --organisation "$organisation" --from "$from" --to "$to" --compression zip)

say "2. What an export of $organisation, $from to $to, will read"
show "$spillway" plan "${request[@]}"

say "3. The export, a zip with a CSV a day"
show "$spillway" run "${request[@]}" --fresh
export_directory=$("$spillway" --json jobs list --limit 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["jobs"][0]["directory"])')

say "4. Is it whole?"
show "$spillway" verify "$export_directory" --key signing.pub.pem
python3 "$here/check.py" "$export_directory" "$organisation" "$from" "$to" "$here"

say "Go on from here (in $work):"
cat <<TEXT
  $spillway jobs list
  $spillway run messages --organisation $organisation --from $from --to $to --output - | head
  $spillway run messages --organisation $organisation --from $from --to $to --format parquet
  $spillway --help
TEXT
