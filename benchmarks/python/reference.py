"""What every Python reference shares: a line with a number is answered by so many samples on one line."""
import sys
import time


def timed(action):
    """A measure that takes the microseconds of one call."""
    def measure():
        begin = time.perf_counter()
        action()
        return (time.perf_counter() - begin) * 1e6
    return measure


def rate(amount, action):
    """A measure of `amount` per second of one call."""
    def measure():
        begin = time.perf_counter()
        action()
        return amount / (time.perf_counter() - begin)
    return measure


def serve(measure):
    """Until the input ends."""
    while line := sys.stdin.readline():
        print(*(f"{measure():.3f}" for _ in range(int(line))), flush=True)
