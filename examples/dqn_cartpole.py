"""Learn to balance a pole on a cart (CartPole-v1) by double deep Q-learning with n-step returns.

    pip install dovetail gymnasium matplotlib pillow
    python dqn_cartpole.py --out cartpole

trains for less than a minute and writes agent.safetensors, record.json, curve.png and agent.gif. After van Hasselt, Guez,
Silver, Deep Reinforcement Learning with Double Q-learning, https://arxiv.org/abs/1509.06461.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections import deque
from pathlib import Path

import gymnasium
import numpy as np

import dovetail as dv
from dovetail import nn
from dovetail.nn import functional as F

GAMMA = 0.99  # what a reward is worth one step later
N = 10  # rewards that are seen before the network guesses the rest
BATCH, CAPACITY, WARM_UP = 128, 100_000, 1_000
LEARNING_RATE, TAU = 1e-3, 0.01
EXPLORE_STEPS, EXPLORE_TO = 5_000, 0.02
STEPS, CHECK_EVERY = 40_000, 1_000


class QNetwork(nn.Module):
    """What each action is worth in a state: ``(N, 4)`` to ``(N, 2)``."""

    def __init__(self, hidden=128):
        super().__init__()
        # how large position, speed, angle and turning speed become
        self.register_buffer("scale", dv.tensor([2.4, 2.0, 0.21, 2.0]))
        layers = [nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, 2))

    def forward(self, state):
        return self.layers(state / self.scale)


class Memory:
    """The last transitions over (up to) N steps, from which batches are drawn at random."""

    def __init__(self, capacity):
        self.states, self.later = dv.zeros(capacity, 4), dv.zeros(capacity, 4)
        self.actions = dv.zeros(capacity, dtype=dv.int64)
        self.rewards, self.weights = dv.zeros(capacity), dv.zeros(capacity)
        self.recent = deque()
        self.capacity, self.count = capacity, 0

    def add(self, state, action, reward, next_state, ended, cut):
        self.recent.append((state, action, reward))
        while self.recent and (len(self.recent) == N or ended or cut):
            at, n = self.count % self.capacity, len(self.recent)
            self.rewards[at] = sum(GAMMA**i * r for i, (_, _, r) in enumerate(self.recent))
            # a fallen pole has no future; a game that ran out of time has
            self.weights[at] = 0.0 if ended else GAMMA**n
            first, self.actions[at], _ = self.recent.popleft()
            self.states[at] = dv.from_numpy(first)
            self.later[at] = dv.from_numpy(next_state)
            self.count += 1

    def sample(self, size):
        picked = dv.randint(0, min(self.count, self.capacity), (size,))
        kept = self.states, self.actions, self.rewards, self.later, self.weights
        return tuple(tensor[picked] for tensor in kept)


def loss_of(online, slow, batch):
    """The online network chooses the action to come, its slow copy says what that is worth."""
    states, actions, rewards, later, weights = batch
    with dv.no_grad():
        best = online(later).argmax(dim=1, keepdim=True)
        future = slow(later).gather(1, best).squeeze(1)
        # scaled, so that to balance for ever is worth 1
        goal = (1 - GAMMA) * rewards + weights * future
    value = online(states).gather(1, actions.unsqueeze(1)).squeeze(1)
    return F.mse_loss(value, goal)


def follow(online, slow):
    """Move the slow copy a little towards the online network."""
    with dv.no_grad():
        for old, new in zip(slow.parameters(), online.parameters()):
            old.lerp_(new, TAU)


def choose(network, state):
    """The action of highest value."""
    with dv.no_grad():
        return network(dv.from_numpy(state).unsqueeze(0)).argmax(dim=1).item()


def play(network, seed):
    """One episode without exploration: the states that it went through."""
    env = gymnasium.make("CartPole-v1")
    state, _ = env.reset(seed=seed)
    states, over = [state], False
    while not over:
        state, _, ended, cut, _ = env.step(choose(network, state))
        states.append(state)
        over = ended or cut
    env.close()
    return states


def returns(network, seeds):
    """Steps survived in one episode for each seed; CartPole-v1 stops after 500."""
    return [len(play(network, seed)) - 1 for seed in seeds]


def train(seed=0, steps=STEPS, say=print):
    """Train until three checks in a row are perfect: the best network, all episodes, the checks."""
    dv.manual_seed(seed)
    draw = random.Random(seed)
    env = gymnasium.make("CartPole-v1")
    online, slow, best = QNetwork(), QNetwork(), QNetwork()
    slow.load_state_dict(online.state_dict())
    optimizer = dv.optim.Adam(online.parameters(), lr=LEARNING_RATE)
    memory, episodes, checks, length = Memory(CAPACITY), [], [], 0
    state, _ = env.reset(seed=seed)
    for step in range(1, steps + 1):
        curious = draw.random() < max(EXPLORE_TO, math.exp(-step / EXPLORE_STEPS))
        action = draw.randrange(2) if curious else choose(online, state)
        next_state, reward, ended, cut, _ = env.step(action)
        memory.add(state, action, reward, next_state, ended, cut)
        state, length = next_state, length + 1
        if ended or cut:
            episodes.append((step, length))
            state, length = env.reset()[0], 0
        if step >= WARM_UP and step % 2 == 0:
            optimizer.zero_grad()
            loss_of(online, slow, memory.sample(BATCH)).backward()
            optimizer.step()
            follow(online, slow)
        if step % CHECK_EVERY == 0:
            score = float(np.mean(returns(slow, range(1000, 1010))))
            checks.append((step, score))
            say(f"step {step:6}: {len(episodes):4} episodes, a check lasts {score:3.0f} steps")
            if score == max(score for _, score in checks):
                best.load_state_dict(slow.state_dict())
            if [score for _, score in checks[-3:]] == [500.0] * 3:
                break
    env.close()
    return best, episodes, checks


def draw_curve(episodes, checks, path):
    """The length of every episode while learning, and of those without exploration between times."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.scatter(*zip(*episodes), s=9, color="#c9a887", label="while learning")
    axes.plot(*zip(*checks), color="#8a4b1f", marker="o", markersize=4, label="a check: ten without exploration")
    axes.set(xlabel="steps in the environment", ylabel="steps in balance", ylim=(0, 520))
    axes.legend(loc="lower right")
    figure.savefig(path)
    plt.close(figure)


