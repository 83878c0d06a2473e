"""Figures of a folder: exact, pooled over pixels, and the same for any number of processes."""

import json
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgkit.dataset import chart
from imgkit.dataset.stats import Figures, collect, label_of, measure, sides, summary
from imgkit.folder.scan import scan
from imgkit.io.encode import encode


def total(*images):
    figures = Figures()
    for image in images:
        figures.add(measure(image))
    return figures


def image(rng, shape, dtype=np.uint8):
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def test_the_figures_of_a_few_pixels_by_hand():
    moments = total(np.array([[0, 255, 51]], np.uint8), np.array([[102]], np.uint8)).moments()
    # 0, 1, 0.2 and 0.4: mean 0.4, E[x²] = (1 + 0.04 + 0.16) / 4 = 0.3
    assert moments.mean == [0.4]
    assert moments.std == [math.sqrt(0.14)]
    assert (moments.low, moments.high) == ([0.0], [1.0])


def test_the_deviation_is_of_all_pixels_not_the_mean_of_deviations():
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert total(black, white).moments().std == [0.5]  # each alone has 0


def test_large_images_count_for_more():
    black, white = np.zeros((10, 10), np.uint8), np.full((10, 30), 255, np.uint8)
    assert total(black, white).moments().mean == [0.75]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_they_are_numpys_over_all_pixels(dtype, channels):
    rng = np.random.default_rng(channels)
    images = [image(rng, (*size, channels), dtype) for size in ((7, 9), (30, 4), (1, 1))]
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    pixels = np.concatenate([x.reshape(-1, channels) for x in images]).astype(np.float64) / top
    moments = total(*images).moments()
    # NumPy's own sums are rounded
    assert np.allclose(moments.mean, pixels.mean(axis=0), rtol=1e-14, atol=0)
    assert np.allclose(moments.std, pixels.std(axis=0), rtol=1e-13, atol=0)
    assert moments.low == pixels.min(axis=0).tolist()
    assert moments.high == pixels.max(axis=0).tolist()


def test_integers_are_summed_exactly():
    """Next to white, where E[x²] - E[x]² loses half its digits in floats."""
    x = np.full((300, 400), 65535, np.uint16)
    x[0, 0] = 65534
    n = x.size
    mean = Fraction(n * 65535 - 1, n * 65535)
    square = Fraction((n - 1) * 65535**2 + 65534**2, n * 65535**2)
    moments = total(x).moments()
    assert moments.mean == [float(mean)]
    assert moments.std == [math.sqrt(float(square - mean**2))]


def test_large_planes_are_counted_to_the_last_pixel(monkeypatch):
    from imgkit.dataset import stats

    monkeypatch.setattr(stats, "EXACT", 100)
    x = image(np.random.default_rng(0), (37, 23))
    assert np.array_equal(measure(x).histograms[1][0], np.bincount(x.ravel(), minlength=256))


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_order_and_grouping_change_no_bit(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    kinds = data.draw(
        st.lists(st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]), min_size=1)
    )
    parts = [measure(image(rng, (3, 5, rng.choice([1, 3])), kind)) for kind in kinds]
    whole, halves = Figures(), [Figures(), Figures()]
    for part in parts:
        whole.add(part)
    random.Random(1).shuffle(parts)
    for i, part in enumerate(parts):
        halves[i % 2].add(part)
    halves[1].add(halves[0])
    assert summary(halves[1]) == summary(whole)


def test_gray_counts_as_equal_channels_beside_color():
    color = np.zeros((2, 2, 3), np.uint8)
    color[..., 0] = 255
    moments = total(color, np.full((2, 2), 51, np.uint8)).moments()
    assert moments.mean == [0.6, 0.1, 0.1]


def test_channels_that_do_not_mix_have_no_mean():
    figures = total(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 5), np.uint8))
    assert figures.moments() is None
    assert figures.normalize() is None
    assert summary(figures)["channels"] == {"3": 1, "5": 1}
    assert Figures().moments() is None


def test_a_constant_channel_cannot_be_normalized():
    assert total(np.zeros((4, 4, 3), np.uint8)).normalize() is None


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        measure(np.array([[0.0, np.nan]], np.float32))


def test_normalize_is_what_a_pipeline_takes():
    import imgkit as ik

    x = image(np.random.default_rng(3), (40, 50, 3))
    result = ik.Pipeline([ik.Normalize(**total(x).normalize())])(x, key=(0, 0))
    assert np.allclose(result.mean(axis=(0, 1)), 0, atol=1e-5)
    assert np.allclose(result.std(axis=(0, 1)), 1, atol=1e-5)


def test_sizes_are_counted_by_the_longer_side():
    figures = total(*(np.zeros(size, np.uint8) for size in ((1, 31), (32, 5), (5, 63), (300, 1))))
    assert [(low, n) for low, _, n in sides(figures) if n] == [(0, 1), (32, 2), (256, 1)]
    assert summary(figures)["width"] == {"min": 1, "mean": 25.0, "max": 63}
    assert summary(figures)["sizes"]["63x5"] == 1


def test_classes_are_the_first_folder():
    assert label_of("cats/a/b.png") == "cats"
    assert label_of("b.png") is None


def folder(path, count=12):
    rng = np.random.default_rng(8)
    for i in range(count):
        target = path / f"class {i % 3}" / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(image(rng, (9 + i, 11, 3)), "png"))
    (path / "class 0" / "bad.png").write_bytes(b"<html>")
    (path / "class 1" / "deep.tif").write_bytes(encode(image(rng, (5, 6), np.uint16), "tiff"))
    return [source.path for source in scan(str(path)).images]


def test_a_folder_gives_the_same_for_any_number_of_workers(tmp_path):
    paths = folder(tmp_path)
    results, on_image = [], []
    for workers in (1, 2, 3):
        figures, wrong = collect(
            str(tmp_path), paths, workers, on_image=lambda path, bad: on_image.append(path)
        )
        results.append((summary(figures, wrong), chart.draw(figures, "x").tobytes()))
    assert results[0] == results[1] == results[2]
    assert on_image == paths * 3
    told = results[0][0]
    assert (told["images"], told["bad"]) == (13, 1)
    assert told["failures"] == [
        {
            "path": "class 0/bad.png",
            "error": "unknown",
            "message": "no image format starts with b'<html>'",
        }
    ]
    assert told["classes"] == {"class 0": 4, "class 1": 5, "class 2": 4}
    assert told["formats"] == {"png": 12, "tiff": 1}
    assert told["dtypes"] == {"uint16": 1, "uint8": 12}


def test_a_file_that_is_gone_is_bad(tmp_path):
    _, wrong = collect(str(tmp_path), ["gone.png"])
    assert wrong == [("gone.png", "FileNotFoundError", "No such file or directory")]


def test_figures_come_back_from_json_as_they_were():
    figures, rng = Figures(), np.random.default_rng(6)
    for shape, dtype, label in (
        ((20, 30, 3), np.uint8, "cat"), ((24, 24), np.uint8, "dog"), ((9, 7, 3), np.uint16, "ü"),
    ):  # fmt: skip
        figures.add(measure(image(rng, shape, dtype), "png", label))
    figures.add(measure(np.array([[0.1, 0.7]]), "npy"))
    again = Figures.of(json.loads(json.dumps(figures.plain())))
    assert again.moments() == figures.moments()
    assert again.plain() == figures.plain()
    assert summary(again) == summary(figures)
