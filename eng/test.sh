# ./build.sh test [filter]: C tests (plain, then under ASan and UBSan), then every managed test project, then again those tests that apply
# without the native library ([Category("Portable")], STARTMETHODS_PORTABLE=1). Sourced by build.sh.
# Ends with one line "N passed, N failed, N skipped", counted from the results files, and fails if anything failed or nothing ran.
filter=${1:-}
project_limit=${TEST_PROJECT_LIMIT:-420}                   # seconds for one test project; what is over it has hung
results=$artifacts/test-results; rm -rf "$results"; mkdir -p "$results"
passed=0 failed=0 skipped=0 begin=$SECONDS

# An independent MessagePack, for the payload format. Without it those tests are skipped, not passed.
/usr/bin/python3 -c 'import msgpack' 2>/dev/null || { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
  && { say "installing python3-msgpack"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-msgpack >/dev/null; }; } \
  || echo "python3-msgpack is missing: sudo apt-get install python3-msgpack"

native_tests() { # native_tests folder: runs every C test, counting the cases that each prints
  local folder=$1 binary output; mkdir -p "$results/$folder"
  for binary in "$artifacts/native/$folder"/tests/test_*; do
    [ -x "$binary" ] && [ -f "$binary" ] || continue
    output=$results/$folder/$(basename "$binary").txt      # a file: a pipe would be held open by whatever a test leaves running
    timeout -k 5 120 "$binary" >"$output" 2>&1 </dev/null || true
    grep -avE '^ok    ' "$output" || true
    passed=$((passed + $(grep -ac '^ok    ' "$output" || true))); failed=$((failed + $(grep -ac '^FAILED' "$output" || true)))
    grep -aqE '^[0-9]+ passed, [0-9]+ failed$' "$output" || { echo "FAILED $(basename "$binary"): it ended without a summary"; failed=$((failed + 1)); }
  done
}

managed_tests() { # managed_tests name project filter [environment…]: one test project, counted from its trx file
  local name=$1 project=$2 chosen=$3 status=0 counters total executed ok; shift 3
  say "$name"
  # A test that hangs is ended, named, and dumped by the blame collector; the outer limit is for a test host that is past that.
  timeout -k 20 "$project_limit" env "$@" dotnet test "$project" -c "$configuration" --no-build -nologo --logger "console;verbosity=minimal" \
    --logger "trx;LogFileName=$name.trx" --results-directory "$results" \
    --blame-hang-timeout 120s --blame-hang-dump-type mini ${chosen:+--filter "$chosen"} </dev/null || status=$?
  [ $status = 124 ] && echo "FAILED $name: not finished after $project_limit s, ended"
  counters=$(grep -aoE '<Counters [^>]*>' "$results/$name.trx" 2>/dev/null | tail -n 1) || true
  count() { grep -oE " $1=\"[0-9]+\"" <<<"$counters" | grep -oE '[0-9]+' || echo 0; }
  total=$(count total) executed=$(count executed) ok=$(count passed)
  passed=$((passed + ok)) failed=$((failed + executed - ok)) skipped=$((skipped + total - executed))
  if [ $status != 0 ] && [ $((executed - ok)) = 0 ]; then
    echo "FAILED $name: it ended with code $status, after $executed tests that passed"; failed=$((failed + 1))
  elif [ "$total" = 0 ] && [ -z "$filter" ]; then
    echo "FAILED $name: no test ran"; failed=$((failed + 1))
  fi
}

build
if [ -z "$filter" ]; then
  say "C tests"; native_tests linux-x64
  say "C tests under AddressSanitizer and UndefinedBehaviorSanitizer"
  native linux-x64-sanitized -DSM_SANITIZE=ON; native_tests linux-x64-sanitized
fi
for project in tests/*/*.csproj; do
  grep -q 'Microsoft.NET.Test.Sdk' "$project" || continue
  name=$(basename "$project" .csproj)
  managed_tests "$name" "$project" "$filter"
  if grep -rqF 'Category("Portable")' --include='*.cs' "$(dirname "$project")"; then
    managed_tests "$name.Portable" "$project" "TestCategory=Portable${filter:+&($filter)}" STARTMETHODS_PORTABLE=1
  fi
done

echo
echo "(took $((SECONDS - begin)) s; results in artifacts/test-results)"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
