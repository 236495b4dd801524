"""What the Python programs of this folder share: `PROGRAM THREADS SECONDS`, and the lines that they print."""

import statistics
import sys
import time


def arguments():
    """Threads, and seconds for each row."""
    try:
        threads, seconds = int(sys.argv[1]), float(sys.argv[2])
        if threads < 1 or seconds <= 0 or len(sys.argv) != 3:
            raise ValueError
    except (IndexError, ValueError):
        print(f"usage: {sys.argv[0]} THREADS SECONDS", file=sys.stderr)
        sys.exit(2)
    return threads, seconds


def measure(name, seconds, items, body):
    """Calls body for so many seconds, in samples of at least two milliseconds; prints name, samples, least and median
    microseconds of one of `items`."""

    def elapsed(calls):
        start = time.perf_counter()
        for _ in range(calls):
            body()
        return time.perf_counter() - start

    elapsed(20)
    calls = 1
    while elapsed(calls) < 2e-3:
        calls *= 2
    samples, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 5:
        samples.append(elapsed(calls) * 1e6 / calls / items)
    print(f"{name},{len(samples)},{min(samples):.3f},{statistics.median(samples):.3f}", flush=True)
