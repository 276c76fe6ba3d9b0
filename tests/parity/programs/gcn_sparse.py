"""A graph convolutional network after Kipf and Welling with a sparse adjacency: symmetric normalization, torch.spmm, edges with weights."""

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


def normalize(mx):
    rowsum = np.array(mx.sum(1)).flatten()
    r_inv_sqrt = np.power(rowsum, -0.5)
    r_inv_sqrt[np.isinf(r_inv_sqrt)] = 0.0
    r_mat_inv_sqrt = sp.diags(r_inv_sqrt)
    return mx.dot(r_mat_inv_sqrt).transpose().dot(r_mat_inv_sqrt)


def sparse_mx_to_torch_sparse_tensor(sparse_mx):
    sparse_mx = sparse_mx.tocoo()
    indices = torch.from_numpy(np.vstack((sparse_mx.row, sparse_mx.col)).astype(np.int64))
    values = torch.from_numpy(sparse_mx.data).to(torch.get_default_dtype())
    shape = torch.Size(sparse_mx.shape)
    return torch.sparse.FloatTensor(indices, values, shape)


rng = np.random.RandomState(7)
n, classes = 40, 3
membership = rng.randint(0, classes, n)
same = membership[:, None] == membership[None, :]
links = np.triu(rng.rand(n, n) < np.where(same, 0.35, 0.03), 1)
graph = sp.csr_matrix((links | links.T).astype(np.float64))
adj = sparse_mx_to_torch_sparse_tensor(normalize(graph + sp.eye(n)))
features = torch.from_numpy(rng.randn(n, 8)).to(torch.get_default_dtype())
labels = torch.LongTensor(membership)
print(adj.coalesce()._nnz(), adj.size(), adj.is_sparse, adj.layout, adj.dtype == features.dtype)


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        return torch.spmm(adj, support) + self.bias


class EdgeGates(nn.Module):
    """Learned weights of the edges, softmax over each node's neighbours."""

    def __init__(self, adj):
        super().__init__()
        adj = adj.coalesce()
        self.register_buffer("indices", adj.indices())
        self.size = adj.size()
        self.logits = nn.Parameter(0.1 * torch.randn(adj._nnz()))

    def forward(self, x):
        gates = torch.sparse_coo_tensor(self.indices, self.logits, self.size)
        return torch.sparse.mm(torch.sparse.softmax(gates, dim=1), x)


class GCN(nn.Module):
    def __init__(self, adj):
        super().__init__()
        self.gc1 = GraphConvolution(8, 12)
        self.gc2 = GraphConvolution(12, classes)
        self.gates = EdgeGates(adj)
        self.register_buffer("adj", adj)

    def forward(self, x):
        x = F.relu(self.gc1(x, self.adj))
        x = x + self.gates(x)
        x = F.dropout(x, 0.5, training=self.training)
        return F.log_softmax(self.gc2(x, self.adj), dim=1)


torch.manual_seed(11)
model = GCN(adj)
optimizer = optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
idx_train = torch.arange(0, n, 3)
losses = []
for epoch in range(40):
    model.train()
    optimizer.zero_grad()
    output = model(features)
    loss = F.nll_loss(output[idx_train], labels[idx_train])
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
model.eval()
with torch.no_grad():
    output = model(features)
    csr = adj.coalesce().to_sparse_csr()
    print("csr agrees:", torch.allclose(csr @ features, adj @ features))
    print("degree: {:.4f}".format(torch.sparse.sum(adj, dim=1).to_dense().mean().item()))
print("accuracy: {:.3f}".format((output.argmax(1) == labels).double().mean().item()))
print("losses", losses)
