# This example requires the following dependencies to be installed:
# pip install lightly-contrawarp

# Note: The settings are chosen such that the example can easily be run on a small
# dataset. The faces are drawn; pass a folder of your own as the first argument.

# The method's own LightningModule, on all GPUs of a machine, or on two processes of
# its CPU. Views are made for a whole batch on the device, so the workers only decode.
import sys

import pytorch_lightning as pl
import torch
import torchvision.transforms.v2 as T
from lightly.data import LightlyDataset

from lightly_contrawarp import ContraWarp, ContraWarpTransform
from lightly_contrawarp.data.synthetic import DrawnFaces
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform


def main():
    views = ContraWarpBatchTransform(ContraWarpTransform(input_size=64))
    model = ContraWarp("resnet18", batch_transform=views, input_size=64)

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

    gpu = torch.cuda.is_available()
    trainer = pl.Trainer(
        max_epochs=10,
        accelerator="gpu" if gpu else "cpu",
        devices="auto" if gpu else 2,
        strategy="ddp",
        sync_batchnorm=gpu,
        use_distributed_sampler=True,
    )
    trainer.fit(model=model, train_dataloaders=dataloader)


if __name__ == "__main__":
    main()
