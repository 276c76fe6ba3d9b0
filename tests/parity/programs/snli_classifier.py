"""Do two sentences follow from one another? A bidirectional LSTM over packed sentences, a projection, a classifier; sorted batches."""

import sys

import torch
import torch.nn as nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader


class Bottle(nn.Module):
    def forward(self, input):
        if len(input.size()) <= 2:
            return super(Bottle, self).forward(input)
        size = input.size()[:2]
        out = super(Bottle, self).forward(input.view(size[0] * size[1], -1))
        return out.view(size[0], size[1], -1)


class Linear(Bottle, nn.Linear):
    pass


class Encoder(nn.Module):
    def __init__(self, d_in, d_hidden):
        super(Encoder, self).__init__()
        self.rnn = nn.LSTM(input_size=d_in, hidden_size=d_hidden, num_layers=1, dropout=0, bidirectional=True)

    def forward(self, inputs, lengths):
        batch_size = inputs.size()[1]
        state_shape = 2, batch_size, self.rnn.hidden_size
        h0 = c0 = inputs.new_zeros(state_shape)
        order = lengths.argsort(descending=True, stable=True)
        packed = pack_padded_sequence(inputs[:, order], lengths[order])
        assert isinstance(packed, PackedSequence)
        outputs, (ht, ct) = self.rnn(packed, (h0, c0))
        padded, _ = pad_packed_sequence(outputs)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        ht = ht[:, back]
        return ht[-2:].transpose(0, 1).contiguous().view(batch_size, -1) + padded[:, back].max(dim=0)[0]


class SNLIClassifier(nn.Module):
    def __init__(self, vocab):
        super(SNLIClassifier, self).__init__()
        self.embed = nn.Embedding(vocab, 8, padding_idx=1)
        self.projection = Linear(8, 10)
        self.encoder = Encoder(10, 6)
        self.dropout = nn.Dropout(p=0.1)
        self.relu = nn.ReLU()
        seq_in_size = 2 * 6 * 2
        lin_config = [seq_in_size] * 2
        self.out = nn.Sequential(
            Linear(*lin_config), self.relu, self.dropout, Linear(*lin_config), self.relu, self.dropout, Linear(seq_in_size, 3)
        )

    def forward(self, batch):
        prem_embed = self.relu(self.projection(self.embed(batch["premise"]).detach()))
        hypo_embed = self.relu(self.projection(self.embed(batch["hypothesis"])))
        premise = self.encoder(prem_embed, batch["premise_lengths"])
        hypothesis = self.encoder(hypo_embed, batch["hypothesis_lengths"])
        return self.out(torch.cat([premise, hypothesis], 1))


def collate(rows):
    batch = {"label": torch.tensor([r[2] for r in rows])}
    for k, name in enumerate(("premise", "hypothesis")):
        batch[name] = pad_sequence([r[k] for r in rows], padding_value=1)
        batch[name + "_lengths"] = torch.tensor([len(r[k]) for r in rows])
    return batch


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(6)
rows = []
for n in torch.randint(2, 9, (60,)).tolist():
    sentence = torch.randint(2, 20, (n,))
    label = int(torch.randint(0, 3, ()))
    other = sentence.flip(0) if label == 0 else sentence[: n // 2 + 1] if label == 1 else torch.randint(2, 20, (n + 1,))
    rows.append((sentence, other, label))
loader = DataLoader(rows, batch_size=10, shuffle=True, collate_fn=collate)
model = SNLIClassifier(20)
criterion = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
losses, iterations = [], 0
for epoch in range(9):
    n_correct, n_total = 0, 0
    for batch_idx, batch in enumerate(loader):
        model.train()
        opt.zero_grad()
        iterations += 1
        answer = model(batch)
        n_correct += (torch.max(answer, 1)[1].view(batch["label"].size()) == batch["label"]).sum().item()
        n_total += len(batch["label"])
        loss = criterion(answer, batch["label"])
        loss.backward()
        opt.step()
        losses.append(loss.item())
    if epoch % 4 == 0:
        print("{:>6} {:5.0f} {:8.4f} {:8.2f}%".format(epoch, iterations, loss.item(), 100.0 * n_correct / n_total))
print(model)
print("losses", losses)
