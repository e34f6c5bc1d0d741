# ./build.sh pack: the NuGet package, in artifacts/packages. Sourced by build.sh.
build
packages=$artifacts/packages; rm -rf "$packages"; mkdir -p "$packages"
say "package"
dotnet pack src/StartMethods/StartMethods.csproj -c "$configuration" --no-build -o "$packages" -v quiet -nologo
for wanted in lib/net10.0/StartMethods.dll lib/net10.0/StartMethods.xml lib/net10.0/StartMethods.WorkerHost.dll runtimes/linux-x64/lib/net10.0/StartMethods.dll runtimes/linux-x64/native/libstartmethods.so \
    build/StartMethods.targets buildTransitive/StartMethods.targets buildTransitive/StartMethods.ModuleInitializer.cs; do
  python3 -c 'import sys, zipfile; sys.exit(sys.argv[2] not in zipfile.ZipFile(sys.argv[1]).namelist())' "$packages"/StartMethods.*.nupkg "$wanted" || die "the package lacks $wanted"
done
ls -l "$packages"
