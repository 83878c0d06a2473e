"""What canvases cut, on images large enough that only their edges are looked at."""

import numpy as np
import pytest

import imgkit as ik
from imgkit import geometry
from imgkit.backends.array import plan_resample as sampling

SIZE = (83, 97)
FILLS = {"one fill": (0.0, 0.0, 0.0), "one gray": (0.3, 0.3, 0.3), "three fills": (0.0, 0.9, 0.3)}


def photo(dtype):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 20
    waves = np.stack([np.sin(x + y), np.cos(2 * x - y), np.sin(x * y / 3)], axis=-1) * 0.4 + 0.5
    return np.rint(waves * 255).astype(dtype) if dtype == np.uint8 else waves.astype(dtype)


def warps(fills, interpolation, antialias=False):
    how = {"interpolation": interpolation, "antialias": antialias}
    return [
        ik.Rotate((-40, 40), fill=fills[0], **how),
        ik.Affine(scale=(0.6, 1.3), shear=(-20, 20), translate=(-0.2, 0.2), fill=fills[1], **how),
        ik.Perspective(0.4, fill=fills[2], **how),
    ]


@pytest.mark.parametrize("fills", FILLS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_edges_alone_give_what_the_oracle_gives(fills, interpolation, antialias):
    assert SIZE[0] * SIZE[1] > sampling.SMALL
    aug = ik.Pipeline(warps(FILLS[fills], interpolation, antialias), seed=3)
    for dtype, tolerance in ((np.uint8, 1), (np.float32, 1e-4)):
        x, cuts = photo(dtype), 0
        for key in range(8):
            found, expected = aug(x, key=key), aug.reference(x, key)
            cuts += len(geometry.resolve(aug.plan(SIZE, key).stages[0].geometric_steps, 0).canvases)
            assert np.abs(found.astype(np.float64) - expected).max() <= tolerance
        assert cuts > 8


def test_edges_alone_give_what_looking_at_all_gives(monkeypatch):
    x = photo(np.float32)
    aug = ik.Pipeline(warps(FILLS["one fill"], "bilinear"), seed=4)
    by_edges = [aug(x, key=key) for key in range(12)]
    monkeypatch.setattr(sampling, "SMALL", 10**6)
    for key, found in enumerate(by_edges):
        assert np.abs(found - aug(x, key=key)).max() < 1e-6


@pytest.mark.parametrize("fills", FILLS)
def test_nearest_masks_are_cut_alike(fills):
    x = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.int32)
    aug = ik.Pipeline(warps(FILLS[fills], "bilinear"), seed=5)
    for key in range(6):
        mask = aug(image=photo(np.uint8), mask=x, key=key)["mask"]
        alone = aug(image=photo(np.uint8), mask=x, key=key)["mask"]
        how = geometry.resolve(aug.plan(SIZE, key).stages[0].geometric_steps, 0)._replace(
            interpolation="nearest"
        )
        at, cuts = geometry.sampling_positions(how)
        sure = np.abs(at - np.floor(at) - 0.5).min(axis=-1) > 1e-3  # no tie between two pixels
        inside = np.ones(SIZE, bool)
        for cover, _ in cuts:
            inside &= cover == 1
        assert np.array_equal(mask, alone)
        assert (mask[~inside & sure] == 0).all()
