# ./build.sh bench [spawn|fork|forkserver|pool|all|micro] [--scale 0.2] [--only "64 MiB"]: subject and reference in turn, one table a group, kept in artifacts/bench.
# The C references are built here by gcc; the Python ones run where python3 is (PYTHON names another one). Sourced by build.sh.
suite=StartMethods.Benchmarks; [ "${1:-}" = micro ] && suite=StartMethods.MicroBenchmarks
build "benchmarks/$suite"
results=$artifacts/bench; mkdir -p "$results/native"
for source in benchmarks/native/*.c; do
  gcc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$results/native/$(basename "$source" .c)" "$source" -lutil -lpthread
done
export BENCH_RESULTS=$results BENCH_NATIVE=$results/native BENCH_PYTHON_SCRIPTS=$root/benchmarks/python
export BENCH_HELLO=$artifacts/bin/Hello/$output/hello.dll PYTHONDONTWRITEBYTECODE=1
BENCH_PYTHON=$(command -v "${PYTHON:-python3}" || true); export BENCH_PYTHON
[ -n "$BENCH_PYTHON" ] || echo "python3 is missing: the comparisons with CPython are left out (sudo apt-get install python3)"

program=$artifacts/bin/$suite/$output/$suite.dll
if [ "$suite" = StartMethods.MicroBenchmarks ]; then
  shift; dotnet "$program" --artifacts "$results/micro" "$@"
else
  dotnet "$program" "$@"
fi
