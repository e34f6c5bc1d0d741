#!/usr/bin/env pwsh
# ./build.ps1 [verb]: the same verbs as build.sh, for Windows and macOS: build (default), demo, test, bench, pack, stress, clean.
# There the native library does not exist, and everything runs on the portable path. On Linux this hands over to build.sh.
param([string] $Verb = 'build', [Parameter(ValueFromRemainingArguments)] [string[]] $Rest = @())
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
if ($IsLinux -and -not $env:STARTMETHODS_BUILD_PORTABLE) { & ./build.sh $Verb @Rest; exit $LASTEXITCODE }

$env:DOTNET_NOLOGO = '1'; $env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'; $env:STARTMETHODS_PORTABLE = '1'
$configuration = if ($env:CONFIGURATION) { $env:CONFIGURATION } else { 'Release' }
$output = $configuration.ToLowerInvariant()
$artifacts = Join-Path $PSScriptRoot 'artifacts'

function Stop-Build([string] $message) { [Console]::Error.WriteLine("build.ps1: $message"); exit 1 }

function Build([string] $what = 'StartMethods.sln') {
  if (-not (Get-Command dotnet -ErrorAction Ignore)) { Stop-Build 'the .NET 10 SDK is missing: see https://dotnet.microsoft.com/download' }
  dotnet build $what -c $configuration -v quiet -nologo
  if ($LASTEXITCODE -ne 0) { Stop-Build "$what did not build" }
}

function Invoke-Sample([string] $name, [string[]] $arguments = @()) {
  Write-Output "`n-- $name"
  dotnet (Join-Path $artifacts "bin/$name/$output/$name.dll") @arguments
  if ($LASTEXITCODE -ne 0) { Stop-Build "$name failed" }
}

# Pure tests all run; of those that start processes, the ones that apply without the native library.
function Test([string] $category = 'Portable', [string] $only = '') {
  Build
  $results = Join-Path $artifacts 'test-results'
  if (Test-Path $results) { Remove-Item -Recurse -Force $results }
  $passed = 0; $failed = 0; $skipped = 0
  foreach ($project in Get-ChildItem tests/*/*.csproj) {
    if (-not (Select-String -Path $project -Pattern 'Microsoft.NET.Test.Sdk' -Quiet)) { continue }
    $name = $project.BaseName
    $filter = if ($name -eq 'StartMethods.Tests' -and $category -eq 'Portable') { $only } elseif ($only) { "TestCategory=$category&($only)" } else { "TestCategory=$category" }
    $arguments = @('test', $project.FullName, '-c', $configuration, '--no-build', '-nologo', '--logger', 'console;verbosity=minimal',
      '--logger', "trx;LogFileName=$name.trx", '--results-directory', $results, '--blame-hang-timeout', '120s', '--blame-hang-dump-type', 'none')
    if ($filter) { $arguments += @('--filter', $filter) }
    dotnet @arguments
    $status = $LASTEXITCODE
    $trx = Join-Path $results "$name.trx"
    if (-not (Test-Path $trx)) { Write-Output "FAILED ${name}: it left no results"; $failed++; continue }
    $counters = ([xml](Get-Content -Raw $trx)).TestRun.ResultSummary.Counters
    $bad = [int]$counters.executed - [int]$counters.passed
    $passed += [int]$counters.passed; $failed += $bad; $skipped += [int]$counters.total - [int]$counters.executed
    if ($status -ne 0 -and $bad -eq 0) { Write-Output "FAILED ${name}: it ended with code $status"; $failed++ }
  }
  Write-Output "`n$passed passed, $failed failed, $skipped skipped"
  if ($failed -ne 0 -or $passed -eq 0) { exit 1 }
}

$argument = if ($Rest.Count -gt 0) { $Rest[0] } else { '' }
switch ($Verb) {
  'build' { Build }
  'test' { Test 'Portable' $argument }
  'stress' { $env:STARTMETHODS_STRESS = if ($argument) { $argument } else { '20' }; Test 'Stress' 'TestCategory=Portable' }
  'demo' {
    foreach ($sample in 'DocStats', 'Deadlock') { Build "samples/$sample" }
    Invoke-Sample 'DocStats' $Rest
    Invoke-Sample 'Deadlock'
  }
  'bench' { Build 'benchmarks/StartMethods.MicroBenchmarks'; Invoke-Sample 'StartMethods.MicroBenchmarks' (@('--artifacts', (Join-Path $artifacts 'bench/micro')) + $Rest) }
  'pack' { Stop-Build 'the package carries the Linux library: it is packed on Linux, by ./build.sh pack' }
  'clean' { if (Test-Path $artifacts) { Remove-Item -Recurse -Force $artifacts } }
  default { Stop-Build "unknown verb '$Verb': build, demo, test, bench, pack, stress, clean" }
}