def draw_frame(state, note):
    """The cart and its pole as a picture, drawn at three times its size."""
    from PIL import Image, ImageDraw, ImageFont

    width, height, k = 480, 200, 3
    image = Image.new("RGB", (width * k, height * k), "#fffdf9")
    pen = ImageDraw.Draw(image)
    x, ground = (width / 2 + float(state[0]) * width / 5.2) * k, 150 * k
    pen.line((0, ground, width * k, ground), fill="#b9a48d", width=2 * k)
    for edge in (-2.4, 2.4):  # where an episode ends
        at = (width / 2 + edge * width / 5.2) * k
        pen.line((at, ground - 8 * k, at, ground + 8 * k), fill="#b9a48d", width=2 * k)
    pen.rounded_rectangle((x - 30 * k, ground - 24 * k, x + 30 * k, ground), 5 * k, fill="#8a4b1f")
    angle, top = float(state[2]), (x, ground - 22 * k)
    end = (x + math.sin(angle) * 105 * k, top[1] - math.cos(angle) * 105 * k)
    pen.line((*top, *end), fill="#d9a066", width=9 * k)
    for center in (top, end):
        pen.ellipse([c + d * 4.5 * k for d in (-1, 1) for c in center], fill="#5b7d8a" if center is top else "#d9a066")
    pen.text((12 * k, 170 * k), note, fill="#6b5a49", font=ImageFont.load_default(15 * k))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def film(parts, path, every=4):
    """A GIF of episodes, one after the other: (what it is, states) each; the last picture of each stands for a while."""
    frames, times = [], []
    for what, states in parts:
        last = len(states) - 1
        for i in [*range(0, last, every), last]:
            frames.append(draw_frame(states[i], f"{what}: {i} steps"))
            times.append(1500 if i == last else 20 * every)
    palette = frames[0].quantize(32)
    small = [frame.quantize(palette=palette, dither=0) for frame in frames]
    small[0].save(path, save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("cartpole"), help="where to write")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same agent")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps in the environment, at most")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    network, episodes, checks = train(options.seed, options.steps)
    seconds = time.perf_counter() - started
    lengths = returns(network, range(20))
    print(f"20 new episodes last {np.mean(lengths):.1f} steps on average, the shortest {min(lengths)}. Training took {seconds:.0f} s.")
    dv.save(network.state_dict(), options.out / "agent.safetensors")
    draw_curve(episodes, checks, options.out / "curve.png")
    dv.manual_seed(options.seed)
    film([("Before training", play(QNetwork(), 7)), ("Trained", play(network, 7))], options.out / "agent.gif")
    record = {
        "program": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        "versions": {"dovetail": dv.__version__, "gymnasium": gymnasium.__version__, "numpy": np.__version__},
        "seed": options.seed, "seconds": round(seconds), "steps": checks[-1][0], "episodes": len(episodes),
        "returns": lengths, "mean": float(np.mean(lengths)),
    }  # fmt: skip
    (options.out / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
