# ./build.sh fidelity [factor] [filter]: what forked children can do, on every runtime below and under every setting; the result is docs/fork-fidelity.md.
# At factor 100 each cell is 200 forks, which takes more than an hour; with a filter (for instance "Name~10.0.13") it is made in pieces, which
# stay in artifacts/fork-fidelity until all are there. Sourced by build.sh.
factor=${1:-100}; filter=${2:-}
runtimes=(10.0.11 10.0.12 10.0.13 10.0.14)
build
for runtime in "${runtimes[@]}"; do
  for program in ForkChild ForkWeb; do
    folder=$artifacts/fork-runtimes/$runtime/$program
    [ "$artifacts/native/linux-x64/libstartmethods.so" -nt "$folder/$program" ] || [ "$root/tests/$program" -nt "$folder/$program" ] || continue
    say "$program with .NET $runtime"
    dotnet publish "tests/$program" -c "$configuration" -p:ForkRuntime="$runtime" -o "$folder" -v quiet -nologo </dev/null
    touch "$folder/$program"
  done
done
status=0
STARTMETHODS_FORK_RUNTIMES="${runtimes[*]}" STARTMETHODS_STRESS=$factor dotnet test tests/StartMethods.ProcessTests -c "$configuration" --no-build -nologo -v quiet --logger "console;verbosity=normal" \
  --filter "FullyQualifiedName~FidelityTests${filter:+&($filter)}" </dev/null || status=$?
python3 eng/fidelity.py "$artifacts/fork-fidelity" docs/fork-fidelity.md "${runtimes[@]}"
exit $status
