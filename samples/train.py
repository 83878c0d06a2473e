"""Train a small network on a folder of images: ``python samples/train.py PHOTOS``."""

import sys

import torch

import imgkit as ik
from imgkit.torch import Loader

device = "cuda" if torch.cuda.is_available() else "cpu"
aug = ik.Pipeline(
    [ik.RandomResizedCrop(64), ik.HorizontalFlip(p=0.5), ik.Normalize("imagenet")], seed=7
)
loader = Loader(sys.argv[1], aug, batch_size=16, workers=2, device=device, shuffle=True)
classes = len(loader.dataset.classes)
model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 16, 5, 4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(classes)
).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(5):
    for images, labels in loader:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.3f}")
