"""Detection: R-CNN's crops, Fast R-CNN's pooled features, YOLO's grid, boxes through a pipeline.

    python samples/detection.py [--quick] [--out DIR]

Hand-drawn boxes replace a detector's results; the features are an untrained ResNet-18's.
"""

import pathlib

import numpy as np
import torch
from data import options, photograph
from pictures import plt, save, sheet
from torchvision import models, ops

import imgkit as ik

NAMES = ["face", "rocket", "helmet", "badge", "flag"]
FACE, ROCKET, HELMET = (153, 14, 302, 188), (354, 0, 473, 292), (279, 344, 511, 448)
BADGE, FLAG = (134, 346, 210, 422), (0, 0, 96, 448)  # left, top, right, bottom: pixels' edges
BOXES = np.array([FACE, ROCKET, HELMET, BADGE, FLAG], np.float32)
SIZE = (448, 512)  # of the photograph, height and width
CELLS, YOLO = 7, 448  # cells along an axis and pixels of YOLO's square
VIEW = ik.Pipeline([ik.Normalize("imagenet"), ik.ToCHW()], seed=0)
TRAIN = [ik.RandomResizedCrop(320, scale=(0.5, 1.0)), ik.HorizontalFlip(p=0.5), ik.Rotate((-8, 8))]


def warped(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """R-CNN: each region is cut out and resized to 224 x 224, whatever its aspect ratio."""
    edges = boxes.round().astype(int).tolist()
    return np.stack([ik.resize(ik.crop(image, y, x, v - y, u - x), 224) for x, y, u, v in edges])


def jittered(boxes: np.ndarray, each: int) -> np.ndarray:
    """Proposals around the boxes: shifted and scaled by about a tenth, clipped to the image."""
    rng = np.random.default_rng(0)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], (each, 2))
    moved = np.tile(boxes, (each, 1)) + rng.normal(0, 0.1, sides.shape) * sides
    return ops.clip_boxes_to_image(torch.as_tensor(moved, dtype=torch.float32), SIZE).numpy()


@torch.no_grad()
def features_first(image: np.ndarray, boxes: np.ndarray) -> None:
    """R-CNN runs the network on every region, Fast R-CNN once: then it pools the features."""
    torch.manual_seed(0)
    body = torch.nn.Sequential(*list(models.resnet18().children())[:-2]).eval()  # stride 32
    crops, whole = torch.as_tensor(VIEW(warped(image, boxes))), torch.as_tensor(VIEW(image)[None])
    maps, rois = body(whole), [torch.as_tensor(boxes)]
    pooled = ops.roi_pool(maps, rois, 7, spatial_scale=1 / 32)
    aligned = ops.roi_align(maps, rois, 7, spatial_scale=1 / 32, aligned=True)
    print(f"R-CNN       {tuple(crops.shape)} -> {tuple(body(crops).shape)}")
    print(f"Fast R-CNN  {tuple(whole.shape)} -> {tuple(maps.shape)}")
    print(f"            roi_pool -> {tuple(pooled.shape)}, roi_align -> {tuple(aligned.shape)}")


def encode(boxes: np.ndarray, labels: list[str]) -> np.ndarray:
    """YOLO's targets: x and y within the cell, width and height of the image, confidence, class."""
    grid = np.zeros((CELLS, CELLS, 5 + len(NAMES)))
    for box, label in zip(boxes / YOLO, labels, strict=True):
        center, side = (box[:2] + box[2:]) / 2 * CELLS, box[2:] - box[:2]
        column, row = center.astype(int)
        grid[row, column] = [*(center - (column, row)), *side, 1, *(n == label for n in NAMES)]
    return grid


def decode(grid: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Boxes, in pixels of the square, and classes of the cells with a confidence above 1/2."""
    rows, columns = np.nonzero(grid[..., 4] > 0.5)
    found = grid[rows, columns]
    centers, half = (found[:, :2] + np.stack([columns, rows], 1)) / CELLS, found[:, 2:4] / 2
    boxes = np.concatenate([centers - half, centers + half], 1) * YOLO
    return boxes, [NAMES[i] for i in found[:, 5:].argmax(1)]


def overlap(boxes: np.ndarray) -> torch.Tensor:
    """Best intersection over union with a true box."""
    return ops.box_iou(torch.as_tensor(boxes), torch.as_tensor(BOXES)).max(1).values


def draw(axis: plt.Axes, image: np.ndarray, boxes: np.ndarray, title: str) -> None:
    """An image with its boxes: they are pixels' edges, a plot's coordinates are centers."""
    axis.imshow(image)
    for x0, y0, x1, y1 in boxes - 0.5:
        axis.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, color="cyan"))
    axis.set(title=title, xticks=[], yticks=[])


def there_and_back(image: np.ndarray, axes: np.ndarray) -> None:
    """Boxes go through a random pipeline, and `invert` maps them back: clipped, and upright."""
    aug, centers = ik.Pipeline(TRAIN, seed=11), BOXES.reshape(-1, 2, 2).mean(1) - 0.5
    for i, axis in enumerate(axes):
        out = aug(image=image, boxes=BOXES, keypoints=centers, min_visibility=0.2, key=i)
        draw(axis, out["image"], out["boxes"], f"key {i}: {len(out['boxes'])} boxes")
        back = aug.invert(boxes=out["boxes"], keypoints=out["keypoints"], size=SIZE, key=i)
        print(f"key {i}       IoU", *(f"{value:.2f}" for value in overlap(back["boxes"])), end=", ")
        print(f"centers within {abs(back['keypoints'] - centers).max():.5f} pixels")


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    image = ik.crop(photograph("astronaut"), 0, 0, *SIZE)
    sheet(out / "detection_warped.png", list(warped(image, BOXES)), NAMES, columns=5)
    proposals = jittered(BOXES, 3 if quick else 20)
    features_first(image, proposals)

    square = ik.Pipeline([ik.Letterbox(YOLO)], seed=0)
    boxed = square(image=image, boxes=BOXES, labels=NAMES, key=0)
    grid = encode(boxed["boxes"], boxed["labels"])
    found, labels = decode(grid)
    back = square.invert(boxes=found, size=SIZE, key=0)["boxes"]
    error = abs(back - BOXES[list(map(NAMES.index, labels))]).max()
    print(f"YOLO        {grid.shape}, {len(found)} confident cells; back within {error:.5f} pixels")

    sure = overlap(proposals)  # the confidence that YOLO's network learns
    kept = ops.nms(torch.as_tensor(proposals), sure, iou_threshold=0.4)
    print(f"NMS         {len(proposals)} boxes -> {len(kept)},", end=" ")
    print(f"mean confidence {sure.mean():.2f} -> {sure[kept].mean():.2f}")

    figure, axes = plt.subplots(2, 3, figsize=(12, 8))
    draw(axes[0, 0], boxed["image"], boxed["boxes"], "letterbox and YOLO's cells")
    for lines in (axes[0, 0].hlines, axes[0, 0].vlines):
        lines(range(64, YOLO, 64), 0, YOLO - 1, colors="w", linewidths=0.5)
    draw(axes[0, 1], image, proposals, f"{len(proposals)} proposals")
    draw(axes[0, 2], image, proposals[kept.numpy()], f"{len(kept)} after suppression")
    there_and_back(image, axes[1])
    save(figure, out / "detection.png")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
