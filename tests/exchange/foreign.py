"""Writes policies as other programs do, and what they do in 1,000 observations; NumPy alone is needed.

foreign.py KIND DIRECTORY OBS GOAL ACTION [ACHIEVED...]
  KIND     sac, td3, ddpg, dqn: a zip of Stable-Baselines3, policy.zip; with a goal also its VecNormalize,
           normalizer.pkl.  her: model.pt of hindsight-experience-replay.  evil: a zip whose pickle calls a command.
           gsde, use_sde: of SAC with gSDE, by its weights or its data alone
  ACHIEVED indices of the observation that are the achieved goal
Files obs.f32, goal.f32, action.f32: float32, a row for each observation.
"""
import collections
import io
import json
import os
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

N = 1000
kind, directory, obs_size, goal_size, action_size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
achieved = [int(i) for i in sys.argv[6:]]
rng = np.random.default_rng(1)


def module(name):
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
    return sys.modules[name]


def belongs(thing, name, where):
    thing.__module__, thing.__qualname__, thing.__name__ = where, name, name
    setattr(module(where), name, thing)
    return thing


class FloatStorage:
    pass


class VecNormalize:
    pass


class RunningMeanStd:
    def __init__(self, mean, var):
        self.mean, self.var, self.count = mean, var, 1234.0


def rebuild(*_):
    raise RuntimeError


belongs(FloatStorage, "FloatStorage", "torch")
belongs(rebuild, "_rebuild_tensor_v2", "torch._utils")
belongs(VecNormalize, "VecNormalize", "stable_baselines3.common.vec_env.vec_normalize")
belongs(RunningMeanStd, "RunningMeanStd", "stable_baselines3.common.running_mean_std")


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Tensor:
    count = 0

    def __init__(self, values):
        # Every other matrix lies transposed, as tensors may.
        self.transposed = values.ndim == 2 and Tensor.count % 2 == 1
        lying = values.T if self.transposed else values
        self.shape, self.storage = values.shape, Storage(str(Tensor.count), np.ascontiguousarray(lying, np.float32))
        Tensor.count += 1

    def __reduce__(self):
        strides = [1] * len(self.shape)
        if len(self.shape) == 2:
            strides = [1, self.shape[0]] if self.transposed else [self.shape[1], 1]
        return rebuild, (self.storage, 0, tuple(self.shape), tuple(strides), False, collections.OrderedDict())


def torch_pickle(thing, protocol=2):
    storages = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, Storage):
                return None
            storages.append(obj)
            return ("storage", FloatStorage, obj.key, "cpu", obj.values.size)

    text = io.BytesIO()
    Pickler(text, protocol).dump(thing)
    return text.getvalue(), storages


def torch_zip(thing):
    text, storages = torch_pickle(thing)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("archive/data.pkl", text)
        for s in storages:
            z.writestr("archive/data/" + s.key, s.values.tobytes())
        z.writestr("archive/version", "3\n")
    return out.getvalue()


def torch_legacy(thing):
    text, storages = torch_pickle(thing)
    out = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    out += pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, 2) + text
    # The persistent ids of old files have the view's metadata, too; readers take the first five.
    out += pickle.dumps([s.key for s in storages], 2)
    for s in storages:
        out += struct.pack("<q", s.values.size) + s.values.tobytes()
    return out


def layers(sizes):
    f = lambda *shape: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
    return [(f(o, i), f(o)) for i, o in zip(sizes, sizes[1:])]


def forward(x, net, activation):
    for W, b in net[:-1]:
        x = activation(x @ W.T.astype(np.float64) + b)
    return x @ net[-1][0].T.astype(np.float64) + net[-1][1]


