"""The resolver of a batch against the resolver of one sample."""

import numpy as np
import pytest
from mixed_pipelines import GEOMETRIC, SIZE

import imgkit as ik
from imgkit import geometry

torch = pytest.importorskip("torch")
from imgkit.geometry import resolve_batch as resolve  # noqa: E402


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
