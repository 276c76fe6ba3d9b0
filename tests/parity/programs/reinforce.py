"""REINFORCE on a corridor that is written here, on recorded actions: Categorical, returns to go, gradients through log-probabilities."""

import sys
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

dtype = torch.float64 if "--double" in sys.argv else torch.float32
torch.manual_seed(543)
recorded = iter(torch.randint(0, 2, (1000,)))


class Corridor:
    """Five cells; right leads to the goal, and the observation is where one is."""

    def reset(self):
        self.at, self.steps = 2, 0
        return self.observe()

    def observe(self):
        return F.one_hot(torch.tensor(self.at), 5).to(dtype)

    def step(self, action):
        self.at = max(0, min(4, self.at + (1 if action == 1 else -1)))
        self.steps += 1
        done = self.at == 4 or self.steps == 12
        return self.observe(), 1.0 if self.at == 4 else -0.1, done


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(5, 16)
        self.dropout = nn.Dropout(p=0.25)
        self.affine2 = nn.Linear(16, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = self.affine1(x)
        x = self.dropout(x)
        x = F.relu(x)
        return F.softmax(self.affine2(x), dim=1)


policy = Policy().to(dtype)
optimizer = optim.Adam(policy.parameters(), lr=2e-3)
eps = torch.finfo(dtype).eps


def select_action(state):
    probs = policy(state.unsqueeze(0))
    m = Categorical(probs)
    action = next(recorded).view(1)
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


losses = []
env = Corridor()
for episode in range(60):
    state, ep_reward, done = env.reset(), 0.0, False
    while not done:
        state, reward, done = env.step(select_action(state))
        policy.rewards.append(reward)
        ep_reward += reward
    R, returns, policy_loss = 0, deque(), []
    for r in policy.rewards[::-1]:
        R = r + 0.99 * R
        returns.appendleft(R)
    returns = torch.tensor(returns, dtype=dtype)
    if len(returns) > 1:
        returns = (returns - returns.mean()) / (returns.std() + eps)
    for log_prob, R in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * R)
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    losses.append(policy_loss.item())
    if episode % 10 == 0:
        print("Episode {}\tLast reward: {:.2f}".format(episode, ep_reward))
print("losses", losses)
