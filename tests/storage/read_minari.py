#!/usr/bin/env python3
"""Reads an exported dataset as Minari 0.5 does, with h5py and nothing of goalpost's, and checks what Minari's loader
takes on trust. Prints episodes, steps and the sum of the rewards; ends with an assertion if something is wrong."""
import json
import pathlib
import sys

import h5py
import numpy as np

data = pathlib.Path(sys.argv[1]) / "data"
metadata = json.loads((data / "metadata.json").read_text())
assert metadata["minari_version"] in ("0.4.0", "0.4.1", "0.4.2", "0.4.3", "0.5.0", "0.5.1", "0.5.2", "0.5.3")
assert metadata["data_format"] == "hdf5" and isinstance(metadata["dataset_size"], (int, float))
assert metadata["dataset_id"].rsplit("-v", 1)[1].isdigit()
assert all(isinstance(metadata[key], str) for key in ("observation_space", "action_space"))
if "env_spec" in metadata:
    spec = json.loads(metadata["env_spec"])
    assert spec["id"].rsplit("-v", 1)[1].isdigit() and spec["additional_wrappers"] == []
    assert set(spec) <= {"id", "entry_point", "reward_threshold", "nondeterministic", "max_episode_steps",
                         "order_enforce", "disable_env_checker", "kwargs", "additional_wrappers",
                         "vector_entry_point"}


def check_column(space, values, rows):
    """That a dataset holds so many members of a space."""
    assert isinstance(values, h5py.Dataset) and values.dtype == np.dtype(space["dtype"]), values
    x = values[()]
    if space["type"] == "Discrete":
        assert x.shape == (rows,) and (x >= space["start"]).all() and (x < space["start"] + space["n"]).all(), values
        return
    low, high = np.array(space["low"]), np.array(space["high"])
    assert space["type"] == "Box" and list(low.shape) == list(high.shape) == space["shape"]
    assert not np.isnan(low).any() and not np.isnan(high).any()
    assert x.shape == (rows, *space["shape"]) and np.isfinite(x).all(), values
    assert (x >= low).all() and (x <= high).all(), values


observation_space, action_space = (json.loads(metadata[key]) for key in ("observation_space", "action_space"))
steps, total = 0, 0.0
with h5py.File(data / "main_data.hdf5", "r") as f:
    assert len(f) == metadata["total_episodes"], "groups that are no episodes"
    for e in range(metadata["total_episodes"]):
        g = f[f"episode_{e}"]
        n = len(g["rewards"])
        steps += n
        assert g.attrs["id"] == e and g.attrs["total_steps"] == n and np.ndim(g.attrs.get("seed", 0)) == 0
        assert all(len(info) == n + 1 for info in g.get("infos", {}).values()), "reset's information comes first"
        if observation_space["type"] == "Dict":
            assert set(g["observations"]) == set(observation_space["subspaces"])
            for key, space in observation_space["subspaces"].items():
                check_column(space, g["observations"][key], n + 1)
            goals = g["observations/desired_goal"][()]
            assert (goals == goals[0]).all(), "the goal changes within an episode"
        else:
            check_column(observation_space, g["observations"], n + 1)
        check_column(action_space, g["actions"], n)
        rewards, ends, cuts = (g[name][()] for name in ("rewards", "terminations", "truncations"))
        assert rewards.shape == (n,) and rewards.dtype == np.float64 and np.isfinite(rewards).all()
        assert ends.shape == cuts.shape == (n,) and ends.dtype == cuts.dtype == np.dtype(bool)
        assert not (ends[:-1] | cuts[:-1]).any() and ends[-1] != cuts[-1]
        assert abs(g.attrs["rewards_sum"] - rewards.sum()) < 1e-6 * (1 + abs(rewards.sum()))
        total += rewards.sum()
assert steps == metadata["total_steps"]
print(f"{metadata['total_episodes']} episodes, {steps} steps, rewards {total:.3f}")
