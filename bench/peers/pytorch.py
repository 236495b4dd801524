#!/usr/bin/env python3
"""The updates that bench/peers.py compares, written for PyTorch as CleanRL writes them, with optimizers over all
parameters at once (foreach) where this version has them."""

import copy
import inspect
import math

import torch
from torch import nn

from timing import arguments, measure

GAMMA, TAU = 0.99, 0.005


def mlp(sizes):
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def adam(parameters, lr):
    foreach = {"foreach": True} if "foreach" in inspect.signature(torch.optim.Adam).parameters else {}
    return torch.optim.Adam(list(parameters), lr=lr, **foreach)


def target_of(network):
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def polyak(online, target):
    online, target = list(online.parameters()), list(target.parameters())
    torch._foreach_mul_(target, 1 - TAU)
    torch._foreach_add_(target, online, alpha=TAU)


def minimize(optimizer, loss):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


class Batch:
    def __init__(self, state, action, batch):
        self.s, self.s2 = torch.rand(batch, state) * 2 - 1, torch.rand(batch, state) * 2 - 1
        self.a, self.r = torch.rand(batch, action) * 2 - 1, torch.full((batch, 1), -1.0)


class Sac:
    def __init__(self, state, hidden, action):
        self.action = action
        self.pi = mlp([state, *hidden, 2 * action])
        self.q = nn.ModuleList(mlp([state + action, *hidden, 1]) for _ in range(2))
        self.q_target = target_of(self.q)
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self.pi_adam, self.q_adam = adam(self.pi.parameters(), 3e-4), adam(self.q.parameters(), 3e-4)
        self.alpha_adam = adam([self.log_alpha], 3e-4)

    def sample(self, s):
        mean, log_std = self.pi(s).chunk(2, 1)
        log_std = log_std.clamp(-20, 2)
        noise = torch.randn_like(log_std)
        u = mean + log_std.exp() * noise
        correction = 2 * (math.log(2) - u - nn.functional.softplus(-2 * u))  # log(1 - tanh(u)^2)
        log_p = (-0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi) - correction).sum(1, keepdim=True)
        return u.tanh(), log_p

    @staticmethod
    def values(q, x):
        return torch.min(q[0](x), q[1](x))

    def update(self, b):
        alpha = self.log_alpha.detach().exp()
        with torch.no_grad():
            a2, log_p2 = self.sample(b.s2)
            y = b.r + GAMMA * (self.values(self.q_target, torch.cat([b.s2, a2], 1)) - alpha * log_p2)
        x = torch.cat([b.s, b.a], 1)
        minimize(self.q_adam, sum(nn.functional.mse_loss(q(x), y) for q in self.q))
        self.q.requires_grad_(False)
        a, log_p = self.sample(b.s)
        minimize(self.pi_adam, (alpha * log_p - self.values(self.q, torch.cat([b.s, a], 1))).mean())
        self.q.requires_grad_(True)
        minimize(self.alpha_adam, -(self.log_alpha * (log_p.detach() - self.action)).mean())
        polyak(self.q, self.q_target)

    @torch.no_grad()
    def act(self, s):
        return self.sample(s)[0]


class Td3:
    def __init__(self, state, hidden, action):
        self.pi = nn.Sequential(mlp([state, *hidden, action]), nn.Tanh())
        self.q = nn.ModuleList(mlp([state + action, *hidden, 1]) for _ in range(2))
        self.pi_target, self.q_target = target_of(self.pi), target_of(self.q)
        self.pi_adam, self.q_adam = adam(self.pi.parameters(), 1e-3), adam(self.q.parameters(), 1e-3)

    def update(self, b, policy_too):
        with torch.no_grad():
            noise = (torch.randn_like(b.a) * 0.2).clamp(-0.5, 0.5)
            a2 = (self.pi_target(b.s2) + noise).clamp(-1, 1)
            y = b.r + GAMMA * Sac.values(self.q_target, torch.cat([b.s2, a2], 1))
        x = torch.cat([b.s, b.a], 1)
        minimize(self.q_adam, sum(nn.functional.mse_loss(q(x), y) for q in self.q))
        if not policy_too:
            return
        self.q.requires_grad_(False)
        minimize(self.pi_adam, -self.q[0](torch.cat([b.s, self.pi(b.s)], 1)).mean())
        self.q.requires_grad_(True)
        polyak(self.pi, self.pi_target)
        polyak(self.q, self.q_target)


class Dqn:
    """On flipping 40 bits; an update draws its batch from a replay buffer. Goalpost's also normalizes the batch."""

    def __init__(self, size=200_000):
        self.q = mlp([80, 256, 40])
        self.target, self.adam = target_of(self.q), adam(self.q.parameters(), 1e-3)
        self.s, self.s2 = torch.randint(0, 2, (size, 80)).float(), torch.randint(0, 2, (size, 80)).float()
        self.a, self.r = torch.randint(0, 40, (size, 1)), torch.full((size, 1), -1.0)
        self.updates = 0

    def update(self, batch=128):
        drawn = torch.randint(0, len(self.s), (batch,))
        with torch.no_grad():
            y = (self.r[drawn] + 0.98 * self.target(self.s2[drawn]).max(1, keepdim=True)[0]).clamp(-50, 0)
        minimize(self.adam, nn.functional.smooth_l1_loss(self.q(self.s[drawn]).gather(1, self.a[drawn]), y))
        self.updates += 1
        if self.updates % 40 == 0:
            polyak(self.q, self.target)


def main():
    threads, seconds = arguments()
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    for name, state, hidden, action, batch in (("13-256-256-4/256", 13, [256, 256], 4, 256),
                                               ("13-256-256-4/1024", 13, [256, 256], 4, 1024),
                                               ("13-512-512-512-4/256", 13, [512, 512, 512], 4, 256),
                                               ("3-64-64-1/100", 3, [64, 64], 1, 100)):
        sac, data = Sac(state, hidden, action), Batch(state, action, batch)
        measure(f"sac/{name}", seconds, 1, lambda: sac.update(data))
    td3, data = Td3(45, [300, 300], 8), Batch(45, 8, 128)

    def two():
        td3.update(data, False)
        td3.update(data, True)

    measure("td3/45-300-300-8/128/two", seconds, 1, two)
    dqn = Dqn()
    measure("dqn/80-256-40/128", seconds, 1, dqn.update)
    sac, s = Sac(13, [256, 256], 4), torch.rand(1, 13)
    measure("act/13-256-256-4", seconds, 1, lambda: sac.act(s))

    def chain():
        x = torch.ones(1, 1, requires_grad=True)
        for _ in range(1000):
            x = x + 1
        x.backward()

    measure("node", seconds, 1000, chain)


if __name__ == "__main__":
    main()
