"""Convolution in one and three dimensions: a price series, a short video, a voxel volume.

python samples/signals_and_volumes.py [--quick] [--out DIR]
"""

import numpy as np
from data import options, photograph
from pictures import plt, save, sheet

import imgkit as ik


def products():
    """The convolution of g = [5, 8] by hand: each of its numbers times h, shifted and added."""
    g = [5.0, 8.0]
    for h in ([1.0, 2.0, 3.0], [1.0, -1.0], [1.0, -2.0, 1.0]):
        rows = np.array([[*(g[0] * np.array(h)), 0], [0, *(g[1] * np.array(h))]])
        full = ik.convolve(np.array(g), h, "full")
        assert np.array_equal(rows.sum(0), full)
        print(f"g = [5, 8], h = {[int(v) for v in h]}")
        for name, row in zip(("5 * h", "8 * h", "g * h"), (*rows, full), strict=True):
            print(f"  {name}:", *(f"{value:5.0f}" for value in row))


def derivatives():
    """[1, -1] and [1, -2, 1] on the squares: a slope that grows, and a curvature of 2."""
    squares = np.arange(8.0) ** 2
    for taps, times in (([1, -1], 1), ([1, -2, 1], 2)):
        found = ik.convolve(squares, taps, "valid")
        assert np.array_equal(found, np.diff(squares, times))
        print(f"squares under {taps}: {found.astype(int)}")
    twice = ik.convolve(np.array([1.0, -1.0]), [1, -1], "full")
    print(f"[1, -1] * [1, -1] = {twice.astype(int)}: the second derivative")


def prices(path):
    """Moving averages of a simulated price, and its derivatives before and after averaging."""
    walk = np.random.default_rng(5).normal(0, 0.01, 250).cumsum()  # one percent a day
    price = 100 * np.exp(walk + 0.15 * np.sin(np.arange(250) / 40))
    figure, axes = plt.subplots(3, 1, figsize=(8, 8), sharex=True)
    axes[0].plot(price, color="0.7", label="price")
    daily = ik.convolve(price, [1, -1], "valid")
    print(f"price: changes from day to day have a standard deviation of {daily.std():.2f}")
    for days in (5, 20):
        mean = ik.convolve(price, np.full(days, 1 / days), "valid")
        change = ik.convolve(mean, [1, -1], "valid").std()
        print(f"  mean of {days:>2} days: {len(mean)} values of 250, changes of {change:.2f}")
        axes[0].plot(np.arange(days - 1, len(price)), mean, label=f"mean of the last {days} days")
    smooth = ik.convolve(price, np.full(20, 1 / 20), "valid")
    for axis, taps in zip(axes[1:], ([1, -1], [1, -2, 1]), strict=True):
        axis.plot(np.arange(len(taps) - 1, 250), ik.convolve(price, taps, "valid"), color="0.8")
        axis.plot(np.arange(18 + len(taps), 250), ik.convolve(smooth, taps, "valid"))
        axis.axhline(0, color="black", linewidth=0.5)
        axis.set_title(f"{taps}: of the price (gray) and of its 20-day mean", fontsize=10)
    axes[0].set_title("a price and its moving averages", fontsize=10)
    axes[0].legend()
    axes[2].set_xlabel("day")
    save(figure, path)


def video(frames=16):
    """(T, H, W): a coin rolls in front of a wall, with and without camera noise."""
    wall = ik.resize(photograph("brick")[..., 0], (96, 160)).astype(np.float32)
    coin = ik.crop(photograph("coins")[..., 0], 173, 193, 36, 36)
    disc = np.hypot(*(np.mgrid[:36, :36] - 17.5)) < 17
    clean = np.repeat(wall[None], frames, axis=0)
    for t, frame in enumerate(clean):
        turned = ik.rotate(coin, -20.0 * t)
        frame[40:76, 6 + 7 * t : 42 + 7 * t][disc] = turned[disc]
    return clean + np.random.default_rng(6).normal(0, 12, clean.shape).astype(np.float32), clean


def moving(noisy, clean):
    """A mean over time removes noise, a difference over time shows motion."""
    mean = ik.convolve(noisy, np.full((5, 1, 1), 1 / 5), "valid")
    change = ik.convolve(noisy, np.array([1.0, -1.0])[:, None, None], "valid")
    both = ik.convolve(change, np.full((1, 5, 5), 1 / 25))  # and a mean over space
    still = np.s_[:, :36]  # rows that the coin never reaches
    before, after = (noisy - clean)[still].std(), (mean - clean[2:-2])[still].std()
    print(f"video {noisy.shape}: noise of {before:.1f} levels")
    print(f"mean of 5 frames {mean.shape}: noise of {after:.1f} levels")
    path = np.abs(both[:, 40:76]).mean() / np.abs(both[still]).mean()
    print(f"frame difference {change.shape}: {path:.1f} times as large where the coin rolls")
    images = [noisy[5], mean[3], change[5], both[5]]
    return images, ["video, one frame", "mean of 5 frames", "frame difference", "and a 5x5 mean"]


def volume(size):
    """(D, H, W): a hollow ball and a bar in noise."""
    z, y, x = np.mgrid[:size, :size, :size] / size - 0.5
    radius = np.sqrt((x + 0.12) ** 2 + y**2 + z**2)
    body = ((radius < 0.3) & (radius > 0.18)) | ((np.abs(x - 0.3) < 0.07) & (np.abs(y) < 0.35))
    return body, body + np.random.default_rng(7).normal(0, 0.7, body.shape).astype(np.float32)


def voxels(size):
    """Smooth a volume in 3-D rather than slice by slice, and find its surface."""
    body, noisy = volume(size)
    taps = ik.kernel("gaussian", 7, sigma=1.2)
    cube = np.einsum("i,jk->ijk", taps.sum(0), taps)  # 7x7x7, a product of three 1-D Gaussians
    results = {"noisy": noisy, "7x7 in each slice": ik.convolve(noisy, taps[None])}
    results["7x7x7"] = ik.convolve(noisy, cube)
    for name, x in results.items():
        wrong = ((x > 0.5) != body).mean()
        print(f"voxels {x.shape}, {name:<17}: {wrong:6.2%} on the wrong side of 0.5")
    smooth = results["7x7x7"]
    step = ik.kernel("prewitt_x")[:1] / 2  # -1/2, 0, 1/2
    turns = ((1, 2, 0), (2, 0, 1), (0, 1, 2))  # the step along D, along H, along W
    along = [ik.correlate(smooth, step[None], axes=axes) for axes in turns]
    surface = np.sqrt(sum(part**2 for part in along))
    route = ik.explain_convolve(noisy, cube).route
    print(f"{cube.size} taps, taken as {route}; valid: {ik.convolve(noisy, cube, 'valid').shape}")
    middle = size // 2
    images = [body[middle] * 1.0, *(x[middle] for x in results.values()), surface[middle]]
    return images, ["volume, middle slice", *results, "3-D gradient: the surface"]


def main(quick, out, data):
    """One dimension, then three: space and time, and space alone."""
    products()
    derivatives()
    prices(out / "signals_and_volumes_prices.png")
    images, titles = moving(*video())
    sheet(out / "signals_and_volumes_video.png", images, titles, edge=3)
    sheet(out / "signals_and_volumes_voxels.png", *voxels(32 if quick else 64), columns=5)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
