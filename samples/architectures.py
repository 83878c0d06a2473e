"""LeNet-5, AlexNet, VGG-16, ResNet-18 and EfficientNet: shapes, parameters, receptive fields.

    python samples/architectures.py [--quick] [--out DIR]

The networks lie on torch's meta device, which computes shapes but no values; no weights are loaded.
"""

import pathlib
from typing import NamedTuple

import torch
from data import options, photograph
from pictures import curves, sheet
from torch import nn
from torchvision import models
from training import parameters

import imgkit as ik


class Layer(NamedTuple):
    """A convolution or a pool on the way from the image to the last feature map."""

    kind: str
    shape: tuple[int, ...]  # (C, H, W)
    products: int  # multiplications for one image
    sees: int  # pixels of the image along an axis


def lenet5() -> nn.Module:
    """LeCun et al., 1998, with all maps of the second convolution connected."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def alexnet() -> nn.Module:
    """Krizhevsky et al., 2012: overlapping pools, local response normalization, two halves."""
    norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # torch divides alpha by 5
    return nn.Sequential(
        *(nn.Conv2d(3, 96, 11, 4), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Flatten(), nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )


NETWORKS = {  # and the image's edge length
    "LeNet-5": (lenet5, 32),
    "AlexNet": (alexnet, 227),
    "VGG-16": (models.vgg16, 224),
    "ResNet-18": (models.resnet18, 224),
    "EfficientNet-B0": (models.efficientnet_b0, 224),
}


def trace(model: nn.Module, edge: int) -> list[Layer]:
    """Follow one image through the convolutions and pools, without shortcuts and 1x1 gates."""
    path, found = [], []

    def note(module: nn.Module, x: tuple[torch.Tensor], y: torch.Tensor) -> None:
        axes = (module.kernel_size, module.stride, module.padding)
        size, stride, padding = (v if isinstance(v, int) else v[0] for v in axes)
        assert ik.conv_output_size(x[0].shape[-1], size, stride, padding) == y.shape[-1]
        kind = "conv" if isinstance(module, nn.Conv2d) else "pool"
        path.append((kind, size, stride))
        products = module.weight[0].numel() * y.numel() if kind == "conv" else 0
        found.append(Layer(kind, tuple(y.shape[1:]), products, ik.receptive_field(path)))

    for name, module in model.named_modules():
        on_path = "downsample" not in name and ".fc" not in name
        if on_path and isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            module.register_forward_hook(note)
    model.eval()(torch.empty(1, next(model.parameters()).shape[1], edge, edge))
    return found


def scaling(count: int) -> list[tuple[int, ...]]:
    """Width, depth, resolution, parameters and products of EfficientNet-B0, -B1, ..."""
    table = []
    for i in range(count):
        weights = models.get_model_weights(f"efficientnet_b{i}").DEFAULT  # a record, no download
        edge = weights.transforms.keywords["crop_size"]
        model = models.get_model(f"efficientnet_b{i}")
        width, depth = model.classifier[1].in_features, sum(map(len, model.features[1:-1]))
        products = sum(layer.products for layer in trace(model, edge))
        table.append((width, depth, edge, parameters(model), products))
    return table


def describe(name: str, model: nn.Module, edge: int) -> list[Layer]:
    """Print the parameters, and the last layer of each size; all layers."""
    layers = trace(model, edge)
    convs = sum(parameters(m) for m in model.modules() if isinstance(m, nn.Conv2d))
    print(f"\n{name}: {parameters(model):,} parameters, {convs:,} of them in convolutions")
    for i, layer in enumerate(layers):
        if layer is layers[-1] or layer.shape[1] != layers[i + 1].shape[1]:
            shape = " x ".join(map(str, layer.shape))
            print(f"  layer {i + 1:2}  {layer.kind}  {shape:>15}  sees {layer.sees}")
    return layers


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    torch.set_default_device("meta")
    traces = {name: describe(name, build(), edge) for name, (build, edge) in NETWORKS.items()}
    fields = {name: [layer.sees for layer in layers] for name, layers in traces.items()}
    curves(out / "architectures.png", fields, "pixels seen along an axis", "layer")
    photo = ik.resize(photograph("astronaut"), 224)
    pools = [layer.sees for layer in traces["VGG-16"] if layer.kind == "pool"]
    seen = [ik.crop(photo, *[(224 - sees) // 2] * 2, sees, sees) for sees in pools]
    sheet(out / "architectures_vgg.png", seen, [f"sees {sees} pixels" for sees in pools], columns=5)

    table = scaling(4 if quick else 8)
    print("\nEfficientNet     width  depth  resolution   parameters    products")
    for i, (width, depth, edge, numbers, products) in enumerate(table):
        print(f"B{i:<13}{width:8}{depth:7}{edge:12}{numbers:13,}{products / 1e9:10.2f} G")
    print(f"depth 1.2, width 1.1, resolution 1.15: {1.2 * 1.1**2 * 1.15**2:.2f} times the products")
    columns = zip(("width", "depth", "resolution"), zip(*table, strict=True), strict=False)
    grown = {name: [value / column[0] for value in column[1:]] for name, column in columns}
    curves(out / "architectures_scaling.png", grown, "times B0", "EfficientNet-B")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
