"""TD3's updates on a replay buffer of arrays: twin critics, smoothed targets, delayed policy, polyak averages in place."""

import copy
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Actor(nn.Module):
    def __init__(self, state_dim, action_dim, max_action):
        super(Actor, self).__init__()
        self.l1 = nn.Linear(state_dim, 24)
        self.l2 = nn.Linear(24, 24)
        self.l3 = nn.Linear(24, action_dim)
        self.max_action = max_action

    def forward(self, state):
        a = F.relu(self.l1(state))
        a = F.relu(self.l2(a))
        return self.max_action * torch.tanh(self.l3(a))


class Critic(nn.Module):
    def __init__(self, state_dim, action_dim):
        super(Critic, self).__init__()
        self.l1, self.l3 = nn.Linear(state_dim + action_dim, 24), nn.Linear(24, 1)
        self.l4, self.l6 = nn.Linear(state_dim + action_dim, 24), nn.Linear(24, 1)

    def forward(self, state, action):
        sa = torch.cat([state, action], 1)
        return self.l3(F.relu(self.l1(sa))), self.l6(F.relu(self.l4(sa)))

    def Q1(self, state, action):
        sa = torch.cat([state, action], 1)
        return self.l3(F.relu(self.l1(sa)))


class ReplayBuffer(object):
    def __init__(self, state_dim, action_dim, max_size=300):
        self.max_size, self.ptr, self.size = max_size, 0, 0
        self.state, self.next_state = np.zeros((max_size, state_dim)), np.zeros((max_size, state_dim))
        self.action = np.zeros((max_size, action_dim))
        self.reward, self.not_done = np.zeros((max_size, 1)), np.zeros((max_size, 1))

    def add(self, state, action, next_state, reward, done):
        self.state[self.ptr], self.action[self.ptr], self.next_state[self.ptr] = state, action, next_state
        self.reward[self.ptr], self.not_done[self.ptr] = reward, 1.0 - done
        self.ptr = (self.ptr + 1) % self.max_size
        self.size = min(self.size + 1, self.max_size)

    def sample(self, batch_size):
        ind = np.random.randint(0, self.size, size=batch_size)
        Tensor = torch.DoubleTensor if torch.get_default_dtype() == torch.float64 else torch.FloatTensor
        return (
            Tensor(self.state[ind]).to(device), Tensor(self.action[ind]).to(device), Tensor(self.next_state[ind]).to(device),
            Tensor(self.reward[ind]).to(device), Tensor(self.not_done[ind]).to(device),
        )  # fmt: skip


class TD3(object):
    def __init__(self, state_dim, action_dim, max_action, discount=0.99, tau=0.01, policy_noise=0.2, noise_clip=0.5, policy_freq=2):
        self.actor = Actor(state_dim, action_dim, max_action).to(device)
        self.actor_target = copy.deepcopy(self.actor)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=3e-4)
        self.critic = Critic(state_dim, action_dim).to(device)
        self.critic_target = copy.deepcopy(self.critic)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-4)
        self.max_action, self.discount, self.tau = max_action, discount, tau
        self.policy_noise, self.noise_clip, self.policy_freq, self.total_it = policy_noise, noise_clip, policy_freq, 0

    def select_action(self, state):
        state = torch.as_tensor(state.reshape(1, -1)).to(device, torch.get_default_dtype())
        return self.actor(state).cpu().data.numpy().flatten()

    def train(self, replay_buffer, batch_size=32):
        self.total_it += 1
        state, action, next_state, reward, not_done = replay_buffer.sample(batch_size)
        with torch.no_grad():
            noise = (torch.randn_like(action) * self.policy_noise).clamp(-self.noise_clip, self.noise_clip)
            next_action = (self.actor_target(next_state) + noise).clamp(-self.max_action, self.max_action)
            target_Q1, target_Q2 = self.critic_target(next_state, next_action)
            target_Q = reward + not_done * self.discount * torch.min(target_Q1, target_Q2)
        current_Q1, current_Q2 = self.critic(state, action)
        critic_loss = F.mse_loss(current_Q1, target_Q) + F.mse_loss(current_Q2, target_Q)
        self.critic_optimizer.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()
        losses.append(critic_loss.item())
        if self.total_it % self.policy_freq == 0:
            actor_loss = -self.critic.Q1(state, self.actor(state)).mean()
            self.actor_optimizer.zero_grad()
            actor_loss.backward()
            self.actor_optimizer.step()
            losses.append(float(actor_loss))
            for param, target_param in zip(self.critic.parameters(), self.critic_target.parameters()):
                target_param.data.copy_(self.tau * param.data + (1 - self.tau) * target_param.data)
            with torch.no_grad():
                for param, target_param in zip(self.actor.parameters(), self.actor_target.parameters()):
                    target_param.mul_(1 - self.tau)
                    torch.add(target_param, param, alpha=self.tau, out=target_param)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(1)
np.random.seed(1)
losses, policy, replay_buffer = [], TD3(3, 1, 2.0), ReplayBuffer(3, 1)
state = np.random.randn(3)
for t in range(200):
    action = np.random.uniform(-2, 2, size=1).clip(-2, 2)
    next_state = 0.9 * state + 0.1 * np.append(np.random.randn(2), action)
    replay_buffer.add(state, action, next_state, -float(state @ state + 0.1 * action[0] ** 2), float(t % 50 == 49))
    state = next_state
for t in range(45):
    policy.train(replay_buffer)
chosen = policy.select_action(np.zeros(3)) + np.random.normal(0, 0.1, size=1)
print(chosen.shape, chosen.dtype, policy.total_it, len(losses))
print("losses", losses)
