#!/usr/bin/env python3
"""Compares Google Benchmark's JSON files.

  compare.py OLD.json NEW.json [--relative-to NAME] [--filter REGEX]
      time of NEW over time of OLD for every benchmark of both: below 1 is faster. With --relative-to, the times of each
      file are first divided by that benchmark's time in the same file, so that a different clock cancels.
  compare.py RUN.json --ratio NAME NAME
      time of the first benchmark over time of the second, both from one run.

Medians over the repetitions. The spread beside a number is half the interquartile range of its repetitions, relative to
the median; of a ratio, the root of the sum of both squares. A ratio that is nearer to 1 than twice its spread is noise.
Exit status 0, or 1 if a benchmark of NEW allocates more often than in OLD, or 2 for a usage error.
"""

import argparse
import json
import math
import re
import statistics
import sys


class Sample:
    """The repetitions of one benchmark."""

    def __init__(self):
        self.times, self.allocs = [], []

    def median(self):
        return statistics.median(self.times)

    def spread(self):
        if len(self.times) < 2:
            return math.nan
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return (high - low) / 2 / self.median()


def read(path):
    """Benchmark name -> Sample, times in nanoseconds: elapsed where the benchmark asked for it, else of the processor."""
    try:
        with open(path) as file:
            entries = json.load(file)["benchmarks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"{path}: no JSON of Google Benchmark ({error})")
    unit = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    samples = {}
    for entry in entries:
        if entry.get("run_type") == "aggregate" or entry.get("error_occurred"):
            continue
        name = entry.get("run_name", entry["name"])
        sample = samples.setdefault(name, Sample())
        clock = "real_time" if "/real_time" in name else "cpu_time"
        sample.times.append(entry[clock] * unit[entry["time_unit"]])
        sample.allocs.append(entry.get("allocs", 0.0))
    if not samples:
        fail(f"{path}: no single repetitions; expected a run without --benchmark_report_aggregates_only")
    return samples


def fail(message):
    print(f"compare.py: {message}", file=sys.stderr)
    sys.exit(2)


def pick(samples, name, path):
    if name not in samples:
        fail(f"{path}: no benchmark is called {name}")
    return samples[name]


def percent(spread):
    return "  ?" if math.isnan(spread) else f"{100 * spread:.1f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--relative-to", metavar="NAME")
    parser.add_argument("--filter", default="", metavar="REGEX")
    parser.add_argument("--ratio", nargs=2, metavar="NAME")
    arguments = parser.parse_args()
    try:
        chosen = re.compile(arguments.filter)
    except re.error as error:
        fail(f"--filter {arguments.filter}: {error}")

    if arguments.ratio:
        if len(arguments.files) != 1:
            fail("--ratio takes one file")
        samples = read(arguments.files[0])
        a, b = (pick(samples, name, arguments.files[0]) for name in arguments.ratio)
        print(f"{a.median() / b.median():.3f} ± {percent(math.hypot(a.spread(), b.spread()))}")
        return 0

    if len(arguments.files) != 2:
        fail("expected two files, OLD and NEW, or one file and --ratio")
    old, new = (read(path) for path in arguments.files)
    scale = 1.0
    if arguments.relative_to:
        references = [pick(s, arguments.relative_to, p) for s, p in zip((old, new), arguments.files)]
        scale = references[0].median() / references[1].median()
    names = [name for name in old if name in new and chosen.search(name)]
    if not names:
        fail("the files have no benchmark in common that fits the filter")
    width = max(map(len, names))
    worse = False
    print(f"{'benchmark':{width}} {'old us':>12} {'spread':>8} {'new us':>12} {'spread':>8} {'new/old':>8} {'spread':>8}")
    for name in names:
        a, b = old[name], new[name]
        spread = math.hypot(a.spread(), b.spread())
        line = f"{name:{width}} {a.median() / 1e3:12.3f} {percent(a.spread()):>8} {b.median() / 1e3:12.3f}"
        line += f" {percent(b.spread()):>8} {b.median() / a.median() * scale:8.3f} {percent(spread):>8}"
        before, after = statistics.median(a.allocs), statistics.median(b.allocs)
        if before != after:
            line += f"  allocs {before:g} -> {after:g}"
            worse = worse or after > before
        print(line)
    for missing, where in ((set(old) - set(new), "OLD"), (set(new) - set(old), "NEW")):
        for name in sorted(n for n in missing if chosen.search(n)):
            print(f"only in {where}: {name}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
