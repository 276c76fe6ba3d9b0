"""Sentences turned round by an encoder and a decoder with attention: GRUs step by step, teacher forcing, masked losses, Bahdanau's sums."""

from __future__ import division, print_function, unicode_literals

import random
import sys
import unicodedata
from io import open

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SOS_token, EOS_token, MAX_LENGTH = 0, 1, 8


class Lang:
    def __init__(self, name):
        self.name, self.word2index, self.word2count = name, {}, {}
        self.index2word = {0: "SOS", 1: "EOS"}
        self.n_words = 2

    def addSentence(self, sentence):
        for word in sentence.split(" "):
            if word not in self.word2index:
                self.word2index[word] = self.n_words
                self.word2count[word] = 1
                self.index2word[self.n_words] = word
                self.n_words += 1
            else:
                self.word2count[word] += 1


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.1):
        super(EncoderRNN, self).__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        embedded = self.dropout(self.embedding(input))
        output, hidden = self.gru(embedded)
        return output, hidden


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super(BahdanauAttention, self).__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        context = torch.bmm(weights, keys)
        return context, weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, dropout_p=0.1):
        super(AttnDecoderRNN, self).__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, encoder_outputs, encoder_hidden, target_tensor=None):
        batch_size = encoder_outputs.size(0)
        decoder_input = torch.empty(batch_size, 1, dtype=torch.long, device=device).fill_(SOS_token)
        decoder_hidden = encoder_hidden
        decoder_outputs = []
        attentions = []
        for i in range(MAX_LENGTH):
            decoder_output, decoder_hidden, attn_weights = self.forward_step(decoder_input, decoder_hidden, encoder_outputs)
            decoder_outputs.append(decoder_output)
            attentions.append(attn_weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)  # Teacher forcing
            else:
                _, topi = decoder_output.topk(1)
                decoder_input = topi.squeeze(-1).detach()
        decoder_outputs = torch.cat(decoder_outputs, dim=1)
        decoder_outputs = F.log_softmax(decoder_outputs, dim=-1)
        attentions = torch.cat(attentions, dim=1)
        return decoder_outputs, decoder_hidden, attentions

    def forward_step(self, input, hidden, encoder_outputs):
        embedded = self.dropout(self.embedding(input))
        query = hidden.permute(1, 0, 2)
        context, attn_weights = self.attention(query, encoder_outputs)
        input_gru = torch.cat((embedded, context), dim=2)
        output, hidden = self.gru(input_gru, hidden)
        output = self.out(output)
        return output, hidden, attn_weights


def tensorFromSentence(lang, sentence):
    indexes = [lang.word2index[word] for word in sentence.split(" ")]
    indexes.append(EOS_token)
    return torch.tensor(indexes, dtype=torch.long, device=device).view(1, -1)


def unicodeToAscii(s):
    return "".join(c for c in unicodedata.normalize("NFD", s) if unicodedata.category(c) != "Mn")


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
random.seed(2)
torch.manual_seed(2)
assert open is not None
nouns, verbs = ["chât", "chien", "oiseau", "poisson"], ["voit", "aime", "suit"]
pairs = [
    [unicodeToAscii(f"le {a} {v} le {b}"), " ".join(reversed(f"le {a} {v} le {b}".split(" ")))] for a in nouns for v in verbs for b in nouns
]
input_lang, output_lang = Lang("fra"), Lang("arf")
for a, b in pairs:
    input_lang.addSentence(a)
    output_lang.addSentence(b)
print("Counted words:", input_lang.name, input_lang.n_words, output_lang.name, output_lang.n_words, random.choice(pairs)[0])
n = len(pairs)
input_ids, target_ids = torch.zeros((n, MAX_LENGTH), dtype=torch.int32).numpy(), torch.zeros((n, MAX_LENGTH), dtype=torch.int32).numpy()
for idx, (inp, tgt) in enumerate(pairs):
    for ids, lang, sentence in ((input_ids, input_lang, inp), (target_ids, output_lang, tgt)):
        row = tensorFromSentence(lang, sentence)[0]
        ids[idx, : len(row)] = row
train_data = TensorDataset(torch.LongTensor(input_ids).to(device), torch.LongTensor(target_ids).to(device))
train_dataloader = DataLoader(train_data, sampler=RandomSampler(train_data), batch_size=8)
encoder = EncoderRNN(input_lang.n_words, 16).to(device)
decoder = AttnDecoderRNN(16, output_lang.n_words).to(device)
encoder_optimizer = optim.Adam(encoder.parameters(), lr=0.01)
decoder_optimizer = optim.Adam(decoder.parameters(), lr=0.01)
criterion = nn.NLLLoss()
losses = []
for epoch in range(1, 11):
    total_loss = 0
    for data in train_dataloader:
        input_tensor, target_tensor = data
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        encoder_outputs, encoder_hidden = encoder(input_tensor)
        decoder_outputs, _, _ = decoder(encoder_outputs, encoder_hidden, target_tensor)
        loss = criterion(decoder_outputs.view(-1, decoder_outputs.size(-1)), target_tensor.view(-1))
        loss.backward()
        encoder_optimizer.step()
        decoder_optimizer.step()
        total_loss += loss.item()
        losses.append(loss.item())
    if epoch % 3 == 1:
        print("%d %.4f" % (epoch, total_loss / len(train_dataloader)))
encoder.eval()
decoder.eval()
with torch.no_grad():
    input_tensor = tensorFromSentence(input_lang, pairs[0][0])
    decoder_outputs, decoder_hidden, decoder_attn = decoder(*encoder(input_tensor))
    _, topi = decoder_outputs.topk(1)
    decoded_words = []
    for idx in topi.squeeze():
        if idx.item() == EOS_token:
            decoded_words.append("<EOS>")
            break
        decoded_words.append(output_lang.index2word[idx.item()])
print(" ".join(decoded_words), decoder_attn.shape, decoder_attn[0].sum(-1).round(decimals=9))
print("losses", losses)
