"""Puts the cells that FidelityTests has left behind together as docs/fork-fidelity.md, once all are there."""
import os
import sys

folder, target, runtimes = sys.argv[1], sys.argv[2], sys.argv[3:]
settings = ["default", "server GC", "GC not concurrent", "no tiers", "no PGO", "gen0 of 64 KB", "GCStress=2", "W^X off", "diagnostics off"]
rows, missing, total, whole, fewest = [], [], 0, 0, 200
cells = {}
for runtime in runtimes:
    for setting in settings:
        for part in ("alone", "together"):
            path = os.path.join(folder, runtime, setting + "." + part)
            if not os.path.exists(path):
                missing.append(f"{runtime}, {setting} ({part})")
                continue
            for line in open(path):
                row, figure = line.split()
                good, forks = map(int, figure.split("/"))
                cells[runtime, setting, row] = figure
                whole, total = whole + good, total + forks
                if row not in rows:
                    rows.append(row)
                fewest = min(fewest, forks)
if missing:
    print(f"docs/fork-fidelity.md is not written: {len(missing)} cells are missing, the first: {missing[0]}")
    sys.exit(0)
explained = {
    "nothing": "leave at once", "collect": "allocate, full garbage collections", "finalizers": "finalizers awaited", "jit": "new code compiled",
    "tiers": "compiled again when it is hot", "exceptions": "exceptions, NullReferenceException by signal on a revived thread too", "tasks": "tasks", "threads": "new threads",
    "parallel": "Parallel", "timers": "timers", "sockets": "asynchronous sockets", "files": "files, synchronous and asynchronous", "process": "Process.Start",
    "culture": "cultures and time zones", "spin": "collections beside tight loops on revived threads", "pid": "the process id is its own", "work": "much of this in one child",
    "http-client": "HttpClient against the parent's Kestrel", "http-server": "a Kestrel and an HttpClient of its own",
    "signals": "TERM, INT, QUIT, HUP, USR1 end it alone", "handled-signals": "the same five, handled by a PosixSignalRegistration of the parent's, in it alone",
    "console": "Console output", "console-handlers": "CancelKeyPress", "random": "random numbers differ", "parked-spin": "a worker parked at the fork spins",
    "exits": "exit codes, Environment.Exit", "unhandled": "unhandled exception: SIGABRT", "failfast": "FailFast: SIGABRT", "stack-overflow": "stack overflow: SIGABRT",
    "generations": "child of a child of a child",
}
with open(target, "w") as out:
    out.write(f"# What a forked child can do\n\nMade by the programs of `./build.sh fidelity`, in pieces: children (of `random`: three, of `generations`: a line of four, for each fork counted) that were as they should be / forks, at least {fewest} in each cell. "
              f"{whole:,} of {total:,}, on .NET {', '.join(runtimes)}, Linux x64. "
              "A release runtime honours GCStress=2: the same children take about five times the processor time.\n")
    for runtime in runtimes:
        out.write(f"\n## .NET {runtime}\n\n| a child does | {' | '.join(settings)} |\n|---|{'---|' * len(settings)}\n")
        for row in rows:
            out.write(f"| {explained.get(row, row)} (`{row}`) | {' | '.join(cells.get((runtime, setting, row), '–') for setting in settings)} |\n")
print(f"docs/fork-fidelity.md: {whole:,} of {total:,}")
