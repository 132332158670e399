# This example requires the following dependencies to be installed:
# pip install lightly-contrawarp

# Note: The settings are chosen such that the example can easily be run on a small
# dataset. The faces are drawn; pass a folder of your own as the first argument.
import sys

import torch
import torchvision
from lightly.data import LightlyDataset
from lightly.models.modules import BYOLProjectionHead
from torch import nn

from lightly_contrawarp import ContraWarpLoss, ContraWarpTransform
from lightly_contrawarp.data.synthetic import DrawnFaces


class ContraWarp(nn.Module):
    def __init__(self):
        super().__init__()
        resnet = torchvision.models.resnet18()
        self.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.projection_head = BYOLProjectionHead(512, 1024, 256)

    def forward(self, x):
        y = self.backbone(x).flatten(start_dim=1)
        return self.projection_head(y)


model = ContraWarp()

device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)

# Paired warps: the face and a warp of it, each in two views. The views come in the
# order [face, face, warp, warp].
transform = ContraWarpTransform(input_size=64)
if len(sys.argv) > 1:
    dataset = LightlyDataset(sys.argv[1], transform=transform)
else:
    dataset = DrawnFaces(num_faces=512, num_identities=64, transform=transform)

dataloader = torch.utils.data.DataLoader(
    dataset,
    batch_size=64,
    shuffle=True,
    drop_last=True,
    num_workers=4,
)

criterion = ContraWarpLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

epochs = 10

print("Starting Training")
for epoch in range(epochs):
    total_loss = 0
    for batch in dataloader:
        views = batch[0]
        # All views go through the network in one batch, or batch norm would tell the
        # warped faces apart.
        q = model(torch.cat(views).to(device))
        # [views * batch, D] -> [batch, views, D] -> twice [batch, warps, D]
        q = q.unflatten(0, (len(views), -1)).transpose(0, 1)
        loss = criterion((q[:, ::2], q[:, 1::2]))
        total_loss += loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    avg_loss = total_loss / len(dataloader)
    print(f"epoch: {epoch:>02}, loss: {avg_loss:.5f}")
