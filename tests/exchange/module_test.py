"""Tests of the Python module: module_test.py NAME, in a directory with what exchange_test.cpp put there."""
import sys

import numpy as np

import goalpost

TESTS = {}


def test(function):
    TESTS[function.__name__] = function


@test
def env():
    one, two = goalpost.make("FetchReach-v4"), goalpost.make("FetchReach-v4")
    a, info = one.reset(seed=3)
    b, _ = two.reset(seed=3)
    assert info == {} and set(a) == {"observation", "achieved_goal", "desired_goal"}
    assert all((a[k] == b[k]).all() and a[k].dtype == np.float32 for k in a)
    assert one.observation_space.contains(a), a
    action = np.array([0.5, -0.25, 1, 0], np.float32)
    assert one.action_space.contains(action) and one.action_space.contains(one.action_space.sample())
    for step in range(50):
        a, reward, terminated, truncated, info = one.step(action)
        assert type(reward) is float and terminated is False and truncated is (step == 49), (step, truncated)
        assert reward == one.compute_reward(a["achieved_goal"], a["desired_goal"], info)
        assert info["is_success"] is (reward == 0)
        b, *_ = two.step(action)
        assert all((a[k] == b[k]).all() for k in a)
    try:
        one.step(action)
        raise AssertionError("a step after the end")
    except RuntimeError as error:
        assert "reset()" in str(error)
    c, _ = one.reset()
    assert (c["desired_goal"] != a["desired_goal"]).any()
    one.step(action)
    d, _ = one.reset(seed=3)
    assert (d["desired_goal"] == two.reset(seed=3)[0]["desired_goal"]).all()


@test
def first_reset():
    for env in (goalpost.make("PointReach-v0"), goalpost.make("PointReach-v0", num_envs=2)):
        try:
            env.step(np.zeros(2))
            raise AssertionError("a step before the first episode")
        except RuntimeError as error:
            assert "reset()" in str(error)
        one, two = env.reset()[0], goalpost.make("PointReach-v0").reset()[0]
        assert (np.ravel(one["desired_goal"])[:2] != two["desired_goal"]).any(), "seeds are equal"
        for seed in (-1, 1.5, "a", 2**64):
            try:
                env.reset(seed=seed)
                raise AssertionError(seed)
            except (ValueError, TypeError) as error:
                assert "seed" in str(error).lower() or type(error).__module__ != "builtins", error


@test
def settings():
    bits = goalpost.make("BitFlip-v0", bits=7)
    obs, _ = bits.reset(seed=0)
    assert obs["observation"].shape == (7,) and bits.action_space.n == 7
    assert bits.step(np.int64(3))[0]["observation"][3] != obs["observation"][3]
    for wrong in ({"bots": 7}, {"bits": "seven"}):
        try:
            goalpost.make("BitFlip-v0", **wrong)
            raise AssertionError(wrong)
        except ValueError as error:
            assert "env." in str(error), error
    try:
        goalpost.make("FetchRaech-v4")
        raise AssertionError
    except ValueError as error:
        assert "FetchReach-v4" in str(error)
    assert "Pendulum-v1" in goalpost.environments()
    dense = goalpost.make("FetchReach-v4", **{"task.reward": "distance"})
    dense.reset(seed=0)
    assert -1 < dense.step(np.zeros(4))[1] < 0


@test
def vector():
    envs, copy = (goalpost.make("FetchReach-v4", num_envs=8, threads=t) for t in (1, 2))
    a, _ = envs.reset(seed=5)
    copy.reset(seed=5)
    assert a["observation"].shape == (8, 10) and envs.num_envs == 8 and envs.action_space.shape == (8, 4)
    rng = np.random.default_rng(0)
    for step in range(120):
        actions = rng.uniform(-1, 1, (8, 4))
        a, reward, terminated, truncated, info = envs.step(actions)
        b, *_ = copy.step(actions)
        assert all((a[k] == b[k]).all() for k in a), "results depend on threads"
        assert reward.shape == (8,) and truncated.dtype == bool and info["is_success"].shape == (8,)
        assert truncated.all() == ("final_obs" in info) == (step % 50 == 49)
        if "final_obs" in info:
            assert (info["final_obs"]["observation"] != a["observation"]).any() and info["_final_obs"].all()
    try:
        envs.step(np.zeros((7, 4)))
        raise AssertionError
    except ValueError as error:
        assert "(8, 4)" in str(error)


@test
def render():
    env = goalpost.make("PointReach-v0", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (480, 640, 3) and picture.dtype == np.uint8 and picture.std() > 1


@test
def predict():
    policy = goalpost.Policy("r")
    read = lambda name, columns: np.fromfile(name, "<f4").reshape(100, 10, columns)
    obs, actions = read("obs.f32", policy._policy.obs_size), np.fromfile("action.f32", "<f4").reshape(100, 10, -1)
    goal = read("goal.f32", policy._policy.goal_size) if policy._policy.goal_size else None
    state = None
    for step in range(100):
        o = obs[step] if goal is None else {"observation": obs[step], "desired_goal": goal[step]}
        first = [step in (0, 31 + i) for i in range(10)]
        action, state = policy.predict(o, state, first)
        there = actions[step, :, 0] if action.ndim == 1 else actions[step]
        assert np.abs(action - there).max() < 1e-5, step
    one = obs[0][0] if goal is None else {"observation": obs[0][0], "desired_goal": goal[0][0]}
    action, _ = policy.predict(one)
    assert np.abs(action - (actions[0, 0, 0] if np.ndim(action) == 0 else actions[0, 0])).max() < 1e-5


@test
def runs():
    found = goalpost.read_runs("r")
    found = found if isinstance(found, list) else found.to_dict("records")
    assert len(found) == 1 and found[0]["finished"], found
    assert 0 <= found[0]["curve"]["step"][-1] <= found[0]["steps"] and "success" in found[0]["curve"]


@test
def gymnasium():
    try:
        import gymnasium
        from gymnasium.utils.env_checker import check_env
    except ImportError:
        print("no gymnasium")
        return
    assert isinstance(goalpost.make("Pendulum-v1"), gymnasium.Env)
    check_env(goalpost.make("Pendulum-v1"), skip_render_check=True)
    assert gymnasium.make("goalpost/FetchReach-v4").reset(seed=0)


TESTS[sys.argv[1]]()
