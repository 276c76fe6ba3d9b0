"""Metric learning: batch-hard triplets, cosine embedding and margin losses, a classifier by ArcFace angles, retrieval by cdist and topk."""

import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn import Parameter
from torch.utils.data import BatchSampler, DataLoader, TensorDataset


class BalancedBatchSampler(BatchSampler):
    """Of each batch, n_classes classes with n_samples each."""

    def __init__(self, labels, n_classes, n_samples):
        self.labels, self.n_classes, self.n_samples = labels, n_classes, n_samples
        self.label_to_indices = {label: torch.where(labels == label)[0] for label in labels.unique().tolist()}

    def __iter__(self):
        for _ in range(len(self)):
            classes = torch.randperm(len(self.label_to_indices))[: self.n_classes].tolist()
            indices = []
            for c in classes:
                own = self.label_to_indices[c]
                indices.extend(own[torch.randperm(len(own))[: self.n_samples]].tolist())
            yield indices

    def __len__(self):
        return len(self.labels) // (self.n_classes * self.n_samples)


def batch_hard(labels, embeddings, margin=0.3):
    dot_product = torch.matmul(embeddings, embeddings.t())
    square_norm = torch.diag(dot_product)
    distances = square_norm.unsqueeze(0) - 2.0 * dot_product + square_norm.unsqueeze(1)
    distances[distances < 0] = 0
    mask = distances.eq(0).to(distances.dtype)
    distances = (1.0 - mask) * torch.sqrt(distances + mask * 1e-16)
    equal = torch.eq(labels.unsqueeze(0), labels.unsqueeze(1))
    positive = equal & ~torch.eye(labels.size(0)).bool()
    hardest_positive, _ = (positive.to(distances) * distances).max(1, keepdim=True)
    furthest, _ = distances.max(1, keepdim=True)
    hardest_negative, _ = (distances + furthest * (1.0 - (~equal).to(distances))).min(1, keepdim=True)
    tl = hardest_positive - hardest_negative + margin
    tl[tl < 0] = 0
    return tl.mean()


class ArcMarginProduct(nn.Module):
    def __init__(self, in_features, out_features, s=8.0, m=0.3):
        super().__init__()
        self.s, self.m = s, m
        self.weight = Parameter(torch.FloatTensor(out_features, in_features).to(torch.get_default_dtype()))
        nn.init.xavier_uniform_(self.weight)
        self.cos_m, self.sin_m = math.cos(m), math.sin(m)
        self.th, self.mm = math.cos(math.pi - m), math.sin(math.pi - m) * m

    def forward(self, input, label):
        cosine = F.linear(F.normalize(input), F.normalize(self.weight))
        sine = torch.sqrt((1.0 - torch.pow(cosine, 2)).clamp(0, 1))
        phi = cosine * self.cos_m - sine * self.sin_m
        phi = torch.where(cosine > self.th, phi, cosine - self.mm)
        one_hot = torch.zeros(cosine.size())
        one_hot.scatter_(1, label.view(-1, 1).long(), 1)
        return ((one_hot * phi) + ((1.0 - one_hot) * cosine)) * self.s


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(10)
labels = torch.arange(60) % 5
x = torch.randn(5, 10)[labels] + 0.8 * torch.randn(60, 10)
loader = DataLoader(TensorDataset(x, labels), batch_sampler=BalancedBatchSampler(labels, 3, 4))
losses = []
for kind in ("hard", "triplet", "arc", "cosine"):
    net = nn.Sequential(nn.Linear(10, 16), nn.PReLU(), nn.BatchNorm1d(16), nn.Linear(16, 4))
    head = ArcMarginProduct(4, 5)
    optimizer = torch.optim.SGD([{"params": net.parameters()}, {"params": head.parameters(), "lr": 0.1}], lr=0.05, momentum=0.9)
    for epoch in range(3):
        for data, target in loader:
            emb = net(data)
            if kind == "hard":
                loss = batch_hard(target, F.normalize(emb, p=2, dim=-1))
            elif kind == "triplet":
                a, p, n = emb[::4], emb[1::4], emb[::4].roll(1, 0)
                loss = nn.TripletMarginLoss(margin=1.0, p=2, swap=True)(a, p, n)
            elif kind == "arc":
                loss = F.cross_entropy(head(emb, target), target)
            else:
                same = torch.where(target[::2] == target[1::2], 1, -1)
                loss = F.cosine_embedding_loss(emb[::2], emb[1::2], same, margin=0.1) + 1e-3 * emb.pow(2).sum(1).sqrt().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        emb = net(x)
        dist = torch.cdist(emb, emb)
        dist.fill_diagonal_(float("inf"))
        knn = labels[dist.topk(3, largest=False).indices]
        vote, _ = torch.mode(knn, dim=1)
        print(kind, f"recall@1 {(knn[:, 0] == labels).double().mean().item():.2f} vote {(vote == labels).sum()}/{len(x)}")
print("losses", losses)
