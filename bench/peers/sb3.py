#!/usr/bin/env python3
"""The updates that bench/peers.py compares, by Stable-Baselines3 (2.x) itself: train(), which also draws the batch
and, of DQN, leaves out the update of the target network."""

import gymnasium as gym
import numpy as np
import stable_baselines3 as sb3
import torch

from timing import arguments, measure

STORED = 10_000  # transitions


class Anything(gym.Env):
    """Random observations; a reward of -1; episodes of 50 steps."""

    def __init__(self, state, action):
        self.observation_space = gym.spaces.Box(-1, 1, (state,), np.float32)
        self.action_space = action

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observation(), {}

    def step(self, action):
        self.steps += 1
        return self.observation(), -1.0, False, self.steps == 50, {}

    def observation(self):
        return self.np_random.uniform(-1, 1, self.observation_space.shape).astype(np.float32)


def model(algorithm, state, hidden, action, batch, **settings):
    """One whose replay buffer holds random transitions, and that has not learned yet."""
    env = Anything(state, action)
    built = algorithm("MlpPolicy", env, batch_size=batch, buffer_size=STORED, learning_starts=STORED + 1, device="cpu",
                      policy_kwargs={"net_arch": hidden}, **settings)
    built.learn(STORED)
    built.policy.set_training_mode(True)
    return built


def box(size):
    return gym.spaces.Box(-1, 1, (size,), np.float32)


def main():
    threads, seconds = arguments()
    torch.set_num_threads(threads)
    for name, state, hidden, action, batch in (("13-256-256-4/256", 13, [256, 256], 4, 256),
                                               ("13-256-256-4/1024", 13, [256, 256], 4, 1024),
                                               ("13-512-512-512-4/256", 13, [512, 512, 512], 4, 256),
                                               ("3-64-64-1/100", 3, [64, 64], 1, 100)):
        sac = model(sb3.SAC, state, hidden, box(action), batch)
        measure(f"sac/{name}", seconds, 1, lambda: sac.train(gradient_steps=1, batch_size=batch))
    td3 = model(sb3.TD3, 45, [300, 300], box(8), 128)
    measure("td3/45-300-300-8/128/two", seconds, 1, lambda: td3.train(gradient_steps=2, batch_size=128))
    dqn = model(sb3.DQN, 80, [256], gym.spaces.Discrete(40), 128)
    measure("dqn/80-256-40/128", seconds, 1, lambda: dqn.train(gradient_steps=1, batch_size=128))
    sac = model(sb3.SAC, 13, [256, 256], box(4), 256)
    s = np.zeros(13, np.float32)
    measure("act/13-256-256-4", seconds, 1, lambda: sac.predict(s, deterministic=False))


if __name__ == "__main__":
    main()