relu, path = lambda x: np.maximum(x, 0), lambda name: os.path.join(directory, name)
obs = (2 * rng.standard_normal((N, obs_size)) + 1).astype(np.float32)
goal = rng.standard_normal((N, goal_size)).astype(np.float32)
obs.tofile(path("obs.f32"))
goal.tofile(path("goal.f32"))
if kind == "her":
    statistics = [rng.standard_normal(obs_size).astype(np.float32), rng.uniform(0.5, 2, obs_size).astype(np.float32),
                  rng.standard_normal(goal_size).astype(np.float32), rng.uniform(0.5, 2, goal_size).astype(np.float32)]
    net = layers([obs_size + goal_size, 32, 32, 24, action_size])
    names = ["fc1", "fc2", "fc3", "action_out"]
    state = collections.OrderedDict()
    for name, (W, b) in zip(names, net):
        state[name + ".weight"], state[name + ".bias"] = Tensor(W), Tensor(b)
    with open(path("model.pt"), "wb") as f:
        f.write(torch_legacy([*statistics, state]))
    x = np.concatenate([np.clip((np.clip(obs, -200, 200) - statistics[0]) / statistics[1], -5, 5),
                        np.clip((np.clip(goal, -200, 200) - statistics[2]) / statistics[3], -5, 5)], 1)
    action = np.tanh(forward(x, net, relu))
else:
    parts = {"achieved_goal": obs[:, achieved], "desired_goal": goal, "observation": obs}
    if goal_size == 0:
        parts = {"observation": obs}
    normalized = {}
    if goal_size > 0 and kind != "evil":
        vec = VecNormalize()
        vec.norm_obs, vec.clip_obs, vec.epsilon, vec.obs_rms = True, 50.0, 1e-8, {}
        for name, x in parts.items():
            mean, var = x.mean(0, dtype=np.float64) + 0.1, x.var(0, dtype=np.float64) * 1.3
            if name == "achieved_goal":
                mean, var = mean + 0.05, var * 1.1  # statistics of their own
            vec.obs_rms[name] = RunningMeanStd(mean, var)
            normalized[name] = np.clip((x - mean) / np.sqrt(var + vec.epsilon), -50, 50)
        with open(path("normalizer.pkl"), "wb") as f:
            pickle.dump(vec, f)
    x = np.concatenate(list((normalized or parts).values()), 1)
    state = collections.OrderedDict()

    def put(name, layer):
        state[name + ".weight"], state[name + ".bias"] = Tensor(layer[0]), Tensor(layer[1])

    activation = np.tanh if kind == "td3" else relu
    if kind in ("sac", "evil", "gsde", "use_sde"):
        net = layers([x.shape[1], 48, 32, action_size])
        for i, layer in enumerate(net[:-1]):
            put(f"actor.latent_pi.{2 * i}", layer)
        put("actor.mu", net[-1])
        if kind == "gsde":
            state["actor.log_std"] = Tensor(np.zeros((32, action_size), np.float32))
        else:
            put("actor.log_std", layers([32, action_size])[0])
        put("critic.qf0.0", layers([x.shape[1] + action_size, 48])[0])
    elif kind == "dqn":
        net = layers([x.shape[1], 48, 32, action_size])
        for i, layer in enumerate(net):
            put(f"q_net.q_net.{2 * i}", layer)
            put(f"q_net_target.q_net.{2 * i}", layer)
    else:
        net = layers([x.shape[1], 48, 32, action_size])
        for i, layer in enumerate(net):
            put(f"actor.mu.{2 * i}", layer)
        put("critic.qf0.0", layers([x.shape[1] + action_size, 48])[0])
        if kind == "td3":
            put("critic.qf1.0", layers([x.shape[1] + action_size, 48])[0])
    y = forward(x, net, activation)
    action = y.argmax(1)[:, None] if kind == "dqn" else np.tanh(y)
    if kind == "evil":
        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {path('evil')}",)
        state["evil"] = Evil()
    data = {"policy_class": {":type:": "<class 'abc.ABCMeta'>", ":serialized:": "gAWV"}, "num_timesteps": 4321,
            "use_sde": kind == "use_sde",
            "policy_kwargs": {":type:": "<class 'dict'>", ":serialized:": "gAWV", "net_arch": [48, 32],
                              "activation_fn": "<class 'torch.nn.modules.activation.%s'>" %
                                               ("Tanh" if kind == "td3" else "ReLU")}}
    with zipfile.ZipFile(path("policy.zip"), "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("data", json.dumps(data))
        z.writestr("policy.pth", torch_zip(state))
        z.writestr("_stable_baselines3_version", "2.3.2")
action.astype(np.float32).tofile(path("action.f32"))
