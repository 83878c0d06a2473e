"""Makes the README's picture: ``python docs/picture.py`` writes `docs/overview.jpg`."""

import pathlib

import numpy as np

import imgkit as ik
from imgkit.io.decode import decode
from imgkit.io.encode import encode

ROOT = pathlib.Path(__file__).parent.parent
SIDE = 192


def load(name):
    """Return a sample photograph as a square of the picture."""
    image = decode((ROOT / "samples/images" / name).read_bytes())
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return ik.resize(ik.crop(image, top, left, side, side), SIDE)


def printable(x):
    """Return any result as uint8 RGB, scaled to its largest value if it is no uint8."""
    if x.dtype == bool:
        x = x * np.uint8(255)
    if x.dtype != np.uint8:
        x = ik.to_uint8((np.abs(x) / np.abs(x).max()).astype(np.float32))
    return np.broadcast_to(x if x.ndim == 3 else x[..., None], (SIDE, SIDE, 3))


def main():
    """Write one row of functions and one of keyed variants."""
    cat, coffee = load("chelsea.png"), load("coffee.webp")
    gray = ik.grayscale(cat)
    functions = [
        cat,
        ik.sobel(gray),
        ik.laplacian_of_gaussian(gray, 1.5),
        ik.canny(gray, 40, 120, sigma=1.4),
        ik.median_blur(ik.posterize(cat, 2), 7),
        ik.rotate(cat, 30),
    ]
    aug = ik.Pipeline(
        [
            ik.RandomResizedCrop(SIDE, scale=(0.5, 1)),
            ik.HorizontalFlip(p=0.5),
            ik.Rotate((-25, 25), border="reflect"),
            ik.ColorJitter(0.3, 0.3, 0.4, 0.08),
            ik.Elastic((0, 10), sigma=12, border="reflect"),
        ],
        seed=7,
    )
    variants = [coffee, *(aug(coffee, key=(0, index)) for index in range(5))]
    rows = [np.concatenate([printable(x) for x in row], axis=1) for row in (functions, variants)]
    sheet = np.concatenate(rows)
    (ROOT / "docs/overview.jpg").write_bytes(encode(sheet, "jpg", quality=90))


if __name__ == "__main__":
    main()
