#!/usr/bin/env python3
"""Mutation tests: applies the changes of mutants.toml, one at a time, to a copy of the tree; tests must notice each.

    tests/mutants.py --build DIR [--jobs N] [PATTERN]    ./goalpost test mutants [PATTERN]
    tests/mutants.py --list [PATTERN]
    tests/mutants.py --check                             the list fits the sources, and names each file that has logic

PATTERN is a part of a mutant's name or file, or a glob (sac*, *hiro*). N mutants are at work at once, each in a copy of
its own: DIR/mutants/K/tree and DIR/mutants/K/build, which are kept, so that a second call builds little. The copies are
built with -O1, which compiles faster. Needs Python 3.11 and nothing else.
"""
import argparse
import fcntl
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

TOP = Path(__file__).resolve().parent.parent
LIST = TOP / "tests" / "mutants.toml"
MUST_BE_COVERED = ("algos", "autodiff", "nn")  # each of their files has a mutant, or a reason in [without_logic]
LEAST = 75  # mutants
KEYS = {"name", "file", "text", "replacement", "why", "tests"}  # and perhaps "processor"
PROGRAMS = {
    "unit_tests", "property_tests", "storage_tests", "run_tests", "gradient_tests", "alloc_tests", "determinism_tests"
}
FLAGS = ["--gtest_fail_fast", "--gtest_brief=0", "--gtest_color=no"]


class Problem(Exception):
    """What is wrong, as a sentence for the user."""


# ---- the list --------------------------------------------------------------------------------------------------------


def read_list():
    with LIST.open("rb") as file:
        content = tomllib.load(file)
    return content.get("mutant", []), content.get("without_logic", {})


def problems_of_entry(m):
    """What is wrong with one mutant, as a sentence; nothing if nothing is."""
    if set(m) - {"processor"} != KEYS:
        return f"the keys are {', '.join(sorted(m))}; expected {', '.join(sorted(KEYS))} and perhaps processor"
    if m["text"] == m["replacement"]:
        return "text and replacement are equal"
    path = TOP / m["file"]
    if not path.is_file():
        return f"{m['file']} does not exist"
    if (count := path.read_text().count(m["text"])) != 1:
        return f"{m['file']} holds the text {count} times; expected once"
    if unknown := {test.partition(":")[0] for test in m["tests"]} - PROGRAMS:
        return f"no test program is called {', '.join(sorted(unknown))}"
    return "" if m["tests"] else "names no tests"


def problems_of(mutants, without_logic):
    """Everything that is wrong with the list, as sentences."""
    found = [f"{m.get('name', f'entry {i}')}: {problem}" for i, m in enumerate(mutants, 1)
             if (problem := problems_of_entry(m))]
    names = [m.get("name") for m in mutants]
    found += [f"{name}: the name occurs twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if len(mutants) < LEAST:
        found.append(f"there are {len(mutants)} mutants; expected at least {LEAST}")
    covered = {m.get("file") for m in mutants}
    sources = {path.relative_to(TOP).as_posix() for folder in MUST_BE_COVERED for path in (TOP / folder).rglob("*")
               if path.suffix in (".cpp", ".h")}
    found += [f"{file}: has no mutant, and no reason in [without_logic]"
              for file in sorted(sources - covered - set(without_logic))]
    found += [f"{file}: stands in [without_logic], but has a mutant or does not exist"
              for file in sorted(set(without_logic) & covered | set(without_logic) - sources)]
    return found


def choose(mutants, pattern):
    if not pattern:
        return mutants
    texts = [(m, m.get(key, "")) for m in mutants for key in ("name", "file")]
    matching = [m for m, text in texts if pattern in text or fnmatch.fnmatchcase(text, pattern)]
    chosen = [m for m in mutants if m in matching]
    if not chosen:
        raise Problem(f'no mutant is called "{pattern}"; tests/mutants.py --list names them')
    return chosen


def line_of(m):
    text = (TOP / m["file"]).read_text()
    return text[: text.index(m["text"])].count("\n") + 1


# ---- the copy --------------------------------------------------------------------------------------------------------


def source_files():
    """Relative paths of the checkout's files: those that git knows or would add; without git all but builds."""
    git = subprocess.run(["git", "-C", TOP, "ls-files", "-coz", "--exclude-standard", "."], capture_output=True)
    if git.returncode == 0 and git.stdout:
        names = git.stdout.decode().split("\0")
        return [name for name in names if name and (TOP / name).is_file()]
    names = []
    for folder, folders, files in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f != "runs"]
        names += [(Path(folder) / f).relative_to(TOP).as_posix() for f in files]
    return names


