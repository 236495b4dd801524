#!/usr/bin/env python3
"""Measures goalpost's updates beside the same updates of other programs, in turns, and prints their ratios as a table.

  peers.py [--rounds N] [--seconds S] [--bench FILE] [PROGRAM...]

Without a PROGRAM those of the folder peers for what is installed: LibTorch, PyTorch, Stable-Baselines3. A PROGRAM is a
command that takes a number of threads and seconds per row as its last two arguments and prints lines
`name,samples,least microseconds,median microseconds` with names of ROWS below; goalpost links none of them. One round runs
every program and goalpost-bench once with one thread and once with two. Of a round counts the median time; a ratio is taken
within one round, theirs over ours (above 1: ours is faster), and printed as the median of all rounds ± half its
interquartile range. With two threads theirs is the better of one and two. Let nothing else run.
"""

import argparse
import importlib.util
import json
import math
import os
import shlex
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "peers")

ROWS = [  # what, their name, our benchmark; {t} is the number of threads
    ("SAC, 2 x 256, batch 256", "sac/13-256-256-4/256", "BM_sac_learner_update/13-256-256-4/256/threads:{t}/real_time"),
    ("SAC, 2 x 256, batch 1024", "sac/13-256-256-4/1024",
     "BM_sac_learner_update/13-256-256-4/1024/threads:{t}/real_time"),
    ("SAC, 3 x 512, batch 256", "sac/13-512-512-512-4/256",
     "BM_sac_learner_update/13-512-512-512-4/256/threads:{t}/real_time"),
    ("SAC, 2 x 64, batch 100", "sac/3-64-64-1/100", "BM_sac_learner_update/3-64-64-1/100/threads:{t}/real_time"),
    ("TD3, two updates, 2 x 300, batch 128", "td3/45-300-300-8/128/two",
     "BM_td3_learner_update/45-300-300-8/128/threads:{t}/real_time"),
    ("DQN, 80-256-40, batch 128, with its batch", "dqn/80-256-40/128",
     "BM_dqn_agent_update_uniform/n:40/128/threads:{t}/real_time"),
    ("acting on one observation, 2 x 256", "act/13-256-256-4", "BM_sac_learner_act_1/13-256-256-4/256"),
    ("a 1 x 1 node, forward and backward", "node", "BM_tape_node_forward_backward/1x1"),
]
OUR_ITEMS = {"node": 1000}  # of what our benchmark measures, where it is more than one


def fail(message):
    print(f"peers.py: {message}", file=sys.stderr)
    sys.exit(2)


def openblas_core():
    """OpenBLAS takes processors that are newer than itself for the oldest, and is then many times slower."""
    with open("/proc/cpuinfo") as file:
        flags = next((line.split() for line in file if line.startswith("flags")), [])
    return "SkylakeX" if "avx512dq" in flags else "Haswell" if "avx2" in flags else None


def environment(threads):
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": "1000"}
    core = openblas_core()
    return env | {"OPENBLAS_CORETYPE": core} if core and "OPENBLAS_CORETYPE" not in env else env


def run(command, threads):
    processors = sorted(os.sched_getaffinity(0))
    pinned = ["taskset", "-c", ",".join(str(p) for p in processors[-threads:])] + command
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
        try:
            times[fields[0]] = float(fields[3])
        except (IndexError, ValueError):
            continue  # another line
    return times


def ours(bench, threads, seconds):
    """Name -> median microseconds of 5 repetitions."""
    names = {benchmark.format(t=threads): name for _, name, benchmark in ROWS}
    out = run([bench, f"--benchmark_filter=^({'|'.join(names)})$", "--benchmark_repetitions=5",
               "--benchmark_format=json", f"--benchmark_min_time={seconds / 5}"], threads)
    samples = {}
    for b in json.loads(out[out.index("{"):out.rindex("}") + 1])["benchmarks"]:
        if b["run_type"] == "iteration":
            samples.setdefault(names[b["run_name"]], []).append(b["real_time"])
    return {name: statistics.median(times) / OUR_ITEMS.get(name, 1) for name, times in samples.items()}


