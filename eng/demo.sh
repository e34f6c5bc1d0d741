# ./build.sh demo [folder]: the main job on real input, samples/DocStats; then the classic story with each of its ends, samples/Deadlock. Sourced by build.sh.
for sample in DocStats Deadlock; do build "samples/$sample"; done
for sample in DocStats Deadlock; do
  say "$sample"
  dotnet "$artifacts/bin/$sample/$output/$sample.dll" "$@"; set --
done
