"""goalpost's environments, policies and runs in Python.

    import goalpost
    env = goalpost.make("FetchReach-v4")                      # Gymnasium's Env
    envs = goalpost.make("FetchReach-v4", num_envs=8)         # Gymnasium's VectorEnv
    policy = goalpost.Policy("runs/fetch_reach_sac/seed_1")
    action, state = policy.predict(obs)                       # as in Stable-Baselines3
    runs = goalpost.read_runs("runs")                         # a DataFrame if there is pandas, else dictionaries

Where Gymnasium can be imported, environments are its Env and VectorEnv, and registered as goalpost/<name>; elsewhere they
have the same methods and spaces. Settings are those of `goalpost describe ENVIRONMENT`: make("BitFlip-v0", bits=20), or
with dots as a dictionary, make("FetchReach-v4", **{"task.reward": "dense"}).
"""
import os
import pathlib

import numpy as np


def _data_directory():
    here = pathlib.Path(__file__).resolve().parent
    for folder in [here, *here.parents]:
        for place in (folder, folder / "share" / "goalpost"):
            if (place / "src" / "experiments").is_dir():
                return place
    return None


if "GOALPOST_DATA" not in os.environ and _data_directory() is not None:
    os.environ["GOALPOST_DATA"] = str(_data_directory())

import _goalpost  # noqa: E402: it finds its data by the variable

try:
    import gymnasium
    from gymnasium import spaces as _spaces
except ImportError:
    gymnasium = None

    class _spaces:
        """The spaces that are needed, with Gymnasium's names."""

        class Box:
            def __init__(self, low, high, shape=None, dtype=np.float32):
                self.shape, self.dtype = np.shape(low) if shape is None else tuple(shape), np.dtype(dtype)
                self.low, self.high = (np.broadcast_to(np.asarray(x, dtype), self.shape) for x in (low, high))

            def contains(self, x):
                x = np.asarray(x)
                return x.shape == self.shape and bool(np.all(x >= self.low) and np.all(x <= self.high))

            def sample(self):
                low, high = np.maximum(self.low, -1e3), np.minimum(self.high, 1e3)
                return np.random.uniform(low, high).astype(self.dtype)

        class Discrete:
            def __init__(self, n):
                self.n, self.shape, self.dtype = int(n), (), np.dtype(np.int64)

            def contains(self, x):
                return 0 <= int(x) < self.n

            def sample(self):
                return np.int64(np.random.randint(self.n))

        class MultiDiscrete:
            def __init__(self, nvec):
                self.nvec = np.asarray(nvec)
                self.shape, self.dtype = self.nvec.shape, np.dtype(np.int64)

            def contains(self, x):
                return bool(np.all((np.asarray(x) >= 0) & (np.asarray(x) < self.nvec)))

            def sample(self):
                return np.random.randint(self.nvec)

        class Dict:
            def __init__(self, spaces):
                self.spaces = dict(spaces)

            def __getitem__(self, key):
                return self.spaces[key]

            def contains(self, x):
                return set(x) == set(self.spaces) and all(s.contains(x[k]) for k, s in self.spaces.items())

            def sample(self):
                return {k: s.sample() for k, s in self.spaces.items()}


_Env = gymnasium.Env if gymnasium else object
_VectorEnv = gymnasium.vector.VectorEnv if gymnasium else object


def _fresh_seed():
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1


def _checked_seed(seed):
    if seed is None:
        return None
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"seed={seed!r}; expected an integer from 0 on")
    return int(seed)


def _box(size, lanes=()):
    return _spaces.Box(-np.inf, np.inf, (*lanes, size), np.float32)


def _observation_space(spec, lanes=()):
    if spec["goal_dim"] == 0:
        return _box(spec["obs_dim"], lanes)
    goal = _box(spec["goal_dim"], lanes)
    return _spaces.Dict({"observation": _box(spec["obs_dim"], lanes), "achieved_goal": goal, "desired_goal": goal})


def _action_space(spec):
    if spec["choices"] > 0:
        return _spaces.Discrete(spec["choices"])
    return _spaces.Box(spec["low"], spec["high"], dtype=np.float32)


def _assignments(settings):
    def text(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (list, tuple, np.ndarray)):
            return "[" + ", ".join(text(v) for v in value) + "]"
        return str(value)

    return [f"env.{key}={text(value)}" for key, value in settings.items()]


def _observation(parts, goals, lane=None):
    parts = [p if lane is None else p[lane] for p in parts]
    if not goals:
        return parts[0]
    return {"observation": parts[0], "achieved_goal": parts[1], "desired_goal": parts[2]}


