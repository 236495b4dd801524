#!/usr/bin/env python3
"""Writes corpus/episodes: small valid files in HDF5's earliest format, which Python writes by default. Unlike ours it
has no check sums, so what a fuzzer changes reaches the readers. Needs h5py; run it only to change the corpus."""
import pathlib

import h5py
import numpy as np

corpus = pathlib.Path(__file__).parent / "corpus" / "episodes"
lengths = [2, 3]
steps, ends = sum(lengths), np.cumsum(lengths)


def states(column):  # T + 1 rows per episode
    return np.array([[e, t, column] for e, n in enumerate(lengths) for t in range(n + 1)], np.float32)


def flags(last):  # of each episode's last step
    values = np.zeros(steps, bool)
    values[ends - 1] = last
    return values


def add(group, name, values, **how):
    if how:
        group.create_dataset(name, data=values, **how)
        return
    space = h5py.h5s.create_simple(values.shape)  # compact: inside the header, so that the file stays small
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.COMPACT)
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.py_create(values.dtype), space, layout).write(
        h5py.h5s.ALL, h5py.h5s.ALL, values)


def file(name):
    return h5py.File(corpus / f"earliest_{name}.h5", "w", libver="earliest")


def attribute(f, name, value):
    f.attrs.create(name, np.bytes_(value) if isinstance(value, str) else value)


with file("own") as f:
    for name, value in {"schema": np.uint64(1), "kind": "goalpost episodes", "environment": "Fuzz-v0", "config": "-",
                        "obs_dim": np.uint64(3), "goal_dim": np.uint64(3), "action_dim": np.uint64(1),
                        "choices": np.uint64(1000), "max_steps": np.uint64(6), "goal_radius": 1.0, "dt": 0.0,
                        "seed": np.uint64(1)}.items():
        attribute(f, name, value)
    add(f, "observation", states(0), chunks=(4, 3), maxshape=(None, 3), compression=1, shuffle=True)
    add(f, "achieved_goal", states(1))
    add(f, "desired_goal", states(2))
    add(f, "action", np.ones((steps, 1), np.float32))
    add(f, "reward", -np.ones(steps, np.float32))
    add(f, "terminated", flags([1, 0]).astype(np.uint8))
    add(f, "truncated", flags([0, 1]).astype(np.uint8))
    add(f, "success", flags(0).astype(np.uint8))
    f.create_group("episode")
    add(f["episode"], "end", ends.astype(np.uint64))
    for name in ("lane", "run_step"):
        add(f["episode"], name, np.zeros(2, np.uint64))
    add(f["episode"], "purpose", np.zeros(2, np.uint8))

first = np.array([t < n for n in lengths for t in range(n + 1)])
after = np.array([t > 0 for n in lengths for t in range(n + 1)])
with file("d4rl") as f:
    add(f, "observations", states(0)[first], compression="gzip")
    add(f, "next_observations", states(0)[after])
    add(f, "actions", np.ones((steps, 1), np.float32))
    add(f, "rewards", -np.ones(steps, np.float32))
    add(f, "terminals", flags([1, 0]))
    add(f, "timeouts", flags([0, 1]))
    f.create_group("infos")
    add(f["infos"], "goal", states(2)[first])
    add(f["infos"], "achieved_goal", states(1)[first])
    add(f["infos"], "next_achieved_goal", states(1)[after])

with file("minari") as f:
    for e, n in enumerate(lengths):
        g = f.create_group(f"episode_{e}")
        g.attrs["total_steps"] = n
        rows = states(0)[:, 0] == e
        o = g.create_group("observations")
        add(o, "observation", states(0)[rows])
        add(o, "achieved_goal", states(1)[rows])
        add(o, "desired_goal", states(2)[rows])
        add(g, "actions", np.ones(n, np.int64))
        add(g, "rewards", -np.ones(n), chunks=(n,), maxshape=(None,))
        add(g, "terminations", np.arange(n) == n - 1)
        add(g, "truncations", np.zeros(n, bool))

with file("state") as f:
    attribute(f, "schema", np.uint64(1))
    attribute(f, "kind", "fuzz")
    attribute(f, "config", "-")
    add(f, "count", np.array([2], np.uint64))
    f.create_group("q")
    add(f["q"], "W", np.ones((3, 2), np.float32))
    add(f["q"], "sums", np.ones(2))
