#!/usr/bin/env bash
# ./build.sh [verb]: everything this repository does. Verbs: build (default), demo, test, bench, pack, stress, clean, native.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1
configuration=${CONFIGURATION:-Release}
root=$PWD artifacts=$PWD/artifacts

say() { printf '\n── %s\n' "$*"; }
die() { echo "build.sh: $*" >&2; exit 1; }

# Installs Debian packages where this user may, else says the one command that does.
need() { # need COMMAND PACKAGE…
  local command=$1; shift
  command -v "$command" >/dev/null && return
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing $* (for $command)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  fi
  command -v "$command" >/dev/null || die "'$command' is missing. Install it with: sudo apt-get install $*"
}

require_tools() {
  command -v dotnet >/dev/null || die "the .NET 10 SDK is missing: see https://dotnet.microsoft.com/download (Debian and Ubuntu: the package dotnet-sdk-10.0)"
  need gcc gcc libc6-dev; need cmake cmake; need make make
}

native() { # native [folder] [cmake options…]: builds libstartmethods into artifacts/native/<folder>
  local folder=${1:-linux-x64}; shift || true
  cmake -S native -B "$artifacts/native/$folder" "$@" >"$artifacts/native-$folder.log" 2>&1 || { cat "$artifacts/native-$folder.log"; die "cmake failed"; }
  cmake --build "$artifacts/native/$folder" -j "$(nproc)" >>"$artifacts/native-$folder.log" 2>&1 || { grep -E "error|warning|check-symbols" -A3 "$artifacts/native-$folder.log"; die "the native library did not build"; }
}

build() {
  require_tools; mkdir -p "$artifacts"
  say "native library"; native linux-x64
  say "managed solution ($configuration)"; dotnet build StartMethods.sln -c "$configuration" -v quiet -nologo
}

for verb in "${1:-build}"; do
  shift || true
  case $verb in
    build) build ;;
    native) require_tools; mkdir -p "$artifacts"; native linux-x64 ;;
    clean) rm -rf artifacts; say "clean" ;;
    demo|test|bench|pack|stress) build; . "eng/$verb.sh" "$@" ;;
    *) die "unknown verb '$verb': build, demo, test, bench, pack, stress, clean, native" ;;
  esac
done
