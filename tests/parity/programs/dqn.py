"""Deep Q-learning's update: gather, assignment through a mask, soft copies by state dicts."""

import sys

import numpy as np
import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(4, 32)
        self.layer2 = nn.Linear(32, 2)

    def forward(self, x):
        return self.layer2(F.relu(self.layer1(x)))


torch.manual_seed(0)
np.random.seed(0)
cudnn.deterministic = True
device = torch.device("cpu")
dtype = torch.float64 if "--double" in sys.argv else torch.float32
policy_net, target_net = DQN().to(device).to(dtype), DQN().to(device).to(dtype)
print(target_net.load_state_dict(policy_net.state_dict()))
optimizer = optim.AdamW(policy_net.parameters(), lr=1e-3, amsgrad=True)
losses = []
for _ in range(50):
    states = [torch.tensor(np.random.randn(4).astype(np.float32), dtype=dtype, device=device).unsqueeze(0) for _ in range(16)]
    following = [None if np.random.rand() < 0.2 else torch.tensor(np.random.randn(4), dtype=dtype).unsqueeze(0) for _ in range(16)]
    with torch.no_grad():
        greedy = policy_net(torch.cat(states)).max(1).indices.view(16, 1)
    action = torch.where(torch.rand(16, 1) < 0.5, greedy, torch.LongTensor(np.random.randint(0, 2, (16, 1))))
    reward = torch.tensor(np.random.rand(16), device=device).to(dtype)
    q = policy_net(torch.cat(states)).gather(1, action)
    alive = torch.tensor(tuple(s is not None for s in following), device=device, dtype=torch.bool)
    value = torch.zeros(16, dtype=dtype, device=device)
    with torch.no_grad():
        value[alive] = target_net(torch.cat([s for s in following if s is not None])).max(1).values
    loss = nn.SmoothL1Loss()(q, ((value * 0.99) + reward).unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    optimizer.step()
    target, policy = target_net.state_dict(), policy_net.state_dict()
    for key in policy:
        target[key] = policy[key] * 0.05 + target[key] * 0.95
    target_net.load_state_dict(target)
    losses.append(loss.item())
print(policy_net(states[0])[np.arange(0, 1), action[0]].shape[0], torch.max(q.detach(), 0))
print("losses", losses)
