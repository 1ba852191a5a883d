#!/usr/bin/env bash
# Counts a source package's changelog entries from DAY until before DAY (UTC), straight out of the
# changelogs with zcat, awk, date and sort: shares no code with what it checks.
#   independent_count.sh SOURCE 2015-01-01 2025-01-01
set -euo pipefail
source=$1
begin=$(date -ud "$2" +%s)
end=$(date -ud "$3" +%s)
for changelog in /usr/share/doc/*/changelog.Debian*.gz; do zcat "$changelog"; done |
  LC_ALL=C awk -v source="$source" '
    /^[^ ]+ \(.*\).*;/ { mine = $1 == source; version = $2 }
    / -- / && /^ -- / && mine { sub(/^ -- .*>  ?/, ""); print version "\t" $0; mine = 0 }' |
  LC_ALL=C sort -u >"${TMPDIR:-/tmp}/independent_count.$$"
trap 'rm -f "${TMPDIR:-/tmp}/independent_count.$$"' EXIT
cut -f2 "${TMPDIR:-/tmp}/independent_count.$$" | date -u -f - +%s |
  paste "${TMPDIR:-/tmp}/independent_count.$$" - |
  awk -F'\t' -v begin="$begin" -v end="$end" '$3 >= begin && $3 < end { seen[$1 "\t" $3] = 1 }
    END { for (entry in seen) ++count; print count + 0 }'
