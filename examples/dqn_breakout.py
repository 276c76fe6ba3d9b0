"""Learn a game of bricks from its pixels, by double deep Q-learning with n-step returns.

    pip install dovetail gymnasium matplotlib pillow
    python dqn_breakout.py --out breakout

trains for some minutes and writes agent.safetensors, record.json, curve.png and agent.gif; breakout.py, beside this file, is the
game. After Mnih and others, 2015, https://doi.org/10.1038/nature14236, and van Hasselt, Guez, Silver, https://arxiv.org/abs/1509.06461.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections import deque
from pathlib import Path

import gymnasium
import numpy as np
from breakout import ACTIONS, CHANNELS, SIZE, Breakout, draw_frame

import dovetail as dv
from dovetail import nn
from dovetail.nn import functional as F

GAMMA = 0.98  # what a reward is worth one step later
N = 5  # rewards that are seen before the network guesses the rest
GAMES = 16  # played side by side: one batch chooses for all
BATCH, CAPACITY, WARM_UP = 64, 100_000, 5_000
LEARNING_RATE, TAU = 5e-4, 0.01
EXPLORE_STEPS, EXPLORE_TO = 80_000, 0.01
STEPS, CHECK_EVERY = 560_000, 20_000


class QNetwork(nn.Module):
    """What each action is worth on a screen: ``(N, 4, 10, 10)`` to ``(N, 3)``."""

    def __init__(self, width=16, hidden=64):
        super().__init__()
        self.see = nn.Conv2d(len(CHANNELS), width, 3)
        self.think = nn.Linear(width * (SIZE - 2) ** 2, hidden)
        self.judge = nn.Linear(hidden, len(ACTIONS))

    def forward(self, screen):
        seen = self.see(screen.float()).relu().flatten(1)
        return self.judge(self.think(seen).relu())


class Memory:
    """The last transitions over (up to) N steps, from which batches are drawn at random."""

    def __init__(self, capacity):
        screens = capacity, len(CHANNELS), SIZE, SIZE
        self.states, self.later = np.zeros(screens, np.uint8), np.zeros(screens, np.uint8)
        self.actions = np.zeros(capacity, np.int64)
        self.rewards, self.weights = np.zeros(capacity, np.float32), np.zeros(capacity, np.float32)
        self.recent = [deque() for _ in range(GAMES)]
        self.capacity, self.count = capacity, 0

    def add(self, game, state, action, reward, next_state, ended, cut):
        recent = self.recent[game]
        recent.append((state, action, reward))
        while recent and (len(recent) == N or ended or cut):
            at, n = self.count % self.capacity, len(recent)
            self.rewards[at] = sum(GAMMA**i * r for i, (_, _, r) in enumerate(recent))
            self.weights[at] = 0.0 if ended else GAMMA**n  # after a lost ball nothing comes
            self.states[at], self.actions[at], _ = recent.popleft()
            self.later[at] = next_state
            self.count += 1

    def sample(self, size):
        picked = dv.randint(0, min(self.count, self.capacity), (size,)).numpy()
        kept = self.states, self.actions, self.rewards, self.later, self.weights
        return tuple(dv.from_numpy(array[picked]) for array in kept)


def loss_of(online, slow, batch):
    """The online network chooses the action to come, its slow copy says what that is worth."""
    states, actions, rewards, later, weights = batch
    with dv.no_grad():
        best = online(later).argmax(dim=1, keepdim=True)
        goal = rewards + weights * slow(later).gather(1, best).squeeze(1)
    value = online(states).gather(1, actions.unsqueeze(1)).squeeze(1)
    return F.smooth_l1_loss(value, goal)


def follow(online, slow):
    """Move the slow copy a little towards the online network."""
    with dv.no_grad():
        for old, new in zip(slow.parameters(), online.parameters()):
            old.lerp_(new, TAU)


def choose(network, states):
    """The action of highest value for each of some screens; where there is no network, any action."""
    if network is None:
        return [random.randrange(len(ACTIONS)) for _ in states]
    with dv.no_grad():
        return network(dv.from_numpy(np.stack(states))).argmax(dim=1).tolist()


def play(network, seed):
    """One game without exploration: its screens, and its points after each."""
    game = Breakout()
    state, _ = game.reset(seed=seed)
    random.seed(seed)
    states, points, over = [state], [0], False
    while not over:
        state, reward, ended, cut, _ = game.step(choose(network, [state])[0])
        states.append(state)
        points.append(points[-1] + int(reward))
        over = ended or cut
    return states, points


def returns(network, seeds):
    """Points of one game for each seed, all played side by side."""
    random.seed(0)
    games = [Breakout() for _ in seeds]
    states = [game.reset(seed=seed)[0] for game, seed in zip(games, seeds)]
    points, running = [0] * len(games), list(range(len(games)))
    while running:
        actions = choose(network, [states[i] for i in running])
        for i, action in zip(tuple(running), actions):
            states[i], reward, ended, cut, _ = games[i].step(action)
            points[i] += int(reward)
            if ended or cut:
                running.remove(i)
    return points


def train(seed=0, steps=STEPS, say=print):
    """Train for a number of steps: the best network, all games as (step, points), the checks."""
    dv.manual_seed(seed)
    draw = random.Random(seed)
    online, slow, best = QNetwork(), QNetwork(), QNetwork()
    slow.load_state_dict(online.state_dict())
    optimizer = dv.optim.Adam(online.parameters(), lr=LEARNING_RATE)
    slower = dv.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.2, total_iters=steps // GAMES)
    memory, played, checks = Memory(CAPACITY), [], []
    games, points = [Breakout() for _ in range(GAMES)], [0] * GAMES
    states = [game.reset(seed=1000 * seed + i)[0] for i, game in enumerate(games)]
    for step in range(GAMES, steps + 1, GAMES):
        curious = max(EXPLORE_TO, 1 - step / EXPLORE_STEPS)
        wanted = choose(online, states)
        for i, game in enumerate(games):
            action = draw.randrange(len(ACTIONS)) if draw.random() < curious else wanted[i]
            state, reward, ended, cut, _ = game.step(action)
            memory.add(i, states[i], action, reward, state, ended, cut)
            states[i], points[i] = state, points[i] + int(reward)
            if ended or cut:
                played.append((step, points[i]))
                states[i], points[i] = game.reset()[0], 0
        if step >= WARM_UP:
            optimizer.zero_grad()
            loss_of(online, slow, memory.sample(BATCH)).backward()
            optimizer.step()
            slower.step()
            follow(online, slow)
        if step % CHECK_EVERY == 0:
            score = float(np.mean(returns(slow, range(1000, 1040))))
            checks.append((step, score))
            say(f"step {step:7}: {len(played):5} games, a check has {score:5.1f} points")
            if score == max(score for _, score in checks):
                best.load_state_dict(slow.state_dict())
    return best, played, checks


def draw_curve(played, checks, path):
    """The points of games while learning, and of those without exploration between times."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.scatter(*zip(*played), s=2, color="#d9c3a8", label="while learning")
    axes.plot(*zip(*checks), color="#8a4b1f", marker="o", markersize=4, label="a check: forty without exploration")
    axes.set(xlabel="steps in the game", ylabel="bricks")
    axes.legend(loc="upper left", markerscale=2)
    figure.savefig(path)
    plt.close(figure)


