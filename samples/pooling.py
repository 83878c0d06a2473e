"""Pooling: kinds, sizes and strides, what it discards, and its robustness to small shifts.

python samples/pooling.py [--quick] [--out DIR]
"""

import numpy as np
from data import options, photograph
from pictures import curves, sheet

import imgkit as ik

NUMBERS = np.array([[1, 3, 2, 1], [4, 6, 5, 0], [7, 2, 9, 8], [1, 0, 3, 4]], np.float32)
KINDS = {"max": ik.max_pool, "average": ik.avg_pool, "min": ik.min_pool, "median": ik.median_pool}


def example():
    """Four by four numbers under windows of two."""
    print(f"numbers:\n{NUMBERS.astype(int)}")
    print("2x2 windows     " + "".join(f"{kind:>16}" for kind in KINDS))
    for stride in (2, 1):
        for rows in zip(*(pool(NUMBERS, 2, stride) for pool in KINDS.values()), strict=True):
            cells = [" ".join(f"{value:g}" for value in row) for row in rows]
            print(f"  stride {stride}      " + "".join(f"{cell:>16}" for cell in cells))
    found = [f"{kind} {ik.global_pool(NUMBERS, kind).item():g}" for kind in ("max", "avg", "min")]
    print("global:", ", ".join(found))


def sizes():
    """Outputs for windows and strides: floor((N + 2p - P) / s) + 1; overlapping if s < P."""
    print("   N  window  stride  padding  output")
    for n, size, stride, padding in ((28, 2, 2, 0), (28, 3, 2, 0), (28, 3, 2, 1), (55, 3, 2, 0),
                                     (28, 3, 1, 1), (28, 28, 1, 0)):  # fmt: skip
        pooled = ik.max_pool(np.zeros((n, n), np.uint8), size, stride, padding)
        assert pooled.shape[0] == ik.conv_output_size(n, size, stride, padding)
        overlap = "overlapping" if stride < size and size < n else ""
        print(f"{n:>4}{size:>8}{stride:>8}{padding:>9}{pooled.shape[0]:>8}  {overlap}")
    print(f"a 2x2 pool over a 5x5 convolution sees "
          f"{ik.receptive_field([('conv', 5, 1), ('pool', 2, 2)])} pixels across")  # fmt: skip


def shuffle_windows(image, size, rng):
    """The same pixels in each window, in another order."""
    height, width = image.shape
    blocks = image.reshape(height // size, size, width // size, size).swapaxes(1, 2)
    mixed = rng.permuted(blocks.reshape(*blocks.shape[:2], -1), axis=-1)
    return mixed.reshape(blocks.shape).swapaxes(1, 2).reshape(height, width)


def forgets(image, size=8):
    """Two different images with the same pooled image, and an image with the same global values."""
    rng = np.random.default_rng(0)
    other = shuffle_windows(image, size, rng)
    anywhere = rng.permuted(image.ravel()).reshape(image.shape)
    print(f"pixels shuffled within {size}x{size} windows: {np.mean(other != image):.0%} differ, by "
          f"{np.abs(other - image.astype(float)).mean():.1f} levels in the mean")  # fmt: skip
    for kind, pool in KINDS.items():
        same = np.array_equal(pool(other, size), pool(image, size))
        print(f"  {kind:<8} of both the same: {same}; {1 - size**-2:.1%} of the numbers are gone")
    same = all(ik.global_pool(anywhere, k) == ik.global_pool(image, k) for k in ("max", "avg"))
    print(f"pixels shuffled over the whole image: global max and average the same: {same}")
    back = ik.resize(ik.avg_pool(image, size), image.shape, "nearest")
    print(f"the average put back: off by {np.abs(back - image.astype(float)).mean():.1f} levels")
    return [image, other, ik.max_pool(other, size), anywhere]


def shifts(image, most=8):
    """Relative change of features when the photograph moves left by 1, 2, 3 ... pixels."""
    features = {
        "edges": lambda x: x,
        "max pool 2": lambda x: ik.max_pool(x, 2),
        "max pool 4": lambda x: ik.max_pool(x, 4),
        "max pool 8": lambda x: ik.max_pool(x, 8),
        "max pool 8, stride 4": lambda x: ik.max_pool(x, 8, 4),
        "average pool 8": lambda x: ik.avg_pool(x, 8),
        "global average": lambda x: ik.global_pool(x, "avg"),
    }
    edges, side = ik.sobel(image), image.shape[0] - most
    views = [ik.crop(edges, 0, shift, side, side) for shift in range(most + 1)]
    series = {}
    for name, feature in features.items():
        start, *moved = (feature(view) for view in views)
        series[name] = [np.linalg.norm(each - start) / np.linalg.norm(start) for each in moved]
    return series


def main(quick, out, data):
    """Numbers, sizes, pictures, losses and shifts."""
    example()
    sizes()
    coffee = photograph("coffee")[:384, 100:484]
    images = [coffee, *(pool(coffee, 8) for pool in KINDS.values())]
    titles = ["photograph", *(f"{kind} pool 8" for kind in KINDS)]
    images += [
        np.broadcast_to(ik.global_pool(coffee, kind), (8, 8, 3)) for kind in ("max", "avg", "min")
    ]
    titles += ["global max", "global average", "global min"]
    images += [ik.max_pool(coffee, 24, 8), ik.avg_pool(coffee, 24, 8)]
    titles += ["max 24, stride 8: overlapping", "average 24, stride 8"]
    gray = ik.grayscale(coffee)
    images += forgets(gray)
    titles += ["gray", "shuffled in 8x8 windows", "max pool 8 of either", "shuffled all over"]
    sheet(out / "pooling.png", images[:10], titles[:10], columns=5)
    sheet(out / "pooling_forgets.png", images[10:], titles[10:])

    side = 136 if quick else 384  # less the largest shift, a multiple of every stride
    series = shifts(gray[:side, :side])
    print("change of Sobel edges, by shift" + "".join(f"{s:>6}" for s in range(1, 9)) + "  pixels")
    for name, values in series.items():
        print(f"  {name:<29}" + "".join(f"{value:>6.2f}" for value in values))
    curves(out / "pooling_shifts.png", series, "relative change of the features", "shift in pixels")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
