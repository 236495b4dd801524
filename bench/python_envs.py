#!/usr/bin/env python3
"""Steps of environments in Python with random actions, as a share of those of a loop in C++ with 64 environments.

PYTHONPATH=build python3 bench/python_envs.py [ENVIRONMENT [THREADS]]
"""
import sys
import time

import numpy as np

import _goalpost
import goalpost

name = sys.argv[1] if len(sys.argv) > 1 else "FetchReach-v4"
threads = int(sys.argv[2]) if len(sys.argv) > 2 else 0
print(f"{name}, threads {threads or 'of all processors'}")
print(f"{'environments':>12} {'C++ steps/s':>12} {'Python steps/s':>15} {'share of C++ with 64':>21}")
rates = {}
for _ in range(3):  # in turns; the best of each
    for lanes in (8, 64):
        steps = 24000 // lanes
        native = _goalpost.steps_per_second(name, lanes, steps, threads)
        envs = goalpost.make(name, num_envs=lanes, threads=threads)
        envs.reset(seed=0)
        low, high = envs.action_space.low, envs.action_space.high
        rng = np.random.default_rng(1)
        begin = time.perf_counter()
        for _ in range(steps):
            envs.step(low + (high - low) * rng.random(low.shape, np.float32))
        python = steps * lanes / (time.perf_counter() - begin)
        best = rates.get(lanes, (0, 0))
        rates[lanes] = (max(best[0], native), max(best[1], python))
for lanes, (native, python) in rates.items():
    print(f"{lanes:12} {native:12.0f} {python:15.0f} {python / rates[64][0]:21.2f}")
