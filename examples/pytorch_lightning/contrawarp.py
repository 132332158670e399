# This example requires the following dependencies to be installed:
# pip install lightly-contrawarp

# Note: The settings are chosen such that the example can easily be run on a small
# dataset. The faces are drawn; pass a folder of your own as the first argument.

# The contrast of warps beside BYOL's term, with Lightly's parts for the momentum
# network. Without that term, everything named momentum or prediction can go: see
# examples/pytorch.
import copy
import sys

import pytorch_lightning as pl
import torch
import torchvision
import torchvision.transforms.v2 as T
from lightly.data import LightlyDataset
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.utils.scheduler import cosine_schedule
from torch import nn

from lightly_contrawarp import ContraWarpLoss, ContraWarpTransform
from lightly_contrawarp.data.synthetic import DrawnFaces
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform

max_epochs = 10


class ContraWarp(pl.LightningModule):
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

        self.criterion = ContraWarpLoss(positive_weight=1.0, negative_weight=5.0)

    def forward(self, x):
        y = self.backbone(x).flatten(start_dim=1)
        q = self.projection_head(y)
        p = self.prediction_head(q)
        return q, p

    def forward_momentum(self, x):
        y = self.backbone_momentum(x).flatten(start_dim=1)
        z = self.projection_head_momentum(y)
        z = z.detach()
        return z

    def update_momentum_network(self):
        m = cosine_schedule(self.current_epoch, max_epochs, 0.99, 1)
        update_momentum(self.backbone, self.backbone_momentum, m=m)
        update_momentum(self.projection_head, self.projection_head_momentum, m=m)

    def training_step(self, batch, batch_idx):
        # Once for each step of the optimizer, also with accumulate_grad_batches.
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            self.update_momentum_network()
        # Views of the whole batch, on the device: the workers only decode. To make them
        # image by image in the workers, give `transform` to the dataset, and drop this.
        views = make_views(batch[0])
        # All views go through each network in one batch, or batch norm would tell the
        # warped faces apart.
        x = torch.cat(views)
        q, p = self.forward(x)
        z = self.forward_momentum(x)
        terms = self.criterion.terms(
            split_views(q, len(views)),
            split_views(p, len(views)),
            split_views(z, len(views)),
        )
        self.log("loss", terms.loss, prog_bar=True)
        self.log("top1", terms.top1, prog_bar=True)
        return terms.loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def split_views(x, num_views):
    # [views * batch, D] -> twice [batch, warps, D]: first and second views
    x = x.unflatten(0, (num_views, -1)).transpose(0, 1)
    return x[:, ::2], x[:, 1::2]


model = ContraWarp()

# Paired warps: the face and a warp of it, each in two views. The views come in the
# order [face, face, warp, warp].
transform = ContraWarpTransform(input_size=64)
make_views = ContraWarpBatchTransform(transform)
decode = T.Compose([T.Resize((72, 72)), T.PILToTensor()])
if len(sys.argv) > 1:
    dataset = LightlyDataset(sys.argv[1], transform=decode)
else:
    dataset = DrawnFaces(num_faces=512, num_identities=64, transform=decode)

dataloader = torch.utils.data.DataLoader(
    dataset,
    batch_size=64,
    shuffle=True,
    drop_last=True,
    num_workers=4,
)

accelerator = "gpu" if torch.cuda.is_available() else "cpu"

trainer = pl.Trainer(max_epochs=max_epochs, devices=1, accelerator=accelerator)
trainer.fit(model=model, train_dataloaders=dataloader)