def build_libtorch(prefix):
    """The path of the program, built beside goalpost-bench where CMake finds LibTorch; None if it does not."""
    if shutil.which("cmake") is None:
        return None
    build = os.path.join(HERE, "..", "build", "peers")
    configure = ["cmake", "-S", PEERS, "-B", build] + ([f"-DCMAKE_PREFIX_PATH={prefix}"] if prefix else [])
    shutil.rmtree(build, ignore_errors=True)  # of another installation, perhaps
    done = subprocess.run(configure, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        errors = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        print(f"peers.py: LibTorch is left out: CMake does not find it ({errors[0] if errors else 'no reason given'})",
              file=sys.stderr)
        return None
    print("building bench/peers/libtorch.cpp", file=sys.stderr)
    if subprocess.run(["cmake", "--build", build], stdout=subprocess.DEVNULL).returncode != 0:
        print("peers.py: LibTorch is left out: bench/peers/libtorch.cpp does not build with it", file=sys.stderr)
        return None
    return os.path.normpath(os.path.join(build, "libtorch"))


def installed_programs():
    """Label -> command."""
    def has(module):
        return importlib.util.find_spec(module) is not None

    def script(name):
        return shlex.join([sys.executable, os.path.join(PEERS, name)])

    prefix = None
    if has("torch"):
        import torch
        prefix = torch.utils.cmake_prefix_path
    programs = {}
    libtorch = build_libtorch(prefix)
    if libtorch:
        programs["LibTorch"] = shlex.quote(libtorch)
    if has("torch"):
        programs[f"PyTorch {torch.__version__}"] = script("pytorch.py")
    if has("stable_baselines3") and has("gymnasium"):
        programs["Stable-Baselines3"] = script("sb3.py")
    return programs


def positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}; expected a number >= 1")
    return int(text)


def spread(values):
    if len(values) < 2:
        return math.nan
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2


def show(values):
    return f"{statistics.median(values):.2f} ± {spread(values):.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per row and round")
    default = os.path.join(HERE, "..", "build", "goalpost-bench")
    parser.add_argument("--bench", default=default, help="goalpost-bench")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.bench):
        fail(f"{arguments.bench} is not built; `./goalpost benchmark` builds it")
    programs = {p: p for p in arguments.programs} or installed_programs()
    if not programs:
        fail("found none of LibTorch (with cmake), PyTorch and Stable-Baselines3; expected one of them, or a PROGRAM")

    counts = (1, 2) if len(os.sched_getaffinity(0)) > 1 else (1,)
    mine, others = [], {label: [] for label in programs}  # one entry per round: (name, threads) -> microseconds
    for i in range(arguments.rounds):
        print(f"round {i + 1} of {arguments.rounds}", file=sys.stderr)
        for rounds in [mine, *others.values()]:
            rounds.append({})
        for threads in counts:
            for label, command in programs.items():
                others[label][-1].update({(n, threads): t for n, t in
                                          theirs(command, threads, arguments.seconds).items()})
            mine[-1].update({(n, threads): t for n, t in ours(arguments.bench, threads, arguments.seconds).items()})

    def ratios(label, name, threads):
        result = []
        for a, b in zip(others[label], mine):
            best = min((a[name, t] for t in counts if t <= threads and (name, t) in a), default=None)
            if best is None or (name, threads) not in b:
                return None
            result.append(best / b[name, threads])
        return result

    heads = [f"{label}, {t} thread{'s'[:t - 1]}" for label in programs for t in counts]
    print("| update | " + " | ".join(f"µs, {t} thread{'s'[:t - 1]}" for t in counts) + " | " + " | ".join(heads) + " |")
    print("|---" * (1 + len(counts) + len(heads)) + "|")
    for what, name, benchmark in ROWS:
        cells = [what]
        for t in counts:
            measured = "{t}" in benchmark or t == 1
            times = [r[name, t] for r in mine if (name, t) in r] if measured else []
            cells.append(f"{statistics.median(times):.3g}" if times else "")
        for label in programs:
            for t in counts:
                found = ratios(label, name, t) if "{t}" in benchmark or t == 1 else None
                cells.append(show(found) if found else "")
        print("| " + " | ".join(cells) + " |")
    if "Stable-Baselines3" in programs:
        print("\nStable-Baselines3 draws the batch in every row, and its DQN does not move the target network.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\npeers.py: interrupted; nothing is kept")
