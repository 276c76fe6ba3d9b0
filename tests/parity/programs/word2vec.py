"""Skip-gram with negative sampling: sparse-looking embeddings, a noise table by multinomial, logsigmoid, nearest words by cosine."""

import collections
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class SkipGramModel(nn.Module):
    def __init__(self, emb_size, emb_dimension):
        super(SkipGramModel, self).__init__()
        self.u_embeddings = nn.Embedding(emb_size, emb_dimension, sparse=False)
        self.v_embeddings = nn.Embedding(emb_size, emb_dimension, sparse=False)
        initrange = 1.0 / emb_dimension
        nn.init.uniform_(self.u_embeddings.weight.data, -initrange, initrange)
        nn.init.constant_(self.v_embeddings.weight.data, 0)

    def forward(self, pos_u, pos_v, neg_v):
        emb_u = self.u_embeddings(pos_u)
        emb_v = self.v_embeddings(pos_v)
        emb_neg_v = self.v_embeddings(neg_v)
        score = torch.sum(torch.mul(emb_u, emb_v), dim=1)
        score = torch.clamp(score, max=10, min=-10)
        score = -F.logsigmoid(score)
        neg_score = torch.bmm(emb_neg_v, emb_u.unsqueeze(2)).squeeze()
        neg_score = torch.clamp(neg_score, max=10, min=-10)
        neg_score = -torch.sum(F.logsigmoid(-neg_score), dim=1)
        return torch.mean(score + neg_score)


class Corpus(Dataset):
    def __init__(self, text, window=2, negatives=3):
        words = text.split()
        self.counts = collections.Counter(words)
        self.vocabulary = [w for w, _ in self.counts.most_common()]
        self.word2id = {w: i for i, w in enumerate(self.vocabulary)}
        ids = [self.word2id[w] for w in words]
        self.pairs = [(u, v) for i, u in enumerate(ids) for v in ids[max(0, i - window) : i] + ids[i + 1 : i + window + 1]]
        frequency = torch.tensor([self.counts[w] for w in self.vocabulary], dtype=torch.get_default_dtype())
        self.noise, self.negatives = frequency.pow(0.75) / frequency.pow(0.75).sum(), negatives

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, idx):
        return self.pairs[idx]

    def collate(self, batches):
        all_u = [u for u, _ in batches]
        all_v = [v for _, v in batches]
        all_neg_v = torch.multinomial(self.noise, len(batches) * self.negatives, replacement=True).view(len(batches), -1)
        return torch.LongTensor(all_u), torch.LongTensor(all_v), all_neg_v


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
random.seed(1)
torch.manual_seed(1)
royal = ["king queen palace crown throne".split(), "cat dog garden tree bird".split()]
text = " ".join(" ".join(random.choices(random.choice(royal), k=5)) for _ in range(60))
corpus = Corpus(text)
print(len(corpus), corpus.noise.sum())
dataloader = DataLoader(corpus, batch_size=64, shuffle=True, collate_fn=corpus.collate)
skip_gram_model = SkipGramModel(len(corpus.vocabulary), 8)
optimizer = torch.optim.Adam(skip_gram_model.parameters(), lr=0.03)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(dataloader) * 3)
losses, running_loss = [], 0.0
for iteration in range(3):
    for i, sample_batched in enumerate(dataloader):
        pos_u, pos_v, neg_v = sample_batched
        optimizer.zero_grad()
        loss = skip_gram_model(pos_u, pos_v, neg_v)
        loss.backward()
        optimizer.step()
        scheduler.step()
        running_loss = running_loss * 0.9 + loss.item() * 0.1
        losses.append(loss.item())
    print(f" Loss: {running_loss:.4f}")
embedding = skip_gram_model.u_embeddings.weight.cpu().data
similarity = F.cosine_similarity(embedding[corpus.word2id["king"]].unsqueeze(0), embedding, dim=1)
best = similarity.sort(descending=True)
print([corpus.vocabulary[i] for i in best.indices[:3]], best.values.shape, embedding.numpy().dtype == embedding[0].numpy().dtype)
print("losses", losses)
