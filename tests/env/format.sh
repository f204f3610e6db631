#!/usr/bin/env bash
# Checks that every C++ file is formatted as .clang-format says. Exit status 77 (skipped) without the pinned clang-format: other
# versions format differently.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/env/versions.env

clang_format=$(command -v "clang-format-$CLANG_FORMAT" clang-format | head -n 1) || true
if [[ -z $clang_format ]]; then
  echo "skipped: no clang-format here, version $CLANG_FORMAT is needed"
  exit 77
fi
version=$("$clang_format" --version | sed -nE 's/.*version ([0-9]+)\..*/\1/p')
if [[ $version != "$CLANG_FORMAT" ]]; then
  echo "skipped: clang-format is version $version, version $CLANG_FORMAT is needed"
  exit 77
fi
find dap discovery launcher tests -path tests/env -prune -o \( -name '*.cpp' -o -name '*.hpp' \) -print0 |
  xargs -0 "$clang_format" --dry-run --Werror
