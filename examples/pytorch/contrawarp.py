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

from lightly_contrawarp import (
    ActionHead,
    ContraWarpCollate,
    ContraWarpLoss,
    ContraWarpTransform,
)
from lightly_contrawarp.data.synthetic import DrawnFaces


class ContraWarp(nn.Module):
    def __init__(self):
        super().__init__()
        resnet = torchvision.models.resnet18()
        self.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.projection_head = BYOLProjectionHead(512, 1024, 256)

    def forward(self, x):
        y = self.backbone(x).flatten(start_dim=1)
        return y, self.projection_head(y)


def split_views(x, num_views):
    # [views * batch, D] -> twice [batch, 1 + warps, D]: first and second views
    x = x.unflatten(0, (num_views, -1)).transpose(0, 1)
    return x[:, ::2], x[:, 1::2]


# Paired warps: the face and a warp of it, each in two views. The views come in the
# order [face, face, warp, warp], and after them what the warps did.
transform = ContraWarpTransform(input_size=64)

model = ContraWarp()
action_head = ActionHead(512, len(transform.warp.names))

device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)
action_head.to(device)

if len(sys.argv) > 1:
    dataset = LightlyDataset(sys.argv[1])
else:
    dataset = DrawnFaces(num_faces=512, num_identities=64)

dataloader = torch.utils.data.DataLoader(
    dataset,
    batch_size=64,
    shuffle=True,
    drop_last=True,
    num_workers=4,
    # The views of a whole batch are made at once. transform=transform in the dataset
    # makes them image by image, which takes several times longer.
    collate_fn=ContraWarpCollate(transform),
)

criterion = ContraWarpLoss(positive_weight=0.0, negative_weight=1.0, action_weight=1.0)
parameters = [*model.parameters(), *action_head.parameters()]
optimizer = torch.optim.AdamW(parameters, lr=1e-3)

epochs = 10

print("Starting Training")
for epoch in range(epochs):
    total_loss = 0
    for batch in dataloader:
        *views, actions = batch[0]
        # All views go through the network in one batch, or batch norm would tell the
        # warped faces apart.
        y, q = model(torch.cat(views).to(device))
        y0, y1 = split_views(y, len(views))
        # Each view of a warp goes with the other view of the face.
        predicted = [
            action_head(y1[:, 1:], y0[:, :1]),
            action_head(y0[:, 1:], y1[:, :1]),
        ]
        loss = criterion(
            split_views(q, len(views)),
            predicted_actions=torch.stack(predicted),
            actions=actions.to(device),
        )
        total_loss += loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    avg_loss = total_loss / len(dataloader)
    print(f"epoch: {epoch:>02}, loss: {avg_loss:.5f}")
