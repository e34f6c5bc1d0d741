# ./build.sh stress [factor] [filter]: the tests that scale ([Category("Stress")]) with their counts multiplied by the factor (default 20).
# `./build.sh test` runs the same tests at factor 1. Sourced by build.sh.
factor=${1:-20}; filter=${2:-}
build
status=0
for project in tests/*/*.csproj; do
  grep -rqF 'Category("Stress")' --include='*.cs' "$(dirname "$project")" || continue
  say "$(basename "$project" .csproj), factor $factor"
  STARTMETHODS_STRESS=$factor dotnet test "$project" -c "$configuration" --no-build -nologo -v quiet \
    --logger "console;verbosity=normal" --filter "TestCategory=Stress${filter:+&($filter)}" </dev/null || status=$?
done
exit $status
