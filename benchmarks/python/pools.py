"""Reference: Python's process pools with two workers. usage: pools.py WHAT [METHOD]
apply | submit: round trip of an empty task, us (Pool, Executor). imap | map | executor-map: tasks per second.
pool-argument MB | executor-argument MB: GB/s of a bytes argument. WHAT may carry a number after a colon: map:100000, pool-argument:64."""
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from reference import rate, serve, timed

WORKERS = 2


def identity(value):
    return value


def main(what, method="fork"):
    what, _, number = what.partition(":")
    number = int(number or 10000)
    context = multiprocessing.get_context(method)
    if what in ("submit", "executor-map", "executor-argument"):
        with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
            list(pool.map(identity, range(100)))
            serve({
                "submit": timed(lambda: pool.submit(identity, 1).result()),
                "executor-map": rate(number, lambda: list(pool.map(identity, range(number)))),
                "executor-argument": argument(number, lambda data: pool.submit(len, data).result()),
            }[what])
    else:
        with context.Pool(WORKERS) as pool:
            pool.map(identity, range(100))
            serve({
                "apply": timed(lambda: pool.apply(identity, (1,))),
                "imap": rate(number, lambda: list(pool.imap(identity, range(number)))),
                "map": rate(number, lambda: pool.map(identity, range(number))),
                "pool-argument": argument(number, lambda data: pool.apply(len, (data,))),
            }[what])


def argument(megabytes, call):
    data = []                                      # made at the first sample: most measures need none

    def send():
        if not data:
            data.append(bytes(megabytes << 20))
        call(data[0])
    return rate((megabytes << 20) / 1e9, send)


if __name__ == "__main__":
    main(*sys.argv[1:])
