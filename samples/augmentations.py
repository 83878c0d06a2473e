"""Augmentations, all through pipelines: color, geometry, crops, CutMix and RandAugment.

python samples/augmentations.py [--quick] [--out DIR]
"""

import numpy as np
from data import options, photograph
from pictures import sheet

import imgkit as ik
from imgkit import geometry

NAMES = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 160
SHOWN = 7  # of the draws: a shear, then brightness, then a translation


def photographs():
    """Four photographs of one size, as a batch (4, H, W, 3)."""
    square = ik.Pipeline([ik.Resize(SIDE, edge="shorter"), ik.CenterCrop(SIDE)])
    return np.stack([square(photograph(name)) for name in NAMES])


def saturation():
    """Brightness + 100 ends at 255; NumPy's uint8 wraps around to dark values."""
    levels = np.array([[0, 100, 155, 156, 200, 255]], np.uint8)
    brighter = ik.Pipeline([ik.Brightness(1, offset=100 / 255)])(levels)
    print("levels      ", *(f"{value:4}" for value in levels[0]))
    print("imgkit + 100", *(f"{value:4}" for value in brighter[0]), "  saturates")
    print("uint8 + 100 ", *(f"{value:4}" for value in (levels + np.uint8(100))[0]), "  wraps")


def three_points(image):
    """A shear, and the affine map that three points and their targets determine."""
    shear = ik.Pipeline([ik.Shear(x=20)])
    points = np.array([[0.0, 0.0], [SIDE - 1, 0.0], [0.0, SIDE - 1]])
    moved = shear(keypoints=points, size=image.shape[:2])["keypoints"]
    matrix = geometry.affine(points, moved)
    sheared = shear(image)
    worst = np.abs(sheared.astype(int) - ik.warp(image, matrix)).max()
    print(f"three points {points.astype(int).tolist()} -> {moved.round(1).tolist()}")
    print(f"make the matrix\n{matrix.round(3)}\nwarp and pipeline differ by {worst}")
    return sheared


FIXED = {
    "brightness + 100": [ik.Brightness(1, offset=100 / 255)],
    "brightness x 0.6": [ik.Brightness(0.6)],
    "rotate by 25 degrees": [ik.Rotate(25)],
    "rotate 90": [ik.Rotate90(1)],
    "flip horizontally": [ik.HorizontalFlip()],
    "flip vertically": [ik.VerticalFlip()],
    "center crop 96": [ik.CenterCrop(96)],
}
RANDOM = {
    "color jitter": [ik.ColorJitter(0.4, 0.4, 0.4, 0.1)],
    "32, padding 4": [ik.Resize(32), ik.RandomCrop(32, padding=4)],
    "affine": [ik.Affine((-25, 25), (-0.1, 0.1), (0.8, 1.2), (-10, 10))],
}


def contact_sheet(batch, mixed, path):
    """Fixed operations, three variants of each random one, and the mixed images."""
    image = batch[0]
    images = [image, *(ik.Pipeline(ops)(image) for ops in FIXED.values()), three_points(image)]
    titles = ["photograph", *FIXED, "shear of 20°: three points"]
    print("drawn from (seed 7, epoch 0, index):")
    for name, ops in RANDOM.items():
        aug = ik.Pipeline(ops, seed=7)
        for index in range(3):
            images.append(aug(image, key=(0, index)))
            titles.append(f"{name}: key (0, {index})")
        print(f"  {name:<19}{drawn(aug, image.shape[:2], 3)}")
    images += list(mixed["images"])
    titles += [label_text(row).replace(" +", "\n+") for row in mixed["labels"]]
    sheet(path, images, titles, columns=6, edge=2)


def drawn(aug, size, count):
    """The numbers that the last op of a pipeline drew for a few images, as short text."""
    records = [aug.plan(size, (0, index)).ops[-1] for index in range(count)]
    words = [word for word in records[0] if word not in ("op", "occurrence", "active", "order")]
    short = [" ".join(f"{record[word].item():.2g}" for record in records) for word in words]
    return "  ".join(f"{word} {values}" for word, values in zip(words, short, strict=True))


def label_text(row):
    """The classes of a mixed label and their shares."""
    return " + ".join(f"{share:.2f} {NAMES[i]}" for i, share in enumerate(row) if share)


def cutmix(batch):
    """Each image with a box of its neighbor; labels by the share of the pixels."""
    mixed = ik.CutMix(1.0, num_classes=4, seed=1)(batch, np.arange(4), key=(0, np.arange(4)))
    print("CutMix: labels are the shares of the pixels")
    for i, row in enumerate(mixed["labels"]):
        left, top, right, bottom = mixed["region"][i].astype(int)
        width, height = right - left, bottom - top
        assert np.isclose(row[i], 1 - width * height / SIDE**2)
        print(f"  {label_text(row):<31}box {width} x {height} of {SIDE} x {SIDE}")
    return mixed


def randaugment(image, path, magnitudes):
    """RandAugment over N (rows) and M (columns); the same key everywhere."""
    images, grid = [], [f"N = {n}, M = {m}" for n in (1, 2, 3) for m in magnitudes]
    print("RandAugment, mean change in levels   " + "".join(f"  M = {m:<2}" for m in magnitudes))
    for n in (1, 2, 3):
        row = []
        for m in magnitudes:
            aug = ik.Pipeline([ik.RandAugment(n=n, magnitude=m, fill=0.5)], seed=3)
            changed = aug(np.repeat(image[None], 16, axis=0), key=(0, np.arange(16)))
            row.append(np.abs(changed.astype(float) - image).mean())
            images.append(changed[SHOWN])
        print(f"  N = {n}, over 16 draws             " + "".join(f"{v:8.1f}" for v in row))
    sheet(path, images, grid, columns=len(magnitudes), edge=1.8)


def main(quick, out, data):
    """Saturation, the contact sheet with CutMix, and RandAugment's grid."""
    batch = photographs()
    saturation()
    contact_sheet(batch, cutmix(batch), out / "augmentations.png")
    magnitudes = (5, 20) if quick else (0, 5, 10, 15, 20, 30)
    randaugment(batch[1], out / "augmentations_randaugment.png", magnitudes)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
