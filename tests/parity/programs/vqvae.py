"""Codes for signals: a quantizer with straight-through gradients and an averaged codebook, Gumbel-softmax codes, perplexity, exact likelihoods of bits."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Bernoulli, RelaxedOneHotCategorical, kl_divergence
from torch.distributions.normal import Normal


class VectorQuantizerEMA(nn.Module):
    def __init__(self, num_embeddings, embedding_dim, commitment_cost, decay, epsilon=1e-5):
        super(VectorQuantizerEMA, self).__init__()
        self._embedding_dim, self._num_embeddings = embedding_dim, num_embeddings
        self._embedding = nn.Embedding(self._num_embeddings, self._embedding_dim)
        self._embedding.weight.data.normal_()
        self._commitment_cost = commitment_cost
        self.register_buffer("_ema_cluster_size", torch.zeros(num_embeddings))
        self._ema_w = nn.Parameter(torch.Tensor(num_embeddings, self._embedding_dim))
        self._ema_w.data.normal_()
        self._decay, self._epsilon = decay, epsilon

    def forward(self, inputs):
        inputs = inputs.permute(0, 2, 1).contiguous()
        input_shape = inputs.shape
        flat_input = inputs.view(-1, self._embedding_dim)
        distances = (
            torch.sum(flat_input**2, dim=1, keepdim=True)
            + torch.sum(self._embedding.weight**2, dim=1)
            - 2 * torch.matmul(flat_input, self._embedding.weight.t())
        )
        encoding_indices = torch.argmin(distances, dim=1).unsqueeze(1)
        encodings = torch.zeros(encoding_indices.shape[0], self._num_embeddings, device=inputs.device)
        encodings.scatter_(1, encoding_indices, 1)
        quantized = torch.matmul(encodings, self._embedding.weight).view(input_shape)
        if self.training:
            self._ema_cluster_size = self._ema_cluster_size * self._decay + (1 - self._decay) * torch.sum(encodings, 0)
            n = torch.sum(self._ema_cluster_size.data)
            self._ema_cluster_size = (self._ema_cluster_size + self._epsilon) / (n + self._num_embeddings * self._epsilon) * n
            dw = torch.matmul(encodings.t(), flat_input)
            self._ema_w = nn.Parameter(self._ema_w * self._decay + (1 - self._decay) * dw)
            self._embedding.weight = nn.Parameter(self._ema_w / self._ema_cluster_size.unsqueeze(1))
        e_latent_loss = F.mse_loss(quantized.detach(), inputs)
        loss = self._commitment_cost * e_latent_loss
        quantized = inputs + (quantized - inputs).detach()
        avg_probs = torch.mean(encodings, dim=0)
        perplexity = torch.exp(-torch.sum(avg_probs * torch.log(avg_probs + 1e-10)))
        return loss, quantized.permute(0, 2, 1).contiguous(), perplexity, encodings


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self._block = nn.Sequential(
            nn.ReLU(True), nn.Conv1d(channels, 6, 3, 1, 1, bias=False), nn.ReLU(True), nn.Conv1d(6, channels, 1, bias=False)
        )

    def forward(self, x):
        return x + self._block(x)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(24)
t = torch.linspace(0, 6.28, 32)
signals = torch.stack([torch.sin(t * f + p) for f, p in (torch.rand(40, 2) * 3).tolist()]).unsqueeze(1)
losses = []
encoder = nn.Sequential(nn.Conv1d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv1d(8, 8, 4, 2, 1), Residual(8), nn.Conv1d(8, 4, 1))
decoder = nn.Sequential(nn.ConvTranspose1d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose1d(8, 1, 4, 2, 1))
vq = VectorQuantizerEMA(12, 4, 0.25, 0.9)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3, amsgrad=False)
for step in range(30):
    batch = signals[torch.randperm(40)[:10]]
    vq_loss, quantized, perplexity, encodings = vq(encoder(batch))
    recon_error = F.mse_loss(decoder(quantized), batch) / signals.var()
    loss = recon_error + vq_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if (step + 1) % 10 == 0:
        print("%d iterations perplexity: %.3f" % (step + 1, perplexity), encodings.shape, vq._embedding.weight.is_leaf)
bits = (torch.rand(60, 16) < torch.rand(4, 16)[torch.randint(0, 4, (60,))]).to(torch.get_default_dtype())
enc, dec = nn.Sequential(nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 3 * 4)), nn.Linear(3 * 4, 16)
optimizer = torch.optim.Adamax([*enc.parameters(), *dec.parameters()], lr=2e-2)
for step in range(30):
    temp = max(0.5, float(torch.exp(torch.tensor(-0.03 * step))))
    q = enc(bits).view(-1, 3, 4)
    uniform = torch.rand(q.size())
    gumbel = -torch.log(-torch.log(uniform + 1e-20) + 1e-20)
    y = F.softmax((q + gumbel) / temp, dim=-1)
    if step % 3 == 0:
        index = y.max(dim=-1)[1]
        y = (F.one_hot(index, 4).to(y.dtype) - y).detach() + y
    elif step % 3 == 1:
        y = F.gumbel_softmax(q, tau=temp, hard=False)
    log_ratio = torch.log(q.softmax(-1) * 4 + 1e-20)
    kld = torch.sum(q.softmax(-1) * log_ratio, dim=(-1, -2)).mean()
    bce = -Bernoulli(logits=dec(y.view(-1, 12))).log_prob(bits).sum(-1).mean()
    loss = bce + kld
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
relaxed = RelaxedOneHotCategorical(torch.tensor(0.5), logits=q[0])
print(
    relaxed.rsample().sum(-1),
    kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0)),
    Bernoulli(0.3).entropy(),
    index.unique(return_counts=True)[0],
)
print("losses", losses)
