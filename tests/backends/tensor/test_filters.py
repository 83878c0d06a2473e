"""Filters of a batch: each sample by its own numbers, and those that run on the host."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")

from imgkit.backends import layer_one  # noqa: E402
from imgkit.backends.tensor import filters, plan  # noqa: E402
from imgkit.backends.tensor.numpy_view import native  # noqa: E402
from imgkit.stages import Filter  # noqa: E402

NUMBERS = {
    "gaussian_blur": {"sigma": [0.0, 0.7, 1.9]},
    "box_blur": {"size": [1, 5, 3]},
    "median_blur": {"size": [7, 5, 3]},
    "sharpen": {"amount": [0.0, 0.5, 2.0]},
    "bilateral_blur": {"sigma_color": [0.1, 0.3, 0.2], "sigma_space": [1.0, 0.5, 2.0]},
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_filter_of_a_batch_is_the_layer_one_function_of_each_image(name):
    x = torch.rand(3, 2, 11, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    numbers = {key: np.array(values) for key, values in NUMBERS[name].items()}
    stage = Filter(name, numbers, np.array([True, True, True]))
    with native():
        made = plan.run_batch((stage,), x)
        for i in range(3):
            alone = layer_one("tensor", name)(x[i : i + 1], **stage.numbers_of(i))
            assert torch.allclose(made[i], alone[0].clamp(0, 1), atol=1e-12)


def test_the_shape_of_the_work_holds_no_number_of_a_sample():
    """So that a compiled plan serves every draw."""
    specs = {
        filters.prepared(Filter("gaussian_blur", {"sigma": np.array(sigma)}, np.ones(2, bool)), 2)[
            0
        ]
        for sigma in ([0.5, 1.0], [2.0, 0.1])
    }
    assert len(specs) == 1


def test_host_filters_refuse_gradients():
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    with pytest.raises(ValueError, match="jpeg runs on the host"):
        ik.Pipeline([ik.JpegCompression()], seed=0)(x, key=(0, [0]))
