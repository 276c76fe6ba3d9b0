"""PPO's update on recorded steps and actions: clipped ratios, value loss, entropy bonus, advantages by GAE, minibatches, learning-rate annealing."""

import sys

import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions.normal import Normal

dtype = torch.float64 if "--double" in sys.argv else torch.float32
torch.manual_seed(1)
num_steps, num_envs, obs_dim, act_dim = 16, 4, 3, 2


def layer_init(layer, std=2**0.5, bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(layer_init(nn.Linear(obs_dim, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=1.0))
        self.actor_mean = nn.Sequential(layer_init(nn.Linear(obs_dim, 16)), nn.Tanh(), layer_init(nn.Linear(16, act_dim), std=0.01))
        self.actor_logstd = nn.Parameter(torch.zeros(1, act_dim))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        action_mean = self.actor_mean(x)
        action_logstd = self.actor_logstd.expand_as(action_mean)
        probs = Normal(action_mean, torch.exp(action_logstd))
        if action is None:
            action = (torch.randn(action_mean.shape) * 0.8).to(action_mean)
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


agent = Agent().to(dtype)
optimizer = optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
losses = []
for update in range(1, 6):
    optimizer.param_groups[0]["lr"] = (1.0 - (update - 1.0) / 5) * 3e-3
    obs = torch.zeros((num_steps, num_envs, obs_dim), dtype=dtype)
    actions = torch.zeros((num_steps, num_envs, act_dim), dtype=dtype)
    logprobs, rewards, dones, values = (torch.zeros((num_steps, num_envs), dtype=dtype) for _ in range(4))
    next_obs, next_done = torch.randn(num_envs, obs_dim).to(dtype), torch.zeros(num_envs, dtype=dtype)
    for step in range(num_steps):
        obs[step], dones[step] = next_obs, next_done
        with torch.no_grad():
            action, logprob, _, value = agent.get_action_and_value(next_obs)
            values[step] = value.flatten()
        actions[step], logprobs[step] = action, logprob
        rewards[step] = -(action - next_obs[:, :act_dim]).pow(2).sum(1)
        next_obs, next_done = torch.randn(num_envs, obs_dim).to(dtype), (torch.rand(num_envs) < 0.1).to(rewards.dtype)
    with torch.no_grad():
        next_value = agent.get_value(next_obs).reshape(1, -1)
        advantages = torch.zeros_like(rewards)
        lastgaelam = 0
        for t in reversed(range(num_steps)):
            nextnonterminal = 1.0 - (next_done if t == num_steps - 1 else dones[t + 1])
            nextvalues = next_value if t == num_steps - 1 else values[t + 1]
            delta = rewards[t] + 0.99 * nextvalues * nextnonterminal - values[t]
            advantages[t] = lastgaelam = delta + 0.99 * 0.95 * nextnonterminal * lastgaelam
        returns = advantages + values
    b_obs, b_actions = obs.reshape((-1, obs_dim)), actions.reshape((-1, act_dim))
    b_logprobs, b_advantages, b_returns, b_values = (t.reshape(-1) for t in (logprobs, advantages, returns, values))
    clipfracs = []
    for epoch in range(3):
        b_inds = torch.randperm(num_steps * num_envs)
        for start in range(0, num_steps * num_envs, 16):
            mb_inds = b_inds[start : start + 16]
            _, newlogprob, entropy, newvalue = agent.get_action_and_value(b_obs[mb_inds], b_actions[mb_inds])
            logratio = newlogprob - b_logprobs[mb_inds]
            ratio = logratio.exp()
            with torch.no_grad():
                clipfracs += [((ratio - 1.0).abs() > 0.2).float().mean().item()]
            mb_advantages = b_advantages[mb_inds]
            mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
            pg_loss = torch.max(-mb_advantages * ratio, -mb_advantages * torch.clamp(ratio, 0.8, 1.2)).mean()
            newvalue = newvalue.view(-1)
            v_clipped = b_values[mb_inds] + torch.clamp(newvalue - b_values[mb_inds], -0.2, 0.2)
            v_loss = 0.5 * torch.max((newvalue - b_returns[mb_inds]) ** 2, (v_clipped - b_returns[mb_inds]) ** 2).mean()
            loss = pg_loss - 0.01 * entropy.mean() + v_loss * 0.5
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
    y_pred, y_true = b_values.numpy(), b_returns.numpy()
    print(f"update {update}: explained variance {1 - (y_true - y_pred).var() / y_true.var():.3f}")
print("losses", losses)
