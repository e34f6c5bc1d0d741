"""Reference: multiprocessing start methods. usage: starts.py process METHOD | rate METHOD | os.fork | program | memory METHOD COUNT | create METHOD LIVE
process: start and join, us. os.fork: a child that leaves at once, until it is reaped, us. rate: starts per second, two in flight. program: subprocess.run of /bin/true, us.
memory: PSS in MB of each of COUNT idle children. create: us to create one more beside LIVE idle ones."""
import multiprocessing
import os
import subprocess
import sys
import time

from reference import rate, serve, timed


def nothing():
    pass


def idle():
    time.sleep(3600)


def start_and_join(context):
    process = context.Process(target=nothing)
    process.start()
    process.join()
    process.close()


def fork_and_wait():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def two_in_flight(context, count):
    live = []
    for _ in range(count):
        if len(live) == 2:
            live.pop(0).join()
        live.append(context.Process(target=nothing))
        live[-1].start()
    for process in live:
        process.join()


def idle_children(context, count):
    processes = [context.Process(target=idle) for _ in range(count)]
    for process in processes:
        process.start()
    return processes


def stop(processes):
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def memory(context, count):
    processes = idle_children(context, count)
    try:
        return sum(pss(process.pid) for process in processes) / count
    finally:
        stop(processes)


def main(what, method="fork", count="1"):
    if what == "program":
        return serve(timed(lambda: subprocess.run(["/bin/true"])))
    if what == "os.fork":
        return serve(timed(fork_and_wait))
    context = multiprocessing.get_context(method)
    if what == "process":
        start_and_join(context)
        return serve(timed(lambda: start_and_join(context)))
    if what == "rate":
        return serve(rate(100, lambda: two_in_flight(context, 100)))
    if what == "memory":
        return serve(lambda: memory(context, int(count)))
    if what == "create":
        live = idle_children(context, int(count))
        try:
            return serve(timed(lambda: live.extend(idle_children(context, 1))))
        finally:
            stop(live)
    sys.exit(f"starts.py: unknown measure {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
