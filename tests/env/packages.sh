#!/usr/bin/env bash
# Installs what ray-dap is built with from the distribution's packages; with the argument `tests`, also what its tests need.
# Costs milliseconds where everything is there already.
set -euo pipefail

os=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || os=unknown
case $os in
  "debian 12") boost=libboost1.81-dev ;;
  "ubuntu 24.04") boost=libboost1.83-dev ;;
  *)
    echo "packages.sh knows Debian 12 and Ubuntu 24.04, not '$os': get the libraries listed in vcpkg.json (with vcpkg, or" \
      "from your distribution), a C++20 compiler, CMake >= 3.25, ninja and Python 3. Going on with what is there." >&2
    exit 0
    ;;
esac

wanted=(g++ cmake ninja-build ccache pkgconf "$boost" nlohmann-json3-dev libspdlog-dev libcpp-httplib-dev libssl-dev
  libcli11-dev libvalijson-dev python3 python3-venv ca-certificates iproute2 util-linux)
if [[ ${1:-} == tests ]]; then
  wanted+=(doctest-dev clang-format-14 clang-tidy)
  command -v node >/dev/null || wanted+=(nodejs npm)
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p') || true
missing=()
for package in "${wanted[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "packages.sh: these packages are missing, and installing them needs root: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}")
echo "packages.sh: installing ${missing[*]}" >&2
# The package lists may be absent (fresh container) or stale: only then fetch them.
if ! "${install[@]}" >/dev/null 2>&1; then
  "${as_root[@]}" apt-get update -qq >&2
  "${install[@]}" >&2
fi
