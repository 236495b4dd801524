"""A pendulum in NumPy alone, with Gymnasium's methods: the task of Pendulum-v1."""
import numpy as np


class Box:
    def __init__(self, low, high, dtype=np.float32):
        self.low, self.high, self.dtype = np.asarray(low, dtype), np.asarray(high, dtype), dtype


class Pendulum:
    max_episode_steps = 200
    observation_space = Box([-1, -1, -8], [1, 1, 8])
    action_space = Box([-2], [2])

    def __init__(self, g=10.0, fail_after=0, own_limit=0):
        self.g, self.fail_after, self.own_limit = g, fail_after, own_limit

    def reset(self, seed=None, options=None):
        rng = np.random.default_rng(seed)
        self.theta, self.speed, self.steps = rng.uniform(-np.pi, np.pi), rng.uniform(-1, 1), 0
        return self.observe(), {}

    def observe(self):
        return np.array([np.cos(self.theta), np.sin(self.theta), self.speed])

    def step(self, action):
        self.steps += 1
        if self.steps == self.fail_after:
            raise ValueError("the rod broke")
        u = float(np.clip(action[0], -2, 2))
        angle = (self.theta + np.pi) % (2 * np.pi) - np.pi
        reward = -(angle**2 + 0.1 * self.speed**2 + 0.001 * u**2)
        self.speed = np.clip(self.speed + (1.5 * self.g * np.sin(self.theta) + 3 * u) * 0.05, -8, 8)
        self.theta += self.speed * 0.05
        return self.observe(), reward, False, self.steps == self.own_limit, {}


class Reach:
    """A point that moves to a goal, with observation, achieved and desired goal."""

    class Dict:
        def __init__(self, spaces):
            self.spaces = spaces

    class Discrete:
        n = 4

    observation_space = Dict({k: Box([-9] * 2, [9] * 2) for k in ("observation", "achieved_goal", "desired_goal")})
    action_space = Discrete()

    def __init__(self, limit=20):
        self.max_episode_steps = limit

    def reset(self, seed=None, options=None):
        rng = np.random.default_rng(seed)
        self.at, self.goal = np.zeros(2), rng.integers(-2, 3, 2).astype(float)
        return self.observe(), {}

    def observe(self):
        return {"observation": self.at.copy(), "achieved_goal": self.at.copy(), "desired_goal": self.goal}

    def step(self, action):
        self.at += [(1, 0), (-1, 0), (0, 1), (0, -1)][action]
        reached = np.linalg.norm(self.at - self.goal) < 0.05
        return self.observe(), 0.0 if reached else -1.0, False, False, {}


class Empty(Pendulum):
    action_space = Box([1], [-1])


class Short(Pendulum):
    def observe(self):
        return np.array([7.0])
