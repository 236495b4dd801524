#!/usr/bin/env python3
"""Measures goalpost's updates beside the same updates of other programs, in turns, and prints ratios.

  peers.py [--rounds N] [--seconds S] [--bench FILE] PROGRAM...

Each PROGRAM is a command that takes a number of threads and seconds per row as its last two arguments and prints lines
`name,samples,least microseconds,median microseconds` with the names of ROWS below; goalpost links none of them. One round
runs every program and goalpost-bench once with one thread and once with two. Of a round counts the median time; a ratio is
taken within one round, theirs over ours (above 1: ours is faster), and printed as the median of all rounds ± half its
interquartile range. Let nothing else run.
"""

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys

ACT, NODE = "BM_sac_learner_act_1/13-256-256-4/256", "BM_tape_node_forward_backward/1x1"
ROWS = [  # what, (their name, divided by), (our benchmark, divided by); {t} is the number of threads
    ("SAC update 13-256-256-4, batch 256", ("sac-2x256-b256/update", 1),
     ("BM_sac_learner_update/13-256-256-4/256/threads:{t}/real_time", 1)),
    ("two TD3 updates 45-300-300-8, batch 128", ("td3-2x300-b128/two-updates(policy_delay=2)", 1),
     ("BM_td3_learner_update/45-300-300-8/128/threads:{t}/real_time", 1)),
    ("DQN update 80-256-40, batch 128, with its batch", ("dqn-256-b128/update", 1),
     ("BM_dqn_agent_update_uniform/n:40/128/threads:{t}/real_time", 1)),
    ("acting on one observation 13-256-256-4", ("sac-2x256-b256/infer1 (mean action) x100", 100), (ACT, 1)),
    ("a 1x1 node, forward and backward", ("overhead/mul 1x1 taped forward+backward (us per 1000 ops)", 1000), (NODE, 1000)),
]


def fail(message):
    print(f"peers.py: {message}", file=sys.stderr)
    sys.exit(2)


def environment(threads):
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}  # set to an older core it halves OpenBLAS
    return env | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": "1000"}


def run(command, threads):
    pinned = ["taskset", "-c", "1" if threads == 1 else "0,1"] + command
    try:
        done = subprocess.run(pinned, env=environment(threads), stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"{shlex.join(command)}: {error}")
    return done.stdout


def theirs(program, threads, seconds):
    """Name -> median microseconds."""
    times = {}
    for line in run(shlex.split(program) + [str(threads), str(seconds)], threads).splitlines():
        fields = line.rsplit(",", 3)
        if len(fields) == 4 and fields[0] != "name":
            times[fields[0]] = float(fields[3])
    return times


def ours(bench, threads, seconds):
    """Name -> median microseconds of 5 repetitions."""
    names = "|".join(name.format(t=threads).replace("(", "\\(") for _, _, (name, _) in ROWS)
    out = run([bench, f"--benchmark_filter=^({names})$", "--benchmark_repetitions=5", "--benchmark_format=json",
               f"--benchmark_min_time={seconds / 5}"], threads)
    samples = {}
    for b in json.loads(out[out.index("{"):out.rindex("}") + 1])["benchmarks"]:
        if b["run_type"] == "iteration":
            samples.setdefault(b["run_name"], []).append(b["real_time"])
    return {name: statistics.median(times) for name, times in samples.items()}


def spread(values):
    if len(values) < 2:
        return math.nan
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2


def show(values):
    return f"{statistics.median(values):9.2f} ± {spread(values):5.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="per row and round")
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "goalpost-bench")
    parser.add_argument("--bench", default=default, help="goalpost-bench")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.bench):
        fail(f"{arguments.bench} is not built; `./goalpost benchmark` builds it")

    mine, others = [], {program: [] for program in arguments.programs}  # one entry per round: (row, threads) -> us
    for i in range(arguments.rounds):
        print(f"round {i + 1} of {arguments.rounds}", file=sys.stderr)
        mine.append({})
        for rounds in others.values():
            rounds.append({})
        for threads in (1, 2):
            for program, rounds in others.items():
                times = theirs(program, threads, arguments.seconds)
                for what, (name, by), _ in ROWS:
                    if name in times:
                        rounds[-1][what, threads] = times[name] / by
            times = ours(arguments.bench, threads, arguments.seconds)
            for what, _, (name, by) in ROWS:
                if name.format(t=threads) in times:
                    mine[-1][what, threads] = times[name.format(t=threads)] / by

    for what, _, (name, _) in ROWS:
        print(f"\n{what}")
        counts = (1, 2) if "{t}" in name else (1,)
        for threads in counts:
            print(f"  ours, {threads} thread{'s'[:threads - 1]:1}  {show([r[what, threads] for r in mine])} us")
        if len(counts) == 2:
            print(f"    1 thread over 2    {show([r[what, 1] / r[what, 2] for r in mine])}")
        for program, rounds in others.items():
            if not any((what, 1) in r for r in rounds):
                continue
            print(f"  {program}")
            for threads in (1, 2):
                if all((what, threads) in r for r in rounds):
                    print(f"    {threads} thread{'s'[:threads - 1]:1}          {show([r[what, threads] for r in rounds])} us")
            best = [min(v for (row, _), v in r.items() if row == what) for r in rounds]
            for threads in counts:
                one = [r[what, threads] for r in mine] if threads == 2 else [r[what, 1] for r in mine]
                beside = best if threads == 2 else [r[what, 1] for r in rounds]
                label = "its best over ours, 2 threads" if threads == 2 else "over ours, 1 thread"
                print(f"    {label:29} {show([a / b for a, b in zip(beside, one)])}")


if __name__ == "__main__":
    main()
