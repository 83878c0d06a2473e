"""Find a pattern: convolution as a sliding dot product, and normalized cross-correlation.

python samples/pattern_finding.py [--quick] [--out DIR]
"""

import numpy as np
from data import options, photograph
from pictures import sheet

import imgkit as ik

RED = (230, 30, 30)


def normalized(image, template):
    """Correlation coefficient of the template with each window, -1 to 1, from three sums."""
    image, centered = image.astype(np.float64), template - template.mean()
    ones = np.ones(template.shape)
    sums = ik.correlate(image, ones, "valid")
    squares = ik.correlate(image**2, ones, "valid")
    energy = np.maximum(squares - sums**2 / template.size, 1e-9)  # of the window without its mean
    return ik.correlate(image, centered, "valid") / np.sqrt(energy * (centered**2).sum())


def peak(scores):
    """Row and column of the largest score, as plain integers."""
    return tuple(map(int, np.unravel_index(scores.argmax(), scores.shape)))


def peaks(scores, threshold, size):
    """Positions that reach the threshold and are the maximum of their neighborhood."""
    largest = ik.max_pool(scores, size, stride=1, padding=size // 2)
    return np.argwhere((scores == largest) & (scores >= threshold))


def framed(image, places, size):
    """The gray image in RGB, with a red frame around each position."""
    color = np.repeat(image[..., None], 3, axis=2)
    for top, left in places:
        box = color[top : top + size[0], left : left + size[1]]
        box[:2], box[-2:], box[:, :2], box[:, -2:] = RED, RED, RED, RED
    return color


def signal_example():
    """A pattern of three numbers slides along a signal; each output is one dot product."""
    signal = np.array([0.0, 1, 2, 0, 9, 9, 9, 0, -1, 2, -1, 0])
    pattern = np.array([-1.0, 2, -1])
    products = ik.correlate(signal, pattern, "valid")
    by_dot = [signal[i : i + 3] @ pattern for i in range(len(signal) - 2)]
    assert np.array_equal(products, by_dot)
    print("signal      ", *(f"{value:4.0f}" for value in signal))
    print("dot products", *(f"{value:4.0f}" for value in products), " with -1 2 -1")
    scores = normalized(signal[None], pattern[None])[0]
    print("normalized  ", *(f"{value:4.1f}" for value in scores))
    print(f"largest dot product at {products.argmax()}, but the pattern is at {scores.argmax()}")


def follow(image, template):
    """The peak and the true position of the pattern for changed images, as rows of a table."""
    half = (np.array(template.shape) - 1) / 2
    center = peak(normalized(image, template)) + half
    height, width = image.shape
    changes = {
        "unchanged": [],
        "10 right, 20 up": [ik.Translate(10 / width, -20 / height)],
        "half as bright": [ik.Brightness(0.5)],
        "contrast 0.4, +20": [ik.Contrast(0.4), ik.Brightness(1, 20 / 255)],
        "noise of 25 levels": [ik.GaussianNoise(25 / 255)],
        "turned by 20 degrees": [ik.Rotate(20)],
        "enlarged by 1.3": [ik.Scale(1.3)],
    }
    for name, ops in changes.items():
        aug = ik.Pipeline(ops, seed=0)
        changed = aug(image, key=0)
        scores = normalized(changed, template)
        moved = aug(keypoints=center[None, ::-1], size=image.shape, key=0)["keypoints"][0, ::-1]
        yield name, changed, scores, peak(scores), moved - half


def main(quick, out, data):
    """Find one coin, also in changed images, and find every occurrence of a word."""
    signal_example()
    coins = photograph("coins")[..., 0]
    coin = ik.crop(coins, 168, 189, 46, 46)
    plain = ik.correlate(coins.astype(np.float64), coin.astype(np.float64), "valid")
    scores = normalized(coins, coin)
    print(f"coin cut out at (168, 189): plain correlation peaks at {peak(plain)}, "
          f"normalized at {peak(scores)} with {scores.max():.3f}")  # fmt: skip
    print(f"{'change':<21}{'peak at':>12}{'score':>8}   the coin is at")
    rows = list(follow(coins, coin))
    for name, _, score, found, went in rows:
        print(f"{name:<21}{found!s:>12}{score.max():>8.3f}   ({went[0]:.0f}, {went[1]:.0f})")

    page = photograph("page")[..., 0]
    word = ik.crop(page, 68, 132, 14, 58)
    likeness = normalized(page, word)
    places = peaks(likeness, 0.6, 9)
    print(f"the word cut out at (68, 132) of a page is found {len(places)} times:")
    for place in sorted(places, key=lambda place: -likeness[tuple(place)]):
        print(f"  ({place[0]}, {place[1]}) with {likeness[tuple(place)]:.3f}")
    images = [coins, coin, framed(coins, [peak(plain)], coin.shape), plain]
    titles = ["photograph", "template: one coin", "plain: the brightest spot", "plain correlation"]
    images += [framed(coins, [peak(scores)], coin.shape), scores]
    titles += ["normalized: the coin", f"normalized, peak {scores.max():.2f}"]
    _, changed, moved, found, _ = rows[1]
    images += [framed(changed, [found], coin.shape), moved]
    titles += ["moved 10 right, 20 up", f"the peak at {found} moved with it"]
    images += [page, word, framed(page, places, word.shape), likeness]
    titles += ["page", "template", f"found {len(places)} times, above 0.6", "normalized"]
    sheet(out / "pattern_finding.png", images, titles, edge=2.6)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
