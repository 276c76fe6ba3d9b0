"""Speech of a kind: spectra by stft, filterbank, deltas, normalization; a GRU with CTC loss; greedy decoding and edit distance."""

import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

SAMPLE_RATE, ALPHABET = 800, "_abcd"


def melscale(n_freqs=17, n_mels=8):
    freqs = np.linspace(0, SAMPLE_RATE / 2, n_freqs)
    points = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), n_mels + 2) / 2595) - 1)
    slopes = points[None, :] - freqs[:, None]
    down, up = -slopes[:, :-2] / np.diff(points)[:-1], slopes[:, 2:] / np.diff(points)[1:]
    return torch.from_numpy(np.maximum(0, np.minimum(down, up))).to(torch.get_default_dtype())


def speak(word):
    """Each letter sounds for a while, at its own pitch."""
    time = torch.arange(160) / SAMPLE_RATE
    parts = [torch.sin(2 * np.pi * (60 + 70 * ALPHABET.index(c)) * time) * torch.hann_window(160) for c in word]
    wave = torch.cat(parts)
    return wave + 0.05 * torch.randn_like(wave)


def features(wave, fb):
    spec = torch.stft(wave, n_fft=32, hop_length=20, window=torch.hann_window(32), center=True, return_complex=True)
    power = spec.abs().pow(2.0)
    mel = torch.log(torch.matmul(power.transpose(-1, -2), fb).clamp(min=1e-5))
    mel = (mel - mel.mean(dim=0)) / (mel.std(0) + 1e-5)
    delta = F.pad(mel.t().unsqueeze(0), (1, 1), mode="replicate").squeeze(0)
    return torch.cat([mel, (delta[:, 2:] - delta[:, :-2]).t() / 2], dim=-1)


class SpeechModel(nn.Module):
    def __init__(self, n_feats, hidden=16):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv1d(n_feats, hidden, 3, stride=2, padding=1), nn.GELU())
        self.norm = nn.LayerNorm(hidden)
        self.rnn = nn.GRU(hidden, hidden, bidirectional=True, batch_first=True)
        self.classifier = nn.Linear(2 * hidden, len(ALPHABET))

    def forward(self, x):
        x = self.cnn(x.transpose(1, 2)).transpose(1, 2)
        x, _ = self.rnn(self.norm(x))
        return F.log_softmax(self.classifier(x), dim=2).transpose(0, 1)


def greedy(output, lengths):
    words = []
    for args, n in zip(torch.argmax(output, dim=2).transpose(0, 1), lengths):
        collapsed = torch.unique_consecutive(args[:n])
        words.append("".join(ALPHABET[i] for i in collapsed if i != 0))
    return words


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(19)
rng, fb = np.random.RandomState(0), melscale()
words = ["".join(rng.choice(list("abcd"), rng.randint(2, 5))) for _ in range(16)]
rows = [features(speak(w), fb) for w in words]
spectrograms = pad_sequence(rows, batch_first=True)
input_lengths = torch.tensor([(len(r) + 1) // 2 for r in rows])
labels = torch.cat([torch.tensor([ALPHABET.index(c) for c in w]) for w in words])
label_lengths = torch.tensor([len(w) for w in words])
model = SpeechModel(16)
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-2, steps_per_epoch=1, epochs=50, anneal_strategy="linear")
criterion = nn.CTCLoss(blank=0, zero_infinity=True)
losses = []
for epoch in range(50):
    output = model(spectrograms)
    loss = criterion(output, labels, input_lengths, label_lengths)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
    if epoch % 15 == 4:
        decoded = greedy(output.detach(), input_lengths)
        cer = sum(distance(d, w) for d, w in zip(decoded, words)) / label_lengths.sum()
        print(f"{epoch}: loss {loss:.4f} cer {cer:.3f}", spectrograms.shape, tuple(output.shape))
print("losses", losses)
