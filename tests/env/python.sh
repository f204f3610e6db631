#!/usr/bin/env bash
# Virtual environments with Ray and debugpy, made once and kept in the user's cache.
#
#   python.sh find VERSION|any          prints "VERSION INTERPRETER"
#   python.sh VERSION|any RAY DEBUGPY   makes the environment where it is missing, prints its folder
#
# `any` prefers the distribution's own python3, then the newest. Exit status 77 where no such Python is on this machine.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/versions.env"

# Prints the real interpreter behind $1 if it runs (a pyenv shim on PATH may not), can make environments and is of version $2.
real_interpreter() {
  "$1" -c 'import ensurepip, sys, venv
if "%d.%d" % sys.version_info[:2] != sys.argv[1]: sys.exit(1)
print(sys.executable)' "$2" 2>/dev/null
}

candidates() {
  printf '%s\n' /usr/bin/python3 "/usr/bin/python$1"
  type -ap "python$1" || true
  if command -v pyenv >/dev/null; then
    printf '%s\n' "$(pyenv root)/versions/$1".*/bin/python3 | sort -rV
  fi
}

find_version() {
  local candidate interpreter
  while read -r candidate; do
    if [[ -x $candidate ]] && interpreter=$(real_interpreter "$candidate" "$1"); then
      echo "$1 $interpreter"
      return
    fi
  done < <(candidates "$1")
  return 1
}

find_any() {
  local version own
  own=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || own=
  for version in $own $(tr ' ' '\n' <<<"$PYTHONS" | sort -rV); do
    if [[ " $PYTHONS " == *" $version "* ]] && find_version "$version"; then
      return
    fi
  done
  return 1
}

find_python() {
  if [[ $1 == any ]]; then
    find_any || { echo "no Python of $PYTHONS found on this machine (looked at PATH and pyenv)" >&2; exit 77; }
  else
    find_version "$1" || { echo "Python $1 not found on this machine (looked at PATH and pyenv)" >&2; exit 77; }
  fi
}

# Makes environment $1 with interpreter $2. Scripts in an environment hold its path, so it cannot be built elsewhere and
# renamed: a file written last says that it is whole.
make_environment() {
  local environment=$1 interpreter=$2
  exec 9>"$environment.lock"
  flock 9
  is_whole "$environment" && return  # somebody else made it while we waited
  rm -rf "$environment"
  echo "python.sh: making $environment" >&2
  "$interpreter" -m venv "$environment" >&2
  "$environment/bin/python" -m pip --quiet --disable-pip-version-check --no-input install $requirements >&2
  echo "$requirements" >"$environment/whole"
}

is_whole() { [[ -x $1/bin/python && $(cat "$1/whole" 2>/dev/null) == "$requirements" ]]; }

if [[ ${1:-} == find && $# -eq 2 ]]; then
  find_python "$2"
  exit
elif [[ $# -ne 3 ]]; then
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/ray-dap
requirements="ray[default]==$2 debugpy==$3 pytest==$PYTEST"
version=$1
interpreter=
if [[ $version == any ]]; then
  read -r version interpreter < <(find_python any) || exit 77
fi
environment=$cache/python-$version-ray-$2-debugpy-$3
if ! is_whole "$environment"; then
  [[ -n $interpreter ]] || interpreter=$(find_python "$version") || exit 77
  mkdir -p "$cache"
  make_environment "$environment" "${interpreter##* }"
fi
echo "$environment"