def renew_copy(tree):
    """Makes the copy equal to the checkout. Files that are equal already keep their time, and are not built again."""
    wanted = set(source_files())
    for name in sorted(wanted):
        source, to = TOP / name, tree / name
        if to.is_file() and to.read_bytes() == source.read_bytes():
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, to)
        shutil.copymode(source, to)
    for path in list(tree.rglob("*")):
        if path.is_file() and path.relative_to(tree).as_posix() not in wanted:
            path.unlink()


def lock(directory):
    """Held until the program ends."""
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Problem(f"another run of the mutants is at work in {directory}") from None
    return file


def same_text(a, b, name):
    return (a / name).read_bytes() == (b / name).read_bytes()


class Copy:
    """A copy of the tree and its build. @param like a copy whose build it may begin with"""

    def __init__(self, directory, jobs, like=None):
        self.tree, self.build, self.log, self.jobs = directory / "tree", directory / "build", directory / "log", jobs
        # Such a copy names the first one's tree: with another meson.build it cannot configure itself again.
        if like and (self.tree / "meson.build").exists() and not same_text(self.tree, like.tree, "meson.build"):
            shutil.rmtree(directory, ignore_errors=True)
        if like and not self.build.is_dir():
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(like.tree.parent, directory, symlinks=True)
            rules = self.build / "build.ninja"  # the tests hold the path of the program that they run
            rules.write_text(rules.read_text().replace(str(like.tree.parent), str(directory)))
        self.log.mkdir(parents=True, exist_ok=True)
        renew_copy(self.tree)
        if not (self.build / "build.ninja").exists():
            command = ["meson", "setup", self.build, self.tree, "-Doptimization=1"]
            setup = subprocess.run(command, capture_output=True, text=True)
            if setup.returncode != 0:
                raise Problem(f"the copy could not be configured:\n{setup.stdout}{setup.stderr}")

    def make(self, programs):
        """Builds test programs; returns what the compiler said if that fails, else nothing."""
        targets = sorted(programs) + (["goalpost"] if "run_tests" in programs else [])  # which run the program
        command = ["ninja", "-C", self.build, "-j", str(self.jobs), *targets]
        made = subprocess.run(command, capture_output=True, text=True)
        return "" if made.returncode == 0 else made.stdout + made.stderr

    def run(self, test, seconds):
        """Runs one program with its filter. Returns the exit status (None: it ran out of time) and the output."""
        program, _, pattern = test.partition(":")
        log = self.log / f"{program}.log"
        with log.open("wb") as out:
            command = [self.build / program, f"--gtest_filter={pattern or '*'}", *FLAGS]
            process = subprocess.Popen(command, cwd=self.build, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       start_new_session=True)
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return status, log.read_text(errors="replace")


def first_failure(output):
    """The test that failed, or that was running at the end."""
    failed = re.search(r"^\[  FAILED  \] ([^\s,]+)", output, re.MULTILINE)
    running = re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)
    return failed[1] if failed else running[-1] if running else "at its start"


# ---- the suite -------------------------------------------------------------------------------------------------------


def limits_of(copy, mutants):
    """Runs the named tests on the unchanged tree, which must pass; returns the seconds that each may take."""
    tests = sorted({test for m in mutants for test in m["tests"]})
    print(f"the unchanged tree: building, then {len(tests)} sets of tests", flush=True)
    if error := copy.make({test.partition(":")[0] for test in tests}):
        raise Problem(f"the unchanged tree does not build:\n{error}")
    limits = {}
    for test in tests:
        begin = time.monotonic()
        status, output = copy.run(test, 1200)
        if status != 0:
            raise Problem(f"the unchanged tree fails {test} ({first_failure(output)}):\n{output[-4000:]}")
        ran = re.search(r"^\[==========\] Running (\d+) test", output, re.MULTILINE)
        if not ran or ran[1] == "0":
            raise Problem(f"no test is called {test}")
        limits[test] = 30 + 10 * (time.monotonic() - begin)
    return limits


