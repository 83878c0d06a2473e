"""Strips and tiles with wrong byte counts, and files that end early."""

import io

import numpy as np
import pytest
import tifffile
from tiff_writer import COMPRESSIONS as COMPRESSIONS_WRITTEN
from tiff_writer import tiff

from imgkit.io.decode import Limits, decode, decode_details
from imgkit.io.header import BadImage

BLACK_ZERO, RGB = 1, 2
LENIENT = Limits(allow_truncated=True)
COMPRESSED = [name for name in COMPRESSIONS_WRITTEN if name != "none"]
DEEP = [(16, "u2", 1), (16, "u2", 3), (32, "f4", 1), (32, "f4", 3), (12, "u2", 1), (8, "u1", 5)]


def random_samples(dtype, channels, bits=8):
    rng = np.random.default_rng(2)
    if dtype[0] == "f":
        return rng.random((17, 19, channels)).astype(dtype)
    return rng.integers(1, 1 << bits, (17, 19, channels)).astype(dtype)


# --- byte counts that are wrong ---------------------------------------------------------


@pytest.mark.parametrize(("bits", "dtype", "channels"), DEEP)
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("tile", "rows"), [(0, 17), (0, 5), (16, 0)])
@pytest.mark.parametrize("wrong", [0, 1_000_000])
def test_plain_data_needs_no_byte_counts(bits, dtype, channels, planar, tile, rows, wrong):
    samples = random_samples(dtype, channels, bits)
    options = {"planar": planar, "tile": tile, "rows": rows}
    color = RGB if channels == 3 else BLACK_ZERO
    right = decode(tiff(samples, color, bits, **options))
    data = with_counts(tiff(samples, color, bits, **options), lambda count: wrong)
    np.testing.assert_array_equal(decode(data), right)


def with_counts(data, change):
    """Replace the byte counts of a file in place."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        tag = tags[325] if 325 in tags else tags[279]
        counts = tag.value if isinstance(tag.value, tuple) else (tag.value,)
        at = tag.valueoffset
    new = np.array([change(count) for count in counts], "<u4").tobytes()
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize("rows", [17, 5])
def test_without_the_tag_plain_strips_are_read(rows):
    samples = random_samples("u2", 1, 16)
    data = tiff(samples, BLACK_ZERO, 16, rows=rows)
    at = data.rindex(b"\x17\x01\x04\0")  # 279, LONG
    data = data[:at] + b"\x17\x80" + data[at + 2 :]  # a tag that nothing reads
    np.testing.assert_array_equal(decode(data), samples[..., 0])


@pytest.mark.parametrize("wrong", [0, 1_000_000])
def test_compressed_data_needs_its_byte_counts(wrong):
    data = tiff(random_samples("u2", 1, 16), BLACK_ZERO, 16, compression="lzw", rows=5)
    with pytest.raises(BadImage):
        decode(with_counts(data, lambda count: wrong))


@pytest.mark.parametrize("limits", [Limits(), LENIENT])
def test_a_strip_at_0_is_left_out(limits):
    data = tiff(random_samples("u2", 1, 16), BLACK_ZERO, 16, rows=5)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        at = file.pages[0].tags[273].valueoffset
    with pytest.raises(BadImage, match="left out"):
        decode_details(data[:at] + bytes(4) + data[at + 4 :], limits)


def test_short_strips_do_not_take_from_the_next():
    data = tiff(random_samples("u2", 1, 16), BLACK_ZERO, 16, rows=5)
    with pytest.raises(BadImage):
        decode(with_counts(data, lambda count: count - 2))


# --- files that end early ---------------------------------------------------------------


def written(samples, channels, **options):
    """A file whose tags lie before its pixels, so that its end can be cut off."""
    file = io.BytesIO()
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(file, samples, photometric=photometric, metadata=None, **options)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8", "f2"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows", [17, 4])
@pytest.mark.parametrize("order", "<>")
def test_a_plain_file_is_read_up_to_its_end(dtype, channels, rows, order):
    samples = random_samples(dtype, channels, 16)
    samples = samples[..., 0] if channels == 1 else samples
    data = written(samples, channels, rowsperstrip=rows, byteorder=order)
    whole = decode(data)
    cut = data[: len(data) - samples.nbytes // 2]
    with pytest.raises(BadImage, match="ends early"):
        decode(cut)
    found = decode_details(cut, LENIENT)
    assert found.partial
    assert found.image.dtype == whole.dtype
    flat, right = found.image.ravel(), whole.ravel()
    kept = (samples.nbytes - samples.nbytes // 2) // samples.itemsize
    np.testing.assert_array_equal(flat[:kept], right[:kept])
    assert not flat[kept + 1 :].any()


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "zstd"])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_compressed_file_is_read_up_to_its_last_whole_strip(compression, dtype, planar):
    samples = random_samples(dtype, 3, 16)
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    data = written(stored, 3, rowsperstrip=4, compression=compression, planarconfig=planar)
    found = decode_details(data[:-3], LENIENT).image
    missing = np.s_[16:] if planar == "contig" else np.s_[16:, :, 2]
    right = samples.copy()
    right[missing] = 0
    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_file_of_tiles_is_read_up_to_its_end(compression):
    samples = np.random.default_rng(3).integers(1, 60000, (32, 32)).astype("u2")
    data = written(samples, 1, tile=(16, 16), compression=compression)
    found = decode_details(data[:-4], LENIENT).image
    np.testing.assert_array_equal(found[:16], samples[:16])
    np.testing.assert_array_equal(found[:, :16], samples[:, :16])
    assert not found[31, 30:].any()


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_file_without_any_pixels_is_an_error(compression):
    data = written(random_samples("u2", 1, 16)[..., 0], 1, compression=compression)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start = file.pages[0].dataoffsets[0]
    with pytest.raises(BadImage) as caught:
        decode_details(data[:start], LENIENT)
    assert caught.value.kind == "truncated"
