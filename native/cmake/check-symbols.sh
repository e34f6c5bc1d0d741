#!/usr/bin/env bash
# Three promises of the native library, checked on what the linker made:
#  1. it exports exactly the functions that include/startmethods.h declares with SM_API;
#  2. it needs no libc symbol newer than GLIBC_2.28, so that one binary runs on every supported distribution;
#  3. a source file that says "CHILD-SAFE" in its first lines calls nothing outside native/cmake/child-safe.txt: that code runs in a child
#     whose other threads are gone, where a lock taken by one of them is never released.
set -euo pipefail
library=$1; root=$2; shift 2
fail() { echo "check-symbols: $*" >&2; exit 1; }

exported=$(nm -D --defined-only "$library" | awk '$2=="T"{print $3}' | sort)
declared=$(grep -hoE '^SM_API [^;(]*\bsm_[a-z0-9_]+' "$root/include/startmethods.h" | grep -oE 'sm_[a-z0-9_]+$' | sort)
difference=$(diff <(echo "$declared") <(echo "$exported")) || fail "the exports differ from the header ('<' declared only, '>' exported only):"$'\n'"$difference"

newest=$(nm -D --undefined-only "$library" | { grep -oE 'GLIBC_[0-9.]+' || true; } | sort -uV | tail -n 1)
[ "$(printf '%s\nGLIBC_2.28\n' "${newest:-GLIBC_2.2}" | sort -V | tail -n 1)" = GLIBC_2.28 ] \
  || fail "needs $newest, which is newer than GLIBC_2.28: $(nm -D --undefined-only "$library" | grep "$newest" | awk '{print $2}' | tr '\n' ' ')"

for object in "$@"; do
  name=$(basename "$object" .o); source=$root/src/$name
  [ -f "$source" ] && head -n 5 "$source" | grep -q CHILD-SAFE || continue
  foreign=$(nm --undefined-only "$object" | awk '{print $NF}' | sed 's/@.*//' | grep -vE '^sm__|^_GLOBAL_OFFSET_TABLE_$' | sort -u | comm -23 - <(grep -vE '^(#|$)' "$root/cmake/child-safe.txt" | sort -u)) || true
  [ -z "$foreign" ] || fail "$name is CHILD-SAFE but calls: $(echo $foreign)"
done
