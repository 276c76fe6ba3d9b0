"""Sentences of several lengths through recurrent layers."""

import sys

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


class Tagger(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(30, 8, padding_idx=0)
        self.rnn = getattr(nn, kind)(8, 12, num_layers=2, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(24, 1)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.embedding(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, hidden = self.rnn(packed)
        out, lens = pad_packed_sequence(out, batch_first=True)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        mask = torch.arange(out.size(1))[None, :] < lens[:, None]
        pooled = (out * mask.unsqueeze(-1)).sum(1) / lens.unsqueeze(-1)
        return self.fc(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1) + pooled).squeeze(-1)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
sentences = [torch.randint(1, 30, (n,)) for n in (9, 3, 7, 5, 9, 2)]
lengths = torch.tensor([len(s) for s in sentences])
padded = pad_sequence(sentences, batch_first=True, padding_value=0)
labels = torch.tensor([0.0, 1, 1, 0, 1, 0], dtype=torch.get_default_dtype())
print(padded, lengths)
losses = []
for kind in ("LSTM", "GRU", "RNN"):
    model = Tagger(kind)
    print(model, [(n, tuple(p.shape)) for n, p in model.rnn.named_parameters()])
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.BCEWithLogitsLoss()(model(padded, lengths), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
print("losses", losses)
