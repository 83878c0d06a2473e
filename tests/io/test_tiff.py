"""Every layout of TIFF: the right pixels by the rules of `imgkit.io.tiff`, or a refusal by name.

The files are written by `tiff_writer`, and the rules are written out again here, sample by sample
where that is short: nothing is shared with the code under test.
"""

import io
import itertools
import struct
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from tiff_writer import tiff

from imgkit.io.decode import decode
from imgkit.io.header import BadImage

WHITE_ZERO, BLACK_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4}
DATA, PREMULTIPLIED, ALPHA = 0, 1, 2
COMPRESSIONS = ("none", "lzw", "deflate", "old deflate", "packbits", "lzma", "zstd")

INTEGERS = (1, 2, 4, 8, 10, 12, 16)
LAYOUTS = [  # (photometric, bits, sample format, extra samples)
    *((WHITE_ZERO, bits, "u", ()) for bits in INTEGERS),
    *((BLACK_ZERO, bits, "u", ()) for bits in (*INTEGERS, 3, 6, 14)),
    *((RGB, bits, "u", ()) for bits in INTEGERS),
    *((color, bits, "f", ()) for color in (BLACK_ZERO, RGB) for bits in (16, 32, 64)),
    *((PALETTE, bits, "u", ()) for bits in (1, 2, 4, 8, 16)),
    (PALETTE, 8, "u", (ALPHA,)),
    (MASK, 1, "u", ()),
    *((CMYK, bits, "u", extra) for bits in (8, 16) for extra in ((), (ALPHA,))),
    *(
        (color, bits, "u", extra)
        for color in (BLACK_ZERO, RGB)
        for bits in (4, 8, 12, 16)
        for extra in ((DATA,), (PREMULTIPLIED,), (ALPHA,), (ALPHA, DATA), (DATA, DATA, ALPHA))
    ),
    *((WHITE_ZERO, bits, "u", (kind,)) for bits in (8, 16) for kind in (PREMULTIPLIED, ALPHA)),
    *(
        (color, bits, "f", extra)
        for color in (BLACK_ZERO, RGB)
        for bits in (16, 32, 64)
        for extra in ((DATA,), (PREMULTIPLIED,), (ALPHA,), (DATA, DATA))
    ),
]


def random_samples(photometric, bits, kind, extras, seed):
    """Samples of a layout, (19, 21, C); premultiplied colors are at most their alpha."""
    rng = np.random.default_rng(seed)
    shape = 17, 19, COLORS[photometric] + len(extras)
    if kind == "f":
        samples = rng.random(shape).astype(f"f{bits // 8}")
    else:
        samples = rng.integers(0, 1 << bits, shape).astype("u1" if bits <= 8 else "u2")
    if PREMULTIPLIED in extras:
        samples[..., :-1] = np.minimum(samples[..., :-1], samples[..., -1:])
    return samples