def outcome(copy, m, limits):
    """Applies a mutant, runs its tests and takes it back. Returns "killed", "survived" or "error", and a remark."""
    path = copy.tree / m["file"]
    original = path.read_text()
    try:
        path.write_text(original.replace(m["text"], m["replacement"]))
        for test in m["tests"]:
            program = test.partition(":")[0]
            if error := copy.make({program}):
                first = re.search(r"^.*error:.*$", error, re.MULTILINE)
                return "error", f"does not compile: {first[0] if first else error[-500:]}"
            status, output = copy.run(test, limits[test])
            if status is None:
                return "killed", f"{program} {first_failure(output)} ran out of time"
            if status != 0:
                return "killed", f"{program} {first_failure(output)}"
        return "survived", ", ".join(m["tests"])
    finally:
        path.write_text(original)


def processor_flags():
    try:
        return set(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
    except OSError:
        return set()


def run_suite(mutants, build, jobs):
    flags = processor_flags()
    skipped = [m for m in mutants if set(m.get("processor", [])) - flags]
    mutants = [m for m in mutants if m not in skipped]
    for m in skipped:
        print(f"{m['name']}: skipped: this processor has no {', '.join(sorted(set(m['processor']) - flags))}")
    held = lock(build / "mutants")
    first = Copy(build / "mutants" / "0", jobs)
    limits = limits_of(first, mutants)
    first.jobs = 1
    copies = SimpleQueue()
    for copy in [first] + [Copy(build / "mutants" / str(k), 1, first) for k in range(1, min(jobs, len(mutants)))]:
        copies.put(copy)

    def examine(m):
        copy, begin = copies.get(), time.monotonic()
        try:
            return m, *outcome(copy, m, limits), time.monotonic() - begin
        finally:
            copies.put(copy)

    killed, bad = 0, []
    with ThreadPoolExecutor(copies.qsize()) as pool:
        for number, (m, result, remark, seconds) in enumerate(pool.map(examine, mutants), 1):
            told = {"killed": "killed by ", "survived": "SURVIVED ", "error": "ERROR: "}[result] + remark
            print(f"[{number}/{len(mutants)}] {m['name']}: {told}, {seconds:.0f} s", flush=True)
            if result == "killed":
                killed += 1
            else:
                what = "survived" if result == "survived" else "not tested"
                bad.append(f"{what}: {m['name']}, {m['file']}:{line_of(m)}: {m['why']}")
    held.close()
    for line in bad:
        print(line)
    print(f"mutants: {killed} passed, {len(bad)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", metavar="PATTERN")
    parser.add_argument("--build", type=Path, metavar="DIR", help="a build directory, for the copy and its build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="mutants at work at once, and compilers before the first; the processors if left out")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    parser.add_argument("--check", action="store_true", help="check the list and end")
    arguments = parser.parse_args()
    mutants, without_logic = read_list()
    chosen = choose(mutants, arguments.pattern)
    if arguments.check or not arguments.pattern:
        wrong = problems_of(mutants, without_logic)
    else:
        wrong = [f"{m.get('name')}: {problem}" for m in chosen if (problem := problems_of_entry(m))]
    if wrong:
        raise Problem("tests/mutants.toml does not fit the sources:\n  " + "\n  ".join(wrong))
    if arguments.check:
        return True
    if arguments.list:
        for m in chosen:
            print(f"{m['name']}: {m['file']}:{line_of(m)}: {m['why']} ({', '.join(m['tests'])})")
        return True
    if not arguments.build:
        parser.error("--build is missing; expected a build directory")
    return run_suite(chosen, arguments.build.resolve(), arguments.jobs)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a file that is changed is put back
    try:
        sys.exit(0 if main() else 1)
    except Problem as problem:
        print(f"mutants: {problem}", file=sys.stderr)
        print("mutants: 0 passed, 1 failed", flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
