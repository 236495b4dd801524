"""Steps one Python environment for goalpost: worker.py NAME ARGUMENTS, with a socket at descriptor 3 and shared memory at 4.

NAME is python:module:Class or gymnasium:Id, ARGUMENTS its keyword arguments as JSON. Messages are a byte and a number of
eight bytes: m bytes of the shared memory, r seed (reset), s (step). Answers: k, or u for what a user can mend, or e for
other errors, and a text. The memory holds doubles: observation, achieved goal, desired goal, action, reward, terminated,
truncated, success, whether success is known (envs/python/python_env.cpp).
"""
import importlib
import json
import mmap
import os
import signal
import socket
import struct
import sys
import traceback

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer decides when to end
connection = socket.socket(fileno=3)


def answer(kind, text=""):
    data = text.encode()
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
    if len(sizes) == 3 and sizes[1] != sizes[2]:
        raise Unusable(f"its achieved goal has {sizes[1]} numbers and its desired goal {sizes[2]}")
    words = ["obs", sizes[0], "goal", sizes[1] if len(sizes) == 3 else 0]
    action = env.action_space
    if hasattr(action, "n"):
        words += ["discrete", int(action.n)]
    else:
        n = box_size(action, "action space")
        low, high = (np.broadcast_to(np.asarray(x, float), np.shape(action.low)).ravel() for x in (action.low, action.high))
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise Unusable("its actions have no finite range")
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


def show(obs):
    if goal:
        parts = [obs["observation"], obs["achieved_goal"], obs["desired_goal"]]
        memory[: sizes[0] + 2 * goal] = np.concatenate([np.asarray(p, float).ravel() for p in parts])
    else:
        memory[: sizes[0]] = np.asarray(obs, float).ravel()


at = sizes[0] + 2 * goal
while True:
    message = receive(9)
    kind, number = chr(message[0]), struct.unpack("<Q", message[1:])[0]
    try:
        if kind == "m":
            memory = np.frombuffer(mmap.mmap(4, number), np.float64)
        elif kind == "r":
            obs, info = env.reset(seed=number)
            show(obs)
        elif kind == "s":
            action = memory[at : at + acts].copy()
            if discrete:
                action = int(action[0])
            else:
                action = action.astype(getattr(action_space, "dtype", np.float64)).reshape(np.shape(action_space.low))
            obs, reward, terminated, truncated, info = env.step(action)
            show(obs)
            known = "is_success" in info
            memory[at + acts :] = [reward, terminated, truncated, float(info["is_success"]) if known else 0, known]
        answer("k")
    except Exception as error:
        answer("e", problem(error))
