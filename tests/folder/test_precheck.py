"""Pipelines are checked before any image is read: dtype, layout, and arguments that are wrong."""

import numpy as np
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.augment.exchange.document import parse_op
from imgkit.cli.main import main
from imgkit.folder.precheck import check_layout, probe


def pipeline(*ops):
    return ik.Pipeline([parse_op(op) for op in ops], seed=1)


def test_ops_run_in_order():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    result = pipeline("max_pool size=2", "min_pool size=4")(image, key=0)
    assert result.tolist() == [[9]]  # the least of the largest of each 2 x 2


def test_probe_tells_the_result_type_and_refuses_what_no_image_makes_right():
    assert probe(pipeline("max_pool size=2")) == np.uint8
    assert probe(pipeline("convolve kernel=sobel_x")) == np.float32
    with pytest.raises(ValueError, match=r"ops\[0\]: max_pool: size is -2"):
        probe(pipeline("max_pool size=-2"))
    large = ik.Pipeline([ik.Call(ik.convolve, kernel=np.ones((65, 65)), mode="valid")])
    assert probe(large) == np.float32  # too large for a small image: not wrong for every one


@pytest.mark.parametrize(
    ("ops", "dtype"),
    [
        (["crop top=0 left=0 height=5000 width=10"], np.uint8),
        (["crop top=0 left=9000 height=5 width=10"], np.uint8),
        (["RandomCrop size=5000"], np.uint8),
        (["max_pool size=5000"], np.uint8),
        (["convolve kernel=box dilation=5000 mode=valid"], np.float32),
        (["crop top=0 left=0 height=5000 width=10", "sobel"], np.float32),
        (["sobel", "crop top=0 left=0 height=5000 width=10"], np.float32),
        (["grayscale", "crop top=0 left=0 height=5000 width=10"], np.uint8),
    ],
)
def test_no_size_is_too_large_for_every_image(ops, dtype):
    """Images may be larger than any that is tried."""
    assert probe(pipeline(*ops)) == dtype


def test_a_crop_of_a_tall_image_runs(tmp_path):
    (tmp_path / "src").mkdir()
    tall = np.arange(5200 * 4, dtype=np.uint16).reshape(5200, 4).astype(np.uint8)
    ik.write(tmp_path / "src" / "tall.png", tall)
    words = ("--op", "crop top=100 left=1 height=5000 width=2")
    done = CliRunner().invoke(main, ["run", str(tmp_path / "src"), str(tmp_path / "out"), *words])
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(ik.read(tmp_path / "out" / "tall.png"), tall[100:5100, 1:3])


def test_a_window_that_never_fits_what_a_crop_leaves_is_refused():
    with pytest.raises(ValueError, match=r"ops\[1\]: max_pool: size is 99 "):
        probe(pipeline("crop top=0 left=0 height=60 width=60", "max_pool size=99"))


@pytest.mark.parametrize("before", [(), ("crop top=0 left=0 height=60 width=60",), ("grayscale",)])
@pytest.mark.parametrize(
    "op",
    ["max_pool size=-2", "max_pool size=5000 padding=9999", "median_blur size=300",
     "gaussian_blur sigma=3000", "crop top=-1 left=0 height=5 width=5"],
)  # fmt: skip
def test_what_is_wrong_for_every_size_is_refused(before, op):
    with pytest.raises(ValueError, match=rf"ops\[{len(before)}\]: {op.split()[0]}: "):
        probe(pipeline(*before, op))


def test_an_op_of_the_users_may_want_one_size():
    class OneSize(ik.Transform):
        def apply(self, image, numbers):
            if image.shape[:2] != (224, 224):
                raise ValueError("an image of 224 x 224 is needed")
            return image

    def one_size(x):
        if x.shape[:2] != (224, 224):
            raise ValueError("an image of 224 x 224 is needed")
        return x

    assert probe(ik.Pipeline([OneSize()])) is None
    assert probe(ik.Pipeline([ik.Invert(), one_size])) is None
    with pytest.raises(ValueError, match="size is -2"):
        probe(ik.Pipeline([ik.Call(ik.max_pool, size=-2), OneSize()]))


def test_channels_first_needs_a_format_that_has_them_so():
    check_layout(pipeline("ToCHW"), "npy")
    check_layout(pipeline("ToCHW p=0"), "png")
    with pytest.raises(ValueError, match=r"ToCHW puts the channels first; .* add --format npy"):
        check_layout(pipeline("Invert", "ToCHW"), "png")
