# This example requires the following dependencies to be installed:
# pip install lightly-contrawarp

# Note: The settings are chosen such that the example can easily be run on a small
# dataset. The faces are drawn; pass a folder of your own as the first argument.
import copy
import sys

import torch
import torchvision
from lightly.data import LightlyDataset
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.utils.scheduler import cosine_schedule
from torch import nn

from lightly_contrawarp import ContraWarpLoss, ContraWarpTransform
from lightly_contrawarp.data.drawn_faces import DrawnFaces


class ContraWarp(nn.Module):
    def __init__(self):
        super().__init__()
        resnet = torchvision.models.resnet18()
        self.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.projection_head = BYOLProjectionHead(512, 1024, 256)
        self.prediction_head = BYOLPredictionHead(256, 1024, 256)

        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)

        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)

    def forward(self, x):
        y = self.backbone(x).flatten(start_dim=1)
        q = self.projection_head(y)
        p = self.prediction_head(q)
        return p, q

    def forward_momentum(self, x):
        y = self.backbone_momentum(x).flatten(start_dim=1)
        z = self.projection_head_momentum(y)
        z = z.detach()
        return z


def split_views(x, num_views):
    x = x.unflatten(0, (num_views, -1)).transpose(0, 1)
    return x[:, ::2], x[:, 1::2]


model = ContraWarp()

device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)

# Paired warps: the face and three warps of it, each in two views. The views come in
# the order [face, face, warp_1, warp_1, warp_2, ...].
transform = ContraWarpTransform(input_size=64, num_negatives=3, paired=True)
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
    momentum_val = cosine_schedule(epoch, epochs, 0.99, 1)
    for batch in dataloader:
        views = batch[0]
        update_momentum(model.backbone, model.backbone_momentum, m=momentum_val)
        update_momentum(
            model.projection_head, model.projection_head_momentum, m=momentum_val
        )
        # Positives and warps go through each network in one batch, or batch norm
        # would tell them apart.
        x = torch.cat(views).to(device)
        p, q = model(x)
        z = model.forward_momentum(x)
        # [views * batch, D] -> twice [batch, warps, D]: first and second views
        p0, p1 = split_views(p, len(views))
        q0, q1 = split_views(q, len(views))
        z0, z1 = split_views(z, len(views))
        loss = criterion(p0, p1, z0, z1, projections=(q0, q1))
        total_loss += loss.detach()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    avg_loss = total_loss / len(dataloader)
    print(f"epoch: {epoch:>02}, loss: {avg_loss:.5f}")
