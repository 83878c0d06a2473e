"""Boxes survive the grid of YOLO and the way through a pipeline."""

import numpy as np
import pytest

pytest.importorskip("torchvision")
pytest.importorskip("matplotlib")

import imgkit as ik


def test_targets_are_counted_from_the_cell(sample):
    module = sample("detection")
    grid = module.encode(np.array([[64.0, 160, 192, 288]]), ["rocket"])
    # center (128, 224) of 448: cells of 64, so column 2 at 0.0, row 3 at 0.5
    expected = [0, 0.5, 128 / 448, 128 / 448, 1, 0, 1, 0, 0, 0]
    assert np.allclose(grid[3, 2], expected, rtol=0, atol=1e-12)
    assert grid[..., 4].sum() == 1


def test_decoding_undoes_encoding(sample):
    module = sample("detection")
    boxes = np.array([[3.0, 5, 99, 300], [200, 210, 440, 447]])
    found, labels = module.decode(module.encode(boxes, ["flag", "face"]))
    assert np.allclose(found, boxes, rtol=0, atol=1e-9)
    assert labels == ["flag", "face"]


def test_warped_regions_are_what_roi_align_pools_from_the_image(sample):
    torch = pytest.importorskip("torch")
    from torchvision.ops import roi_align

    module = sample("detection")
    y, x = np.mgrid[:448, :512]
    image = np.float32((x + 2 * y) / 2000)[..., None]
    boxes = np.float32([[10, 20, 122, 132], [100, 50, 380, 274]])
    rois = [torch.as_tensor(boxes)]
    pixels = torch.as_tensor(image).permute(2, 0, 1)[None]
    expected = roi_align(pixels, rois, 224, sampling_ratio=1, aligned=True).permute(0, 2, 3, 1)
    # on a ramp both are exact, but for the edge of the crop, and for the center of a kernel that
    # shrinks, which lies up to 0.05 pixels (of slope 1/2000) off the middle of its few taps
    inside = (slice(None), slice(2, -2), slice(2, -2))
    assert np.allclose(module.warped(image, boxes)[inside], expected[inside], rtol=0, atol=5e-5)


def test_centers_come_back_through_the_training_pipeline(sample):
    module = sample("detection")
    aug, centers = ik.Pipeline(module.TRAIN, seed=3), module.BOXES.reshape(-1, 2, 2).mean(1) - 0.5
    out = aug(keypoints=centers, size=module.SIZE, key=4)
    back = aug.invert(keypoints=out["keypoints"], size=module.SIZE, key=4)
    assert np.allclose(back["keypoints"], centers, rtol=0, atol=1e-3)  # float32 points of 500