def expected(samples, photometric, bits, extras, color_map):
    """The image by the rules, in float64, rounded at the end."""
    if samples.dtype.kind == "f":
        top, dtype = 1.0, {16: "f4", 32: "f4", 64: "f8"}[bits]
    else:
        top, dtype = (255, "u1") if bits <= 8 or photometric == PALETTE else (65535, "u2")
    full = samples.astype(float)
    if samples.dtype.kind != "f":
        full = full / (2**bits - 1) * top
        if bits not in (8, 16):
            full = np.rint(full)
    count = COLORS[photometric]
    color, rest = full[..., :count], full[..., count:]
    if photometric == PALETTE:
        table = np.array(color_map).reshape(3, -1)
        color = np.array([[[table[c, i] // 256 for c in range(3)] for i in row] for row in
                          samples[..., 0]], float)  # fmt: skip
    if photometric == CMYK:
        color = np.rint((top - color[..., :3]) * (top - color[..., 3:]) / top)
    if photometric == WHITE_ZERO and extras != (PREMULTIPLIED,):
        color = top - color
    if extras == (ALPHA,):
        color = color * rest / top + (top - rest)
    elif extras == (PREMULTIPLIED,):
        # of min-is-white: white minus color times alpha
        color = color + (top - rest) if photometric != WHITE_ZERO else top - color
    elif extras:
        color = np.concatenate([color, rest], axis=-1)
    color = color if dtype[0] == "f" else np.rint(color)
    return (color[..., 0] if color.shape[-1] == 1 else color).astype(dtype)


def upright(image, orientation):
    """What a viewer shows of an orientation, by its words: where row 0 and column 0 lie."""
    views = {
        1: image,  # top, left
        2: image[:, ::-1],  # top, right
        3: image[::-1, ::-1],  # bottom, right
        4: image[::-1],  # bottom, left
        5: image.swapaxes(0, 1),  # left, top
        6: np.rot90(image, -1),  # right, top
        7: image[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: np.rot90(image),  # left, bottom
    }
    return views[orientation]


def storages(bits, kind, channels):
    """Ways to store the samples: (order, planar, compression, predictor, tile).

    Every pair of byte order, planes, compression and predictor; strips and tiles take turns.
    """
    predictors = {"u": (1, 2), "f": (1, 3)}[kind] if bits in (8, 16, 32, 64) else (1,)
    ways = itertools.product(COMPRESSIONS, "<>", (False, True)[: 1 + (channels > 1)], predictors)
    # the specification has no predictor for plain samples and packbits
    ways = [way for way in ways if way[3] == 1 or way[0] not in ("none", "packbits")]
    tiles = itertools.cycle((0, 16, 16, 0, 0))
    return [(order, planar, name, step, next(tiles)) for name, order, planar, step in ways]


def color_map_of(photometric, bits):
    if photometric != PALETTE:
        return {}
    values = np.random.default_rng(bits).integers(0, 65536, 3 << bits).tolist()
    return {"tags": {320: (3, values)}}


def test_the_matrix_has_two_thousand_files():
    sizes = [len(storages(b, k, COLORS[p] + len(e))) for p, b, k, e in LAYOUTS]
    assert sum(sizes) > 2000


@pytest.mark.parametrize(("photometric", "bits", "kind", "extras"), LAYOUTS)
def test_every_layout_gives_its_pixels(photometric, bits, kind, extras):
    samples = random_samples(photometric, bits, kind, extras, 7 * bits + photometric)
    more = color_map_of(photometric, bits)
    values = more["tags"][320][1] if more else None
    right = expected(samples, photometric, bits, extras, values)
    for at, way in enumerate(storages(bits, kind, samples.shape[2])):
        order, planar, compression, predictor, tile = way
        turn = at % 8 + 1
        data = tiff(
            samples, photometric, bits, order=order, planar=planar, compression=compression,
            predictor=predictor, tile=tile, rows=5, extras=extras, orientation=turn, **more
        )  # fmt: skip
        image = decode(data)
        assert image.dtype == right.dtype, way
        wanted = upright(right, turn)
        assert image.shape == wanted.shape, way
        if kind == "u":
            np.testing.assert_array_equal(image, wanted, err_msg=str((*way, turn)))
        else:  # alpha of floats is computed in the dtype of the file
            np.testing.assert_allclose(image, wanted, rtol=0, atol=1e-6, err_msg=str(way))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("color", [WHITE_ZERO, BLACK_ZERO, PALETTE, RGB])
def test_bits_that_are_filled_from_the_right(bits, color):
    samples = random_samples(color, bits, "u", (), 3)
    more = color_map_of(color, bits)
    right = expected(samples, color, bits, (), more["tags"][320][1] if more else None)
    for name, order in itertools.product(("none", "lzw"), "<>"):
        data = tiff(samples, color, bits, fill_order=2, order=order, compression=name, **more)
        np.testing.assert_array_equal(decode(data), right)


# --- compressions for pictures ----------------------------------------------------------


def encoded(number, function):
    return {"encode": (number, function)}


def saved(array, kind, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def smooth(channels, side=32):
    ramp = np.linspace(20, 230, side * side).reshape(side, side, 1)
    return np.concatenate([ramp, 255 - ramp, ramp.swapaxes(0, 1), ramp], -1)[..., :channels].astype(
        np.uint8
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize(("color", "channels"), [(BLACK_ZERO, 1), (WHITE_ZERO, 1), (RGB, 3)])
@pytest.mark.parametrize("planar", [False, True])
def test_jpeg_inside(order, tile, color, channels, planar):
    """Within 3 levels: JPEG of quality 100 rounds its coefficients."""
    samples = smooth(channels)

    def encode(part):
        gray = part.shape[2] == 1
        space = {} if gray else {"colorspace": "RGB", "outcolorspace": "RGB"}
        return imagecodecs.jpeg_encode(part[..., 0] if gray else part, level=100, **space)

    image = decode(tiff(samples, color, 8, order=order, tile=tile, rows=16, planar=planar,
                        orientation=6, **encoded(7, encode)))  # fmt: skip
    right = np.rot90(samples if color != WHITE_ZERO else 255 - samples, -1)
    right = right[..., 0] if channels == 1 else right
    assert np.abs(image.astype(int) - right).max() <= 3


@pytest.mark.parametrize("name", ["4:4:4", "4:2:0"])
def test_jpeg_inside_as_ycbcr(name):
    samples = smooth(3)

    def encode(part):
        return saved(part, "JPEG", quality=100, subsampling=name)

    factors = {"4:4:4": [1, 1], "4:2:0": [2, 2]}[name]
    image = decode(tiff(samples, YCBCR, 8, tags={530: (3, factors)}, **encoded(7, encode)))
    assert np.abs(image.astype(int) - samples).mean() <= 1.5  # chroma of 4:2:0 is averaged


@pytest.mark.parametrize("extras", [(), (ALPHA,), (PREMULTIPLIED,), (DATA,)])
def test_webp_inside(extras):
    samples = np.maximum(random_samples(RGB, 8, "u", extras, 5), 1)  # WebP drops clear colors

    def encode(part):
        return imagecodecs.webp_encode(part, lossless=True)

    data = tiff(samples, RGB, 8, extras=extras, tile=16, **encoded(50001, encode))
    np.testing.assert_array_equal(decode(data), expected(samples, RGB, 8, extras, None))


@pytest.mark.parametrize("color", [WHITE_ZERO, BLACK_ZERO])
@pytest.mark.parametrize(("number", "name"), [(3, "group3"), (4, "group4")])
def test_fax_inside(color, number, name):
    samples = np.repeat(np.random.default_rng(1).integers(0, 2, (16, 4, 1)), 6, 1).astype(np.uint8)

    def encode(part):
        file = saved(part[..., 0].astype(bool), "TIFF", compression=name)
        with Image.open(io.BytesIO(file)) as picture:
            (at,), (length,) = picture.tag_v2[273], picture.tag_v2[279]
        return file[at : at + length]

    data = tiff(samples, color, 1, **encoded(number, encode))
    gray = (1 - samples if color == WHITE_ZERO else samples)[..., 0] * 255
    np.testing.assert_array_equal(decode(data), gray)


@pytest.mark.parametrize("compression", ["none", "lzw"])
def test_ycbcr_and_lab_become_rgb(compression):
    """Red, a gray and white by the formulas of JPEG and of CIE Lab, D50, within 5 levels."""
    cases = {
        YCBCR: [[76, 85, 255], [100, 128, 128], [255, 128, 128]],
        LAB: [[138, 81, 70], [107, 0, 0], [255, 0, 0]],
    }
    right = {YCBCR: 100, LAB: 100}
    for color, stored in cases.items():
        samples = np.array([stored], np.uint8)
        tags = {530: (3, [1, 1])} if color == YCBCR else {}
        red, gray, white = decode(tiff(samples, color, 8, compression=compression, tags=tags))[0]
        assert np.abs(red.astype(int) - [254, 0, 0]).max() <= 5
        assert np.abs(gray.astype(int) - right[color]).max() <= 2
        assert np.abs(white.astype(int) - 255).max() <= 1


# --- what is refused --------------------------------------------------------------------


def plain(photometric=BLACK_ZERO, bits=8, channels=1, dtype="u1", **options):
    samples = np.ones((4, 6, channels), dtype)
    return tiff(samples, photometric, bits, **options)


def one(number, value):
    return {"tags": {number: (3, value if isinstance(value, list) else [value])}}


UNSUPPORTED = {
    "32-bit integer": plain(bits=32, dtype="u4"),
    "64-bit integer": plain(bits=64, dtype="u8"),
    "24-bit integer": plain(bits=24, dtype="u4"),
    "signed integers of 8 bits": plain(bits=8, dtype="i1"),
    "signed integers of 16 bits": plain(bits=16, dtype="i2", compression="lzw"),
    "floats of 24 bits": plain(bits=24, dtype="u4", sample_format=3),
    "no stated format": plain(sample_format=4),
    "complex integers": plain(bits=32, dtype="u4", sample_format=5),
    "complex floats": plain(bits=64, dtype="u8", sample_format=6),
    "min-is-white colors in floats": plain(WHITE_ZERO, 32, dtype="f4"),
    "CMYK colors in floats": plain(CMYK, 32, 4, "f4"),
    "CMYK colors of 4 bits": plain(CMYK, 4, 4),
    "CMYK colors with premultiplied alpha": plain(CMYK, channels=5, extras=[PREMULTIPLIED]),
    "CMYK colors with extra samples": plain(CMYK, channels=5, extras=[DATA]),
    "palette colors with extra samples": plain(PALETTE, channels=2, extras=[DATA]),
    "palette colors of 4 bits with extra": plain(PALETTE, 4, 2, extras=[ALPHA]),
    "min-is-white colors with extra samples": plain(WHITE_ZERO, channels=2, extras=[DATA]),
    "mask colors of 8 bits": plain(MASK),
    "YCbCr colors of 16 bits": plain(YCBCR, 16, 3, "u2"),
    "uncompressed YCbCr colors with subsampling": plain(YCBCR, channels=3, **one(530, [2, 1])),
    "Lab colors of 16 bits": plain(LAB, 16, 3, "u2"),
    "planes": plain(LAB, channels=3, planar=True),
    "ICC Lab": plain(9, channels=3),
    "raw files are not read": plain(32803),  # a color filter array
    "LogLuv": plain(32845, channels=3),
    "raw files .* convert them": plain(34892, channels=3),
    "photometric interpretation 77": plain(77),
    "no photometric interpretation": plain(tags={262: None}),
    "no photometric interpretation, so": plain(bits=16, channels=3, dtype="u2", tags={262: None}),
    "different bits per sample": plain(RGB, channels=3, **one(258, [5, 6, 5])),
    "12-bit JPEG": plain(bits=12, dtype="u2", **encoded(7, lambda part: b"\xff\xd8\xff")),
    "JPEG 2000 compression": plain(**encoded(33003, bytes)),
    "JPEG XL compression": plain(**encoded(50002, bytes)),
    "LERC compression": plain(**encoded(34887, bytes)),
    "unknown compression \\(999\\)": plain(**encoded(999, bytes)),
    "predictor 7": plain(compression="lzw", **one(317, 7)),
    "predictor 2 on samples of 4 bits": plain(bits=4, compression="lzw", predictor=2),
    "predictor 3 on samples of 16 bits": plain(bits=16, dtype="u2", compression="lzw",
                                               **one(317, 3)),
    "other inks than CMYK": plain(CMYK, channels=4, **one(332, 2)),
    "camera raw": plain(**one(50706, 1)),
    "513 channels: at most 512": plain(channels=513),
}  # fmt: skip


@pytest.mark.parametrize("feature", UNSUPPORTED)
def test_what_is_not_read_is_refused_by_name(feature):
    with pytest.raises(BadImage, match=feature) as caught:
        decode(UNSUPPORTED[feature])
    assert caught.value.kind == "unsupported"
    assert "damaged" not in str(caught.value)


def test_an_orientation_that_is_none_is_ignored():
    samples = random_samples(RGB, 16, "u", (), 1)
    for turn in (0, 9, 77):
        np.testing.assert_array_equal(decode(tiff(samples, RGB, 16, orientation=turn)), samples)


# --- damage -----------------------------------------------------------------------------


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_short_strip_is_an_error_and_no_uninitialized_memory(compression, bits):
    """The strip claims 16 rows and holds 8."""
    samples = random_samples(RGB, bits, "u", (), 2)
    for planar in (False, True):
        whole = tiff(samples[:16], RGB, bits, compression=compression, planar=planar)
        half = tiff(samples[:8], RGB, bits, compression=compression, planar=planar,
                    tags={257: (4, [16]), 278: (4, [16])})  # fmt: skip
        assert decode(whole).shape == (16, 19, 3)
        with pytest.raises(BadImage) as caught:
            decode(half)
        assert caught.value.kind in ("truncated", "corrupt")


@pytest.mark.parametrize("bits", [8, 16])
def test_tags_that_contradict_each_other_are_damage(bits):
    samples = random_samples(RGB, bits, "u", (), 2)
    for wrong in (plain(RGB, bits, 1, f"u{bits // 8}"), plain(CMYK, bits, 3, f"u{bits // 8}"),
                  tiff(samples, RGB, bits, extras=[ALPHA])):  # fmt: skip
        with pytest.raises(BadImage, match="fewer channels than its colors need") as caught:
            decode(wrong)
        assert caught.value.kind == "corrupt"


def test_missing_strips_are_refused():
    samples = random_samples(RGB, 16, "u", (), 2)
    data = tiff(samples, RGB, 16, rows=4)
    taller = tiff(samples, RGB, 16, rows=4, tags={257: (4, [40])})
    sparse = tiff(samples, RGB, 16, rows=19, **encoded(5, lambda part: b""))
    assert decode(data).shape == (17, 19, 3)
    for wrong, kind in ((taller, "truncated"), (sparse, "unsupported")):
        with pytest.raises(BadImage) as caught:
            decode(wrong)
        assert caught.value.kind == kind


def test_a_tile_is_as_large_as_an_image_may_be():
    """A tile is decoded whole: 8 x 8 pixels in one of 60,000 x 60,000 would take 20 gigabytes."""
    samples = random_samples(RGB, 16, "u", (), 2)
    sides = {322: (4, [60000]), 323: (4, [60000])}
    for name in ("none", "zstd", "lzw"):
        with pytest.raises(BadImage) as caught:
            decode(tiff(samples, RGB, 16, tile=32, compression=name, tags=sides))
        assert caught.value.kind == "too_large"


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_big_tiff(dtype):
    import tifffile

    samples = np.random.default_rng(4).integers(0, 200, (9, 7, 3)).astype(dtype)
    file = io.BytesIO()
    tifffile.imwrite(file, samples, bigtiff=True, photometric="rgb", compression="lzw")
    np.testing.assert_array_equal(decode(file.getvalue()), samples)


def test_odd_tags_print_nothing():
    """tifffile logs about them, and Python prints what is logged where nobody set up logging.

    In a process of its own, as pytest sets up logging.
    """
    samples = random_samples(RGB, 16, "u", (), 2)
    data = tiff(samples, RGB, 16, rows=5, tags={700: (3, [1, 2, 3])})
    entry = data.index(struct.pack("<HHI", 700, 3, 3))
    odd = data[: entry + 2] + b"\x63" + data[entry + 3 :]  # a type that there is not
    code = "import sys; from imgkit.io.decode import decode; decode(sys.stdin.buffer.read())"
    done = subprocess.run([sys.executable, "-c", code], input=odd, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_any_damage_is_one_clear_outcome_the_same_twice():
    """Memory that nothing wrote would differ between two reads."""
    rng = np.random.default_rng(8)
    outcomes = set()
    for _ in range(200):
        bits, photometric = ((1, BLACK_ZERO), (8, RGB), (16, RGB), (12, BLACK_ZERO))[
            rng.integers(4)
        ]
        samples = random_samples(photometric, bits, "u", (), 5)
        data = bytearray(
            tiff(samples, photometric, bits, compression=COMPRESSIONS[rng.integers(7)], rows=5,
                 order="<>"[rng.integers(2)], planar=bool(rng.integers(2)))
        )  # fmt: skip
        for _ in range(2):
            data[rng.integers(len(data) // 2, len(data))] = rng.integers(256)
        results = [outcome(bytes(data)) for _ in range(2)]
        assert results[0] == results[1]
        outcomes.add(results[0] if isinstance(results[0], str) else "ok")
    assert {"ok", "corrupt"} <= outcomes


def outcome(data):
    try:
        return decode(data, 10**6).tobytes()
    except BadImage as error:
        return error.kind
