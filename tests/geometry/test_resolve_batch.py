"""The resolver of a batch against the resolver of one sample."""

import numpy as np
import pytest

import imgkit as ik
from imgkit import geometry

torch = pytest.importorskip("torch")
from imgkit.geometry import resolve_batch as resolve  # noqa: E402

SIZE = (33, 40)


GEOMETRIC = {
    "flips": [ik.HorizontalFlip(p=0.5), ik.VerticalFlip(p=0.5)],
    "turns and padded crops": [ik.Rotate90(p=0.7), ik.RandomCrop(20, padding=5, border="reflect")],
    "resized crops, some turned": [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15), p=0.5),
    ],
    "resized crops on their side": [
        ik.RandomResizedCrop((20, 28)),
        ik.Rotate90(k=1),
        ik.Transpose(p=0.5),
    ],
    "pads, then a resize": [ik.Pad(4, p=0.5, fill=0.5), ik.Resize(20), ik.Perspective(0.3, p=0.5)],
    "many canvases": [
        ik.Rotate(30, p=0.5, fill=0.5),
        ik.Translate((-0.3, 0.3), p=0.5),
        ik.Scale((0.5, 2), p=0.5),
        ik.CenterCrop(20),
        ik.Shear(10, fill=0.2),
    ],
    "flips, then resized crops": [ik.HorizontalFlip(p=0.5), ik.RandomResizedCrop(24)],
    "letterbox": [ik.Letterbox(30, fill=0.4), ik.Rotate((-20, 20), p=0.5)],
    "fields": [
        ik.HorizontalFlip(p=0.5),
        ik.Elastic((0, 4), p=0.6, fill=0.3),
        ik.Rotate((-10, 10), p=0.5),
        ik.GridDistortion(p=0.5),
        ik.Resize(20),
    ],
    "sizes that vary": [ik.RandomCrop(20, p=0.5), ik.Contrast((0.5, 1.5)), ik.Equalize(p=0.5)],
}


@pytest.mark.parametrize("name", GEOMETRIC)
def test_batch_of_maps_is_its_samples_one_by_one(name):
    aug, count = ik.Pipeline(GEOMETRIC[name], seed=4), 40
    for stage in aug.plan(SIZE, (0, range(count))).stages:
        if stage.kind != "resample":
            continue
        whole = resolve.resolve_batch(stage.geometric_steps, count, 3)
        for i in range(count):
            one = geometry.resolve(stage.geometric_steps, i)
            assert resolve.KINDS[whole.kind[i]] == one.kind
            assert (tuple(whole.window[i]), tuple(whole.out_size[i])) == (one.window, one.out_size)
            assert whole.pad[i] == resolve.CODES[one.pad[0]]
            assert np.array_equal(whole.pad_fill[i], np.broadcast_to(one.pad[1], 3))
            if one.kind != "field":
                assert np.array_equal(whole.matrix[i], one.matrix)
            if one.kind == "resize":
                assert (tuple(whole.resized[i]), whole.antialias[i]) == (one.resized, one.antialias)
                assert np.array_equal(whole.move[i], one.move)
            if one.kind == "warp":
                assert whole.border[i] == resolve.CODES[one.border]
                assert np.array_equal(whole.fill[i], np.broadcast_to(one.fill, 3))
                cuts = np.flatnonzero(whole.cuts[i])
                assert np.array_equal(
                    whole.canvases[i, cuts], [c.matrix for c in one.canvases] or np.zeros((0, 3, 3))
                )
                assert [tuple(s) for s in whole.canvas_sizes[i, cuts]] == [
                    c.size for c in one.canvases
                ]
