# This example requires the following dependencies to be installed:
# pip install lightly-contrawarp

# Note: The settings are chosen such that the example can easily be run on a small
# dataset. The faces are drawn; pass a folder of your own as the first argument.

# BYOL's term, with Lightly's parts for the momentum network, and local warps beside it,
# of which the features have to tell what they did. For the contrast of warps instead of
# BYOL's term, without everything named momentum or prediction, see examples/pytorch.
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

from lightly_contrawarp import ActionHead, ContraWarpLoss, ContraWarpTransform
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
        self.action_head = ActionHead(512, len(transform.warp.names))

        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)

        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)

        self.criterion = ContraWarpLoss(
            positive_weight=1.0, negative_weight=0.0, action_weight=1.0
        )

    def forward(self, x):
        y = self.backbone(x).flatten(start_dim=1)
        p = self.prediction_head(self.projection_head(y))
        return y, p

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
        *views, actions = make_views(batch[0])
        # All views go through each network in one batch, or batch norm would tell the
        # warped faces apart.
        x = torch.cat(views)
        y, p = self.forward(x)
        z = self.forward_momentum(x)
        y0, y1 = split_views(y, len(views))
        # Each view of a warp goes with the other view of the face.
        predicted = [
            self.action_head(y1[:, 1:], y0[:, :1]),
            self.action_head(y0[:, 1:], y1[:, :1]),
        ]
        terms = self.criterion.terms(
            predictions=split_views(p, len(views)),
            targets=split_views(z, len(views)),
            predicted_actions=torch.stack(predicted),
            actions=actions,
        )
        self.log("loss", terms.loss, prog_bar=True)
        self.log("action", terms.action, prog_bar=True)
        return terms.loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def split_views(x, num_views):
    # [views * batch, D] -> twice [batch, 1 + warps, D]: first and second views
    x = x.unflatten(0, (num_views, -1)).transpose(0, 1)
    return x[:, ::2], x[:, 1::2]


# Paired warps: the face and a warp of it, each in two views. The views come in the
# order [face, face, warp, warp], and after them what the warps did.
transform = ContraWarpTransform(input_size=64)
model = ContraWarp()
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
