"""The sliding window as loops beside imgkit: sizes, padding, stride and color.

python samples/convolution_by_hand.py [--quick] [--out DIR]
"""

import time

import numpy as np
from data import options, photograph
from matplotlib.patches import Rectangle
from pictures import plt, save, sheet

import imgkit as ik

IMAGE = np.array([[10, 20, 30, 40], [0, 1, 0, 1], [30, 0, 10, 20], [0, 10, 20, 30]])
FILTER = np.array([[1, 0], [0, 2]])


def slide(image, kernel, stride=1):
    """Cross-correlate at the positions where the kernel is inside the image: multiply and add."""
    rows = (image.shape[0] - kernel.shape[0]) // stride + 1
    columns = (image.shape[1] - kernel.shape[1]) // stride + 1
    result = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            for i in range(kernel.shape[0]):
                for j in range(kernel.shape[1]):
                    pixel = image[row * stride + i, column * stride + j]
                    result[row, column] += kernel[i, j] * pixel
    return result


def example():
    """The 4x4 image under the 2x2 filter: correlation, and convolution with the filter flipped."""
    image = IMAGE.astype(np.float64)
    by_hand, by_imgkit = slide(image, FILTER), ik.correlate(image, FILTER, "valid")
    assert np.array_equal(by_hand, by_imgkit)
    flipped = ik.convolve(image, FILTER, "valid")
    assert np.array_equal(flipped, slide(image, FILTER[::-1, ::-1]))
    return by_imgkit, flipped


def size_tables():
    """Print the output sizes of N pixels and K taps; formulas and computed images must agree."""
    print("   N  K  valid  same  full      (N-K+1, N, N+K-1)")
    for n, k in ((4, 2), (7, 3), (28, 5), (224, 7)):
        image, kernel = np.ones((n, n)), np.ones((k, k))
        sizes = [ik.convolve(image, kernel, mode).shape[0] for mode in ("valid", "same", "full")]
        assert sizes == [n - k + 1, n, n + k - 1]
        print(f"{n:>4}{k:>3}{sizes[0]:>7}{sizes[1]:>6}{sizes[2]:>6}")
    print("   N  K  padding  stride  output    (floor((N + 2p - K) / s) + 1)")
    for n, k, p, s in ((7, 3, 0, 1), (7, 3, 1, 1), (7, 3, 0, 2), (32, 5, 2, 2), (224, 7, 3, 2)):
        layer = ik.conv2d(np.ones((n, n)), np.ones((1, 1, k, k)), padding=p, stride=s)
        size = ik.conv_output_size(n, k, stride=s, padding=p)
        assert layer.shape[0] == size == (n + 2 * p - k) // s + 1
        print(f"{n:>4}{k:>3}{p:>9}{s:>8}{size:>8}")


def color(image):
    """Run a 5x5x3 filter and a layer of 64 of them over a color image."""
    edge = np.outer(ik.kernel("gaussian", 5, sigma=1).sum(1), [-1, -2, 0, 2, 1])
    weight = np.stack([edge, -edge / 2, -edge / 2])[None]  # (1, 3, 5, 5): red against the rest
    parts = [ik.correlate(image[..., c], weight[0, c], "valid") for c in range(3)]
    answer = ik.conv2d(image, weight)[..., 0]
    assert np.allclose(answer, sum(parts), atol=1e-3)
    print("a 5x5x3 filter is three 5x5 filters, one for each color, whose answers are added")
    small = ik.resize(image, 32)
    weights = np.random.default_rng(0).normal(size=(64, 3, 5, 5))
    maps = ik.conv2d(small, weights)
    dense = small.size * maps.size
    times = dense // weights.size
    print(f"64 filters, 32x32x3 -> {'x'.join(map(str, maps.shape))}:")
    print(f"  convolution   64 x 5x5x3 = {weights.size:>11,} weights (and 64 biases)")
    print(f"  dense layer {small.size:,} x {maps.size:,} = {dense:>11,} weights, x {times:,}")
    return [*parts, answer]


def draw(path, result):
    """The window at its first two positions, with its products, beside the whole result."""
    panels = [(IMAGE, (0, 0)), (IMAGE, (0, 1)), (FILTER, None), (result.astype(int), None)]
    titles = ["10·1 + 20·0 + 0·0 + 1·2 = 12", "20·1 + 30·0 + 1·0 + 0·2 = 20", "filter", "result"]
    widths = [numbers.shape[1] for numbers, _ in panels]
    figure, axes = plt.subplots(1, 4, figsize=(11, 3), width_ratios=widths)
    for axis, (numbers, window), title in zip(axes, panels, titles, strict=True):
        axis.imshow(numbers, cmap="Blues", vmin=0, vmax=120)
        for (row, column), number in np.ndenumerate(numbers):
            axis.text(column, row, number, ha="center", va="center", fontsize=12)
        if window:
            corner = (window[1] - 0.5, window[0] - 0.5)
            axis.add_patch(Rectangle(corner, 2, 2, fill=False, edgecolor="crimson", linewidth=3))
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    save(figure, path)


def main(quick, out, data):
    """Print the tables, then time loops against imgkit on a photograph."""
    correlated, convolved = example()
    print(f"correlation, valid:\n{correlated.astype(int)}")
    print(f"convolution, valid (filter flipped):\n{convolved.astype(int)}")
    size_tables()
    draw(out / "convolution_by_hand_example.png", correlated)

    astronaut = ik.resize(photograph("astronaut"), 96 if quick else 256)
    gray, kernel = ik.grayscale(astronaut).astype(np.float32), ik.kernel("sobel_x")
    times = [time.perf_counter()]
    loops = slide(gray, kernel)
    times.append(time.perf_counter())
    found = ik.correlate(gray, kernel, "valid")
    seconds, fast = np.diff([*times, time.perf_counter()])
    print(f"photograph {gray.shape}: loops {seconds:.2f} s, imgkit {1e3 * fast:.1f} ms, "
          f"largest difference {np.abs(loops - found).max():.1g}")  # fmt: skip
    box = ik.kernel("box", 31)
    images = [gray, loops, found, ik.correlate(gray, kernel, "valid", stride=4)]
    images += [ik.correlate(gray, box, mode) for mode in ("valid", "same", "full")]
    images += [ik.correlate(gray, box, border="reflect"), *color(astronaut)]
    titles = ["photograph", "Sobel x, loops", "Sobel x, imgkit", "the same, stride 4"]
    modes = ("valid", "same: zeros around", "full", "same: reflected")
    titles += [f"31x31 mean, {mode}" for mode in modes]
    titles += ["filter on red", "on green", "on blue", "their sum: 5x5x3"]
    titles = [f"{t}\n{i.shape[0]} x {i.shape[1]}" for t, i in zip(titles, images, strict=True)]
    sheet(out / "convolution_by_hand.png", images, titles)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
