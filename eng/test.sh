# ./build.sh test [filter]: C tests (plain, then under ASan and UBSan), then every managed test project. Sourced by build.sh.
# Ends with one line "N passed, N failed, N skipped", counted from the results files, and fails if anything failed or nothing ran.
results=$artifacts/test-results; rm -rf "$results"; mkdir -p "$results"
passed=0 failed=0 skipped=0

native_tests() { # native_tests folder: runs every C test, counting the cases that each prints
  local folder=$1 binary output
  for binary in "$artifacts/native/$folder"/tests/test_*; do
    [ -x "$binary" ] && [ -f "$binary" ] || continue
    output=$(timeout 120 "$binary" 2>&1) || true
    echo "$output" | grep -vE '^ok    ' || true
    passed=$((passed + $(grep -c '^ok    ' <<<"$output" || true))); failed=$((failed + $(grep -c '^FAILED' <<<"$output" || true)))
    grep -qE '^[0-9]+ passed, [0-9]+ failed$' <<<"$output" || { echo "$(basename "$binary") died without a summary"; failed=$((failed + 1)); }
  done
}

say "C tests"; native_tests linux-x64
say "C tests under AddressSanitizer and UndefinedBehaviorSanitizer"
native linux-x64-sanitized -DSM_SANITIZE=ON; native_tests linux-x64-sanitized

managed_tests() { # managed_tests name project [environment…]: one test project, counted from its trx file
  local name=$1 project=$2; shift 2
  say "$name"
  env "$@" dotnet test "$project" -c "$configuration" --no-build -v quiet --logger "trx;LogFileName=$name.trx" --results-directory "$results" ${filter:+--filter "$filter"} \
    || echo "($name reported failures)"
  local counters; counters=$(grep -oE '<Counters [^>]*>' "$results/$name.trx" 2>/dev/null | head -n 1) || true
  count() { grep -oE "$1=\"[0-9]+\"" <<<"$counters" | grep -oE '[0-9]+' || echo 0; }
  if [ -z "$counters" ]; then echo "$name left no results"; failed=$((failed + 1)); return; fi
  local total executed ok; total=$(count total) executed=$(count executed) ok=$(count passed)
  passed=$((passed + ok)) failed=$((failed + executed - ok)) skipped=$((skipped + total - executed))
}

filter=${1:-}
for project in tests/*/*.csproj; do
  grep -q 'Microsoft.NET.Test.Sdk' "$project" || continue
  managed_tests "$(basename "$project" .csproj)" "$project"
done

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
