"""Edges: gradients and Laplacians, corners, a removed background, and robustness to changes.

python samples/edges.py [--quick] [--out DIR]
"""

import numpy as np
from data import options, photograph
from pictures import plt, sheet
from scipy import ndimage

import imgkit as ik


def operators(image, path):
    """Every operator on one photograph; each is a convolution, so sums of kernels are sums."""
    gx, gy = ik.gradient(image, normalized=True)
    four, eight = ik.laplacian(image), ik.laplacian(image, 8)
    across = ik.correlate(image, [[1, -2, 1]], border="reflect")
    down = ik.correlate(image, [[1], [-2], [1]], border="reflect")
    taps = ik.kernel("laplacian") + ik.kernel("laplacian_8")
    both = ik.correlate(image, taps, border="reflect")
    assert np.allclose(across + down, four, atol=1e-3)
    assert np.allclose(four + eight, both, atol=1e-3)
    print("Laplacian of 4 and of 8 neighbors, and their sum, whose answer is the sum of theirs:")
    for rows in zip(ik.kernel("laplacian"), ik.kernel("laplacian_8"), taps, strict=True):
        print("    ".join(" ".join(f"{tap:3.0f}" for tap in row) for row in rows))
    print("[1 -2 1] across and down add up to the 4 neighbors")
    shown = {
        "photograph": image,
        "Sobel x": gx,
        "Sobel y": gy,
        "Sobel magnitude": np.hypot(gx, gy),
        "Prewitt x": ik.gradient(image, "prewitt")[0],
        "Prewitt y": ik.gradient(image, "prewitt")[1],
        "Prewitt magnitude": ik.prewitt(image),
        "direction (color)": direction(gx, gy),
        "Laplacian, 4 neighbors": np.clip(four, -99, 99),
        "Laplacian, 8 neighbors": np.clip(eight, -99, 99),
        "their sum": np.clip(both, -99, 99),
        "corners": corner_marks(image),
    }
    sheet(path, list(shown.values()), list(shown))


def direction(gx, gy):
    """Hue for the angle of the gradient, brightness for its magnitude."""
    turns = np.arctan2(-gy, gx) / (2 * np.pi) % 1
    strength = np.clip(np.hypot(gx, gy) / 40, 0, 1)
    return np.uint8(plt.get_cmap("hsv")(turns)[..., :3] * strength[..., None] * 255)


def corner_marks(image):
    """The strongest Harris corners of each neighborhood, as red squares."""
    answer = ik.corners(image, sigma=1.5)
    peaks = (answer == ik.max_pool(answer, 9, 1, 4)) & (answer > 0.02 * answer.max())
    print(f"corners: {peaks.sum()}")
    marks = ik.max_pool(peaks.astype(np.uint8), 5, 1, 2) > 0
    color = np.repeat(image[..., None], 3, axis=2)
    color[marks] = 230, 30, 30
    return color


def remove_background(path):
    """Edges are closed into outlines and filled; a brightness threshold fails in this light."""
    coins = photograph("coins")[..., 0]
    edges = ik.canny(coins, 80, 160, sigma=1.2)
    closed = ik.min_pool(ik.max_pool(edges.astype(np.uint8), 5, 1, 2), 5, 1, 2) > 0
    filled = ndimage.binary_opening(ndimage.binary_fill_holes(closed), iterations=4)
    bright = ndimage.binary_opening(coins > coins.mean(), iterations=4)
    by_edges, by_threshold = ndimage.label(filled)[1], ndimage.label(bright)[1]
    print(f"24 coins: {by_edges} objects by edges, {by_threshold} by brightness above its mean")
    images = [coins, edges, closed, coins * filled, coins * bright]
    titles = ["photograph", "Canny", "closed: max, then min pool 5x5"]
    titles += [f"filled: {by_edges} objects", f"brighter than the mean: {by_threshold}"]
    sheet(path, images, titles, columns=5)


def agreement(a, b):
    """Correlation of two magnitudes, without a margin."""
    inner = np.s_[24:-24, 24:-24]
    return np.corrcoef(a[inner].ravel(), b[inner].ravel())[0, 1]


def main_direction(image):
    """Degrees, 0 to 180, of the strongest peak of the orientation histogram."""
    gx, gy = ik.gradient(image[60:-60, 60:-60])
    degrees = np.degrees(np.arctan2(-gy, gx)) % 180
    counts, _ = np.histogram(degrees, 60, (0, 180), weights=np.hypot(gx, gy))
    return counts.argmax() * 3 + 1.5


def changes(image, path):
    """Compare the edges of a changed image with those of the image."""
    covered = image.copy()
    covered[60:110, 90:140] = 128
    cases = {
        "unchanged": image,
        "brightness + 40": ik.Pipeline([ik.Brightness(1, 40 / 255)])(image),
        "brightness + 120": ik.Pipeline([ik.Brightness(1, 120 / 255)])(image),
        "brightness x 0.5": ik.Pipeline([ik.Brightness(0.5)])(image),
        "turned by 30 degrees": ik.Pipeline([ik.Rotate(30, border="reflect")])(image),
        "covered": covered,
    }
    plain, edges = ik.sobel(image), []
    alike = ik.rotate(plain, 30, border="reflect")
    print("change                strength  like before  like before, turned  direction")
    for name, changed in cases.items():
        found = ik.sobel(changed)
        print(f"{name:<21}{found.mean() / plain.mean():>9.2f}{agreement(found, plain):>13.3f}"
              f"{agreement(found, alike):>21.3f}{main_direction(changed):>10.1f}°")  # fmt: skip
        edges.append(ik.to_uint8(np.clip(found / 400, 0, 1)))
    touched = np.argwhere(np.abs(ik.sobel(covered) - plain) > 1e-3)
    rows, columns = np.ptp(touched, axis=0) + 1
    print(f"50 x 50 pixels covered: edges change in {rows} rows and {columns} columns, not beyond")
    sheet(path, [*cases.values(), *edges], [*cases, *["Sobel"] * len(edges)], columns=6, edge=2)


def main(quick, out, data):
    """Operators, background removal, robustness."""
    image = ik.resize(photograph("camera")[..., 0], 128 if quick else 256)
    operators(image, out / "edges_operators.png")
    remove_background(out / "edges_background.png")
    changes(ik.resize(photograph("brick")[..., 0], 256), out / "edges_changes.png")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
