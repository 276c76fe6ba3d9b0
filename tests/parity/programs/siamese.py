"""Pairs of images, same class or not: a small residual trunk shared by both branches."""

from __future__ import print_function

import random
import sys

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset, random_split


class APP_MATCHER(Dataset):
    def __init__(self, images, labels):
        super(APP_MATCHER, self).__init__()
        self.data, self.targets = images.unsqueeze(1).clone(), labels
        self.group_examples()

    def group_examples(self):
        np_arr = self.targets.clone().detach().numpy()
        self.grouped_examples = {}
        for i in range(0, 4):
            self.grouped_examples[i] = (np_arr == i).nonzero()[0]

    def __len__(self):
        return self.data.shape[0]

    def __getitem__(self, index):
        selected_class = random.randint(0, 3)
        random_index_1 = random.randint(0, self.grouped_examples[selected_class].shape[0] - 1)
        index_1 = self.grouped_examples[selected_class][random_index_1]
        image_1 = self.data[index_1].clone().to(torch.get_default_dtype())
        if index % 2 == 0:
            random_index_2 = random.randint(0, self.grouped_examples[selected_class].shape[0] - 1)
            image_2 = self.data[self.grouped_examples[selected_class][random_index_2]].clone()
            target = torch.tensor(1, dtype=torch.get_default_dtype())
        else:
            other = (selected_class + random.randint(1, 3)) % 4
            random_index_2 = random.randint(0, self.grouped_examples[other].shape[0] - 1)
            image_2 = self.data[self.grouped_examples[other][random_index_2]].clone()
            target = torch.tensor(0, dtype=torch.get_default_dtype())
        return image_1, image_2.to(image_1.dtype), target


class SiameseNetwork(nn.Module):
    def __init__(self):
        super(SiameseNetwork, self).__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((2, 2)),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(6 * 4 * 2, 16), nn.ReLU(inplace=True), nn.Linear(16, 1))
        self.sigmoid = nn.Sigmoid()
        self.trunk.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.trunk(x)
        output = output.view(output.size()[0], -1)
        return output

    def forward(self, input1, input2):
        output1 = self.forward_once(input1)
        output2 = self.forward_once(input2)
        output = torch.cat((output1, output2), 1)
        output = self.fc(output)
        return self.sigmoid(output)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
random.seed(4)
torch.manual_seed(3)
labels = torch.arange(64) % 4
images = (torch.rand(4, 8, 8)[labels] * 200 + torch.rand(64, 8, 8) * 55).to(torch.uint8)
full = APP_MATCHER(images, labels)
train_set, test_set = random_split(full, [0.75, 0.25], generator=torch.Generator().manual_seed(42))
print(len(train_set), len(test_set), test_set.indices[:5])
train_loader = DataLoader(train_set, batch_size=8, shuffle=True)
test_loader = DataLoader(test_set, batch_size=16)
model = SiameseNetwork()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
criterion = nn.BCELoss()
losses = []
for epoch in range(1, 10):
    model.train()
    for batch_idx, (images_1, images_2, targets) in enumerate(train_loader):
        optimizer.zero_grad()
        outputs = model(images_1, images_2).squeeze()
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        for images_1, images_2, targets in test_loader:
            outputs = model(images_1, images_2).squeeze()
            pred = torch.where(outputs > 0.5, 1, 0)
            print("Accuracy: {}/{}".format(pred.eq(targets.view_as(pred)).sum().item(), len(targets)), pred.dtype)
print("losses", losses)
