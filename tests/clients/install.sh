#!/usr/bin/env bash
# Installs the npm packages that package-lock.json names. Costs milliseconds where they are there already, which a world without
# a network (tests/env/world.py) relies on. Exit status 77, with the reason, without a Node.js that can run the tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for program in node npm; do
  command -v "$program" >/dev/null || { echo "skipped: no $program on this machine"; exit 77; }
done
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' ||
  { echo "skipped: Node.js is $(node --version), 18 or later is needed"; exit 77; }

# npm empties node_modules first, so the copy of the lock that is made last says that all of it is there.
is_whole() { cmp -s package-lock.json node_modules/.whole; }

is_whole && exit
exec 9<package-lock.json
flock 9
is_whole && exit  # somebody else installed them while we waited
npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error >&2
cp package-lock.json node_modules/.whole