def film(parts, path, longest=260):
    """A GIF of games, one after the other: (what it is, screens, points) each; the last picture of each stands for a while."""
    colors = np.zeros((len(CHANNELS), SIZE, SIZE), np.uint8)
    for channel in range(len(CHANNELS)):  # as much of every colour, so that the palette has them all
        colors[channel, 5 * (channel // 2) : 5 * (channel // 2) + 5, 5 * (channel % 2) : 5 * (channel % 2) + 5] = 1
    palette, frames, times = draw_frame(colors, "bricks").quantize(32), [], []
    for what, states, points in parts:
        shown = list(zip(states, points))[:longest]
        for i, (state, count) in enumerate(shown):
            frames.append(draw_frame(state, f"{what}: {count} bricks", cell=20).quantize(palette=palette, dither=0))
            times.append(1500 if i == len(shown) - 1 else 60)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("breakout"), help="where to write")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same agent")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps in the game")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    network, played, checks = train(options.seed, options.steps)
    seconds = time.perf_counter() - started
    network.half()  # half the bytes; it plays in float32
    dv.save(network.state_dict(), options.out / "agent.safetensors")
    network.float()
    at_random, points = returns(None, range(100)), returns(network, range(100))
    print(f"100 new games: at random {np.mean(at_random):.2f} bricks, trained {np.mean(points):.2f}. Training took {seconds:.0f} s.")
    draw_curve(played, checks, options.out / "curve.png")
    film([("At random", *play(None, 7)), ("Trained", *play(network, 7))], options.out / "agent.gif")
    here = Path(__file__).resolve()
    record = {
        "program": [hashlib.sha256(path.read_bytes()).hexdigest() for path in (here, here.with_name("breakout.py"))],
        "versions": {"dovetail": dv.__version__, "gymnasium": gymnasium.__version__, "numpy": np.__version__},
        "seed": options.seed, "seconds": round(seconds), "steps": options.steps, "games": len(played), "checks": checks,
        "random": float(np.mean(at_random)), "mean": float(np.mean(points)),
    }  # fmt: skip
    (options.out / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
