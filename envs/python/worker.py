"""Steps one Python environment for goalpost: worker.py NAME ARGUMENTS, with a socket at descriptor 3 and shared memory at 4.

NAME is python:module:Class or gymnasium:Id, ARGUMENTS its keyword arguments as JSON. Messages are a byte and a number of
eight bytes: m bytes of the shared memory, r seed (reset), s (step). Answers: k, or u for what a user can mend, or e for
other errors, and a text. The memory holds doubles: observation, achieved goal, desired goal, action, reward, terminated,
truncated, success, whether success is known (envs/python/python_env.cpp).
"""
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer decides when to end

import importlib  # noqa: E402
import json
import mmap
import os
import socket
import struct
import sys
import traceback

connection = socket.socket(fileno=3)


def answer(kind, text=""):
    text = "".join(c if c.isprintable() else " " for c in text)
    data = (text if len(text) < 2000 else text[:2000] + " ...").encode(errors="replace")
    connection.sendall(kind.encode() + struct.pack("<I", len(data)) + data)


def receive(size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            os._exit(0)  # nobody listens any more
        data += more
    return data


class Unusable(Exception):
    pass


def problem(error):
    last = traceback.extract_tb(error.__traceback__)
    where = f" ({last[-1].filename}:{last[-1].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{where}"


def load(name, arguments):
    try:
        arguments = json.loads(arguments)
        assert isinstance(arguments, dict)
    except (ValueError, AssertionError):
        raise Unusable(f"arguments = {arguments}; expected a JSON object (env.arguments)") from None
    kind, _, rest = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        if kind == "gymnasium":
            return importlib.import_module("gymnasium").make(rest, **arguments)
        module, _, cls = rest.partition(":")
        if not module or not cls:
            raise Unusable("expected python:module:Class")
        return getattr(importlib.import_module(module), cls)(**arguments)
    except ImportError as error:
        raise Unusable(f"{error} (Python {sys.version.split()[0]}, {sys.executable})") from None
    except AttributeError as error:
        raise Unusable(str(error)) from None


def box_size(space, what):
    if not hasattr(space, "low") or not hasattr(space, "high"):
        raise Unusable(f"its {what} is {space}; expected a Box")
    return int(np.prod(np.shape(space.low)))


def describe(env):
    observed = env.observation_space
    if hasattr(observed, "spaces"):
        if set(observed.spaces) != {"observation", "achieved_goal", "desired_goal"}:
            raise Unusable(f"its observations are {sorted(observed.spaces)}; expected a Box, or a Dict with observation, "
                           "achieved_goal and desired_goal")
        parts = [observed.spaces[k] for k in ("observation", "achieved_goal", "desired_goal")]
    else:
        parts = [observed]
    sizes = [box_size(p, "observation space") for p in parts]
    if min(sizes) < 1:
        raise Unusable(f"its observations have {sizes} numbers; expected some")
    if len(sizes) == 3 and sizes[1] != sizes[2]:
        raise Unusable(f"its achieved goal has {sizes[1]} numbers and its desired goal {sizes[2]}")
    words = ["obs", sizes[0], "goal", sizes[1] if len(sizes) == 3 else 0]
    action = env.action_space
    if hasattr(action, "n"):
        if getattr(action, "shape", ()) not in ((), None) or int(action.n) < 1:
            raise Unusable(f"its action space is {action}; expected a Box or Discrete")
        words += ["discrete", int(action.n)]
    else:
        n = box_size(action, "action space")
        low, high = (np.broadcast_to(np.asarray(x, float), np.shape(action.low)).ravel() for x in (action.low, action.high))
        if n < 1 or not ((low < high).all() and (abs(low) < 1e30).all() and (abs(high) < 1e30).all()):
            raise Unusable(f"its actions lie in {low.tolist()} to {high.tolist()}; expected finite ranges")
        words += ["continuous", n, *map(repr, low.tolist()), *map(repr, high.tolist())]
    limit = getattr(getattr(env, "spec", None), "max_episode_steps", None) or getattr(env, "max_episode_steps", None)
    words += ["max_steps", int(limit or 0)]
    return " ".join(map(str, words)), sizes, action


try:
    import numpy as np
except ImportError as error:
    answer("u", f"{error} (Python {sys.version.split()[0]}, {sys.executable})")
    os._exit(1)
try:
    env = load(sys.argv[1], sys.argv[2])
    text, sizes, action_space = describe(env)
except Unusable as error:
    answer("u", str(error))
    os._exit(1)
except Exception as error:
    answer("u", problem(error))
    os._exit(1)
answer("k", text)

goal = sizes[1] if len(sizes) == 3 else 0
discrete = hasattr(action_space, "n")
acts = 1 if discrete else int(np.prod(np.shape(action_space.low)))
memory = None


def numbers(values, size, what):
    values = np.asarray(values, float).ravel()
    if values.size != size:
        raise ValueError(f"{what} has {values.size} numbers; expected {size}, as its space says")
    return values


def show(obs):
    if goal:
        names = ("observation", "achieved_goal", "desired_goal")
        memory[: sizes[0] + 2 * goal] = np.concatenate([numbers(obs[k], n, k) for k, n in zip(names, sizes)])
    else:
        memory[: sizes[0]] = numbers(obs, sizes[0], "the observation")


def unpack(values, size, what):
    if not isinstance(values, tuple) or len(values) != size:
        raise ValueError(f"{what} as in Gymnasium")
    return values


at = sizes[0] + 2 * goal
while True:
    message = receive(9)
    kind, number = chr(message[0]), struct.unpack("<Q", message[1:])[0]
    try:
        if kind == "m":
            memory = np.frombuffer(mmap.mmap(4, number), np.float64)
        elif kind == "r":
            obs, info = unpack(env.reset(seed=number), 2, "reset() gives no (observation, info),")
            show(obs)
        elif kind == "s":
            action = memory[at : at + acts].copy()
            if discrete:
                action = int(action[0]) + int(getattr(action_space, "start", 0))
            else:
                action = action.astype(getattr(action_space, "dtype", np.float64)).reshape(np.shape(action_space.low))
            obs, reward, terminated, truncated, info = unpack(
                env.step(action), 5, "step() gives no (observation, reward, terminated, truncated, info),")
            show(obs)
            reward = numbers(reward, 1, "the reward")[0]
            known = "is_success" in info
            memory[at + acts :] = [reward, terminated, truncated, float(info["is_success"]) if known else 0, known]
        answer("k")
    except Exception as error:
        answer("e", problem(error))
