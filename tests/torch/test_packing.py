"""Packed batches: images behind one another, given back as views."""

import numpy as np
import pytest

from imgkit.torch.packing import Buffers, pack


def picture(seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (20 + seed % 3, 24 + seed % 5, 3), np.uint8)


def test_packed_images_come_back_as_views():
    images = [picture(i) for i in range(4)]
    images.append(np.zeros((40, 40, 3), np.uint8))  # more than the first promised
    packed = pack(images, 5, Buffers(1))
    assert packed.flat.numel() == sum(image.size for image in images)
    for view, image in zip(packed.images(), images, strict=True):
        np.testing.assert_array_equal(view.permute(1, 2, 0).numpy(), image)
        assert view.untyped_storage().data_ptr() == packed.flat.untyped_storage().data_ptr()


def test_images_of_several_dtypes_are_refused():
    with pytest.raises(ValueError, match="images of one batch have dtypes uint8 and uint16"):
        pack([picture(0), picture(0).astype(np.uint16)], 2, Buffers(1))