class _Goals:
    """What environments with and without lanes share."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}

    def _open(self, name, num_envs, threads, render_mode, settings):
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode={render_mode!r}; expected None or 'rgb_array'")
        if not isinstance(num_envs, (int, np.integer)) or not 1 <= num_envs <= 65536:
            raise ValueError(f"num_envs={num_envs!r}; expected 1 to 65,536")
        self._name, self.render_mode, self._begun = name, render_mode, False
        self._envs = _goalpost.Envs(name, _assignments(settings), num_envs, 0, threads)
        self._spec = self._envs.spec()
        self._goals = self._spec["goal_dim"] > 0
        self.max_episode_steps = self._spec["max_steps"]
        if self._spec["dt"] > 0:
            self.metadata = {**self.metadata, "render_fps": int(round(1 / self._spec["dt"]))}

    def compute_reward(self, achieved_goal, desired_goal, info=None):
        """The reward of goals, of one or of many; what hindsight needs."""
        reward = self._envs.compute_reward(achieved_goal, desired_goal)
        return reward if np.ndim(achieved_goal) > 1 else float(reward[0])


class Env(_Goals, _Env):
    """One environment, with the methods of Gymnasium's Env."""

    def __init__(self, name, render_mode=None, **settings):
        self._open(name, 1, 1, render_mode, settings)
        self.observation_space, self.action_space = _observation_space(self._spec), _action_space(self._spec)
        self._over = True

    def reset(self, *, seed=None, options=None):
        if gymnasium:
            super().reset(seed=seed)
        seed = _checked_seed(seed)
        # Where an episode has just ended, the next one has begun already.
        if seed is None and not self._begun:
            seed = _fresh_seed()
        fresh = self._begun and self._over and seed is None
        parts = self._envs.obs() if fresh else self._envs.reset(seed)
        self._begun, self._over = True, False
        return _observation(parts, self._goals, 0), {}

    def step(self, action):
        if self._over:
            raise RuntimeError("step: the episode has ended, or none has begun; call reset() first")
        now, end, reward, terminated, truncated, success = self._envs.step(action)
        self._over = bool(terminated[0] or truncated[0])
        info = {"is_success": bool(success[0])}
        obs = _observation(end if self._over else now, self._goals, 0)
        return obs, float(reward[0]), bool(terminated[0]), bool(truncated[0]), info

    def render(self):
        return self._envs.render(0, 640, 480) if self.render_mode == "rgb_array" else None

    def close(self):
        self._begun, self._over = False, True


class VectorEnv(_Goals, _VectorEnv):
    """Environments side by side, with the methods of Gymnasium's VectorEnv. An environment whose episode has ended begins
    the next one in the same step; the episode's last observation is then in info["final_obs"]."""

    def __init__(self, name, num_envs, threads=0, render_mode=None, **settings):
        self._open(name, num_envs, threads, render_mode, settings)
        self.num_envs = num_envs
        self.single_observation_space = _observation_space(self._spec)
        self.single_action_space = _action_space(self._spec)
        self.observation_space = _observation_space(self._spec, (num_envs,))
        if self._spec["choices"] > 0:
            self.action_space = _spaces.MultiDiscrete([self._spec["choices"]] * num_envs)
        else:
            tiled = [np.tile(self._spec[end], (num_envs, 1)) for end in ("low", "high")]
            self.action_space = _spaces.Box(*tiled, dtype=np.float32)
        if gymnasium and hasattr(gymnasium.vector, "AutoresetMode"):
            self.metadata = {**self.metadata, "autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP}

    def reset(self, *, seed=None, options=None):
        if seed is None:
            seed = _fresh_seed()
        self._begun = True
        return _observation(self._envs.reset(_checked_seed(seed)), self._goals), {}

    def step(self, actions):
        if not self._begun:
            raise RuntimeError("step: no episode has begun; call reset() first")
        now, end, reward, terminated, truncated, success = self._envs.step(actions)
        info = {"is_success": success}
        if end is not None:
            info["final_obs"], info["_final_obs"] = _observation(end, self._goals), terminated | truncated
        return _observation(now, self._goals), reward, terminated, truncated, info

    def render(self):
        if self.render_mode != "rgb_array":
            return None
        return tuple(self._envs.render(i, 640, 480) for i in range(self.num_envs))

    def close(self, **_):
        self._begun = False


def environments():
    """The names that make() knows."""
    return _goalpost.environments()


def make(name, num_envs=None, render_mode=None, **settings):
    """An environment, or num_envs of them side by side. Further arguments are its settings; `threads` of several
    environments is the number of threads that step them, 0: one for each processor."""
    name = name[9:] if name.startswith("goalpost/") else name
    if num_envs is None:
        return Env(name, render_mode=render_mode, **settings)
    return VectorEnv(name, num_envs, render_mode=render_mode, **settings)


class Policy:
    """A policy that goalpost has trained or imported: a run directory or policy.h5."""

    def __init__(self, path, seed=0):
        self._policy = _goalpost.Policy(str(path), seed)

    algorithm = property(lambda self: self._policy.algorithm)
    environment = property(lambda self: self._policy.environment)
    step = property(lambda self: self._policy.step)

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        """The action, in the environment's unit, and the state to give with the next observation (only HIRO has one).

        observation: an array, or of tasks with goals a dictionary with observation and desired_goal; of one environment,
        or of many as rows. episode_start: where an episode begins, for the state."""
        goal = np.zeros(0, np.float32)
        if isinstance(observation, dict):
            observation, goal = observation["observation"], observation["desired_goal"]
        elif self._policy.goal_size > 0:
            raise ValueError("observation: an array; expected a dictionary with observation and desired_goal")
        single = np.ndim(observation) == 1
        rows = 1 if single else len(observation)
        state = self._policy.begin(rows) if state is None else state
        first = [] if episode_start is None else [bool(b) for b in np.atleast_1d(episode_start)]
        action = self._policy.act(observation, goal, state, first, deterministic)
        if self._policy.discrete:
            action = action[:, 0].astype(np.int64)
        return (action[0] if single else action), state


def read_runs(*directories):
    """Runs below the directories: a row each, with its evaluations as arrays in column `curve` (a dictionary)."""
    runs = _goalpost.read_runs([str(d) for d in directories])
    for run in runs:
        with open(run["curve"]) as file:
            names = file.readline().strip().split(",")
            rows = [line.strip().split(",") for line in file]
        columns = list(zip(*rows)) if rows else [()] * len(names)
        run["curve"] = {n: np.array([float(x) if x else np.nan for x in c]) for n, c in zip(names, columns)}
    try:
        import pandas
    except ImportError:
        return runs
    return pandas.DataFrame(runs)


if gymnasium:
    for _name in _goalpost.environments():
        if f"goalpost/{_name}" not in gymnasium.registry:
            gymnasium.register(f"goalpost/{_name}", entry_point="goalpost:Env", kwargs={"name": _name})
