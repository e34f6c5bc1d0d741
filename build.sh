#!/usr/bin/env bash
# ./build.sh [verb]: everything this repository does. Verbs: build (default), demo, test, bench, pack, stress, fidelity, clean, native.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1
configuration=${CONFIGURATION:-Release}
output=${configuration,,} root=$PWD artifacts=$PWD/artifacts
mkdir -p "$artifacts"
# The SDK and NuGet write below HOME; a container's user may have none.
[ -n "${HOME:-}" ] && [ -w "$HOME" ] || { export HOME=$artifacts/home; mkdir -p "$HOME"; }

say() { printf '\n── %s\n' "$*"; }
die() { echo "build.sh: $*" >&2; exit 1; }

# Installs what is missing as Debian packages where this user may, else says the one command that does.
require_tools() {
  command -v dotnet >/dev/null || die "the .NET 10 SDK is missing: see https://dotnet.microsoft.com/download (Debian and Ubuntu: the package dotnet-sdk-10.0)"
  local missing=()
  command -v gcc >/dev/null || missing+=(gcc)
  [ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
  command -v cmake >/dev/null || missing+=(cmake)
  command -v make >/dev/null || missing+=(make)
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "these are missing, install them with this system's package manager: ${missing[*]}"
  [ "$(id -u)" = 0 ] || die "these are missing: ${missing[*]}. Install them with: sudo apt-get install -y ${missing[*]}"
  say "installing ${missing[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    </dev/null >"$artifacts/apt.log" 2>&1 || { tail -n 20 "$artifacts/apt.log" >&2; die "apt-get failed; by hand: apt-get update && apt-get install -y ${missing[*]}"; }
  command -v gcc >/dev/null && command -v cmake >/dev/null && command -v make >/dev/null || die "apt-get installed ${missing[*]}, but they are not on the PATH ($PATH)"
}

native() { # native [folder] [cmake options…]: builds libstartmethods into artifacts/native/<folder>
  local folder=${1:-linux-x64}; shift || true
  local log=$artifacts/native-$folder.log
  cmake -S native -B "$artifacts/native/$folder" "$@" >"$log" 2>&1 || { cat "$log"; die "cmake failed"; }
  cmake --build "$artifacts/native/$folder" -j "$(nproc)" >>"$log" 2>&1 || { grep -E "error|warning|check-symbols" -A3 "$log" || tail -n 30 "$log"; die "the native library did not build"; }
}

managed() { # managed project…: restores and builds
  local project
  for project in "$@"; do dotnet build "$project" -c "$configuration" -v quiet -nologo </dev/null; done
}

build() { # build [what]: the native library, and the solution or one project of it
  require_tools
  say "native library"; native linux-x64
  say "${1:-managed solution} ($configuration)"; managed "${1:-StartMethods.sln}"
}

verb=${1:-build}; shift || true
case $verb in
  build) build ;;
  native) require_tools; native linux-x64 ;;
  clean) rm -rf "$artifacts"; say "clean" ;;
  demo|test|bench|pack|stress|fidelity) . "eng/$verb.sh" ;;
  *) die "unknown verb '$verb': build, demo, test, bench, pack, stress, fidelity, clean, native" ;;
esac
