"""Graph attention on a small citation-like graph: masked attention, ELU, several heads, leaky slope, dropout on coefficients, early stopping."""

import argparse
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam


class GraphAttentionLayer(nn.Module):
    def __init__(
        self, in_features: int, out_features: int, n_heads: int, concat: bool = False, dropout: float = 0.4, leaky_relu_slope: float = 0.2
    ):
        super(GraphAttentionLayer, self).__init__()
        self.n_heads, self.concat, self.dropout = n_heads, concat, dropout
        if concat:
            self.out_features = out_features
            assert out_features % n_heads == 0
            self.n_hidden = out_features // n_heads
        else:
            self.n_hidden = out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, self.n_hidden * n_heads)))
        self.a = nn.Parameter(torch.empty(size=(n_heads, 2 * self.n_hidden, 1)))
        self.leakyrelu = nn.LeakyReLU(leaky_relu_slope)
        self.softmax = nn.Softmax(dim=1)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def _get_attention_scores(self, h_transformed: torch.Tensor):
        source_scores = torch.matmul(h_transformed, self.a[:, : self.n_hidden, :])
        target_scores = torch.matmul(h_transformed, self.a[:, self.n_hidden :, :])
        e = source_scores + target_scores.mT
        return self.leakyrelu(e)

    def forward(self, h: torch.Tensor, adj_mat: torch.Tensor):
        n_nodes = h.shape[0]
        h_transformed = torch.mm(h, self.W)
        h_transformed = F.dropout(h_transformed, self.dropout, training=self.training)
        h_transformed = h_transformed.view(n_nodes, self.n_heads, self.n_hidden).permute(1, 0, 2)
        e = self._get_attention_scores(h_transformed)
        connectivity_mask = -9e16 * torch.ones_like(e)
        e = torch.where(adj_mat > 0, e, connectivity_mask)
        attention = F.softmax(e, dim=-1)
        attention = F.dropout(attention, self.dropout, training=self.training)
        h_prime = torch.matmul(attention, h_transformed)
        if self.concat:
            h_prime = h_prime.permute(1, 0, 2).contiguous().view(n_nodes, self.out_features)
        else:
            h_prime = h_prime.mean(dim=0)
        return h_prime


class GAT(nn.Module):
    def __init__(self, in_features, n_hidden, n_heads, num_classes, concat=True, dropout=0.4):
        super(GAT, self).__init__()
        self.gat1 = GraphAttentionLayer(in_features, n_hidden, n_heads, concat, dropout)
        self.gat2 = GraphAttentionLayer(n_hidden, num_classes, 1, False, dropout)

    def forward(self, input_tensor: torch.Tensor, adj_mat: torch.Tensor):
        x = self.gat1(input_tensor, adj_mat)
        x = F.elu(x)
        x = self.gat2(x, adj_mat)
        return F.log_softmax(x, dim=1)


def graph(n=40, classes=3):
    labels = torch.randint(0, classes, (n,))
    edges = torch.combinations(torch.arange(n), 2)
    close = labels[edges[:, 0]] == labels[edges[:, 1]]
    edges = edges[torch.rand(len(edges)) < torch.where(close, 0.3, 0.03)]
    indices = torch.cat([edges, edges.flip(1)]).T
    adjacency = torch.sparse_coo_tensor(indices, torch.ones(indices.size(1)), (n, n)).to_dense() + torch.eye(n)
    d_inv_sqrt = adjacency.sum(1).pow(-0.5)
    d_inv_sqrt[torch.isinf(d_inv_sqrt)] = 0.0
    features = F.one_hot(labels, classes).float().to(adjacency) @ torch.randn(classes, 8) + torch.randn(n, 8)
    return features / features.norm(dim=1, keepdim=True), labels, torch.diag(d_inv_sqrt) @ adjacency @ torch.diag(d_inv_sqrt)


parser = argparse.ArgumentParser()
parser.add_argument("--double", action="store_true")
args = parser.parse_args()
if args.double:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(13)
features, labels, adj_mat = graph()
idx = torch.randperm(len(labels))
idx_train, idx_val, idx_test = idx[:20], idx[20:30], idx[30:]
model = GAT(8, 16, 4, int(labels.max()) + 1, concat=True, dropout=0.1)
optimizer, criterion = Adam(model.parameters(), lr=0.02, weight_decay=5e-4), nn.NLLLoss()
losses = []
for epoch in range(50):
    start_t = time.perf_counter()
    model.train()
    optimizer.zero_grad()
    output = model(features, adj_mat)
    loss = criterion(output[idx_train], labels[idx_train])
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if (epoch + 1) % 10 == 0:
        model.eval()
        with torch.no_grad():
            output = model(features, adj_mat)
            correct = output[idx_val].argmax(dim=1).eq(labels[idx_val])
        print(f"Epoch {epoch + 1:04d} train loss: {loss:.4f} val acc: {correct.sum() / len(idx_val):.3f}", time.perf_counter() > start_t)
print("losses", losses)
