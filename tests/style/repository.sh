#!/usr/bin/env bash
# What the house forbids in its files, as far as a search can see it. Prints each find, fails on any.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
finds=0

# forbid <what> <matches>: each line of <matches> is a breach.
forbid() {
  [[ -z $2 ]] && return
  sed "s/^/$1: /" <<<"$2"
  finds=$((finds + $(wc -l <<<"$2")))
}

# Tracked files and new ones; not this file, which has to name what it forbids.
mapfile -t files < <(git ls-files --cached --others --exclude-standard | grep -v '^tests/style/repository.sh$')
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '\.(h|cc)$')
search() { grep -InHE "$1" "${@:2}" 2>/dev/null || true; }

forbid 'a name that says nothing' \
  "$(printf '%s\n' "${files[@]}" | grep -E '(^|/|_)(utils?|helpers?|common|misc|manager)(_|\.|/)' || true)"
forbid 'left undone' "$(search '\b(TODO|FIXME|XXX|HACK)\b' "${files[@]}")"
forbid 'a package registry by host' \
  "$(search '(pypi\.org|pythonhosted|registry\.npmjs|crates\.io|proxy\.golang|repo1?\.maven|conda\.anaconda)' "${files[@]}")"
forbid 'a path of one machine' "$(search '(^|[^[:alnum:]_.~-])/(root|work|home/[a-z]+)/' "${files[@]}")"
forbid 'not a snake_case file name' \
  "$(printf '%s\n' "${sources[@]}" | grep -vE '^(examples/[a-z0-9-]+/)?([a-z0-9_]+/)*[a-z0-9_]+\.(h|cc)$' || true)"
forbid 'no #pragma once' "$(printf '%s\n' "${sources[@]}" | grep '\.h$' | xargs -r grep -L '^#pragma once$' || true)"
forbid 'a relative include' "$(search '#include "\.' "${sources[@]}")"
forbid 'a disabled test' "$(search '\bDISABLED_|GTEST_SKIP\(\)' "${sources[@]}")"
forbid 'printing past cli/messages, which escapes' \
  "$(search '\bfmt::print|\bstd::c(out|err)\b|\b(fwrite|fputs|puts|printf|fprintf)\(' src/cli/*.cc | grep -vE '^src/cli/(messages|progress_bar)\.cc:' || true)"
forbid 'over 500 lines' \
  "$(printf '%s\n' "${sources[@]}" | xargs -r wc -l | awk '$2 != "total" && $1 > 500 {print $2 ": " $1}')"

((finds == 0)) || { echo "style: $finds breaches" >&2; exit 1; }
