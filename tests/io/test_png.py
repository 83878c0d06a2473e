"""PNG: all bits are kept, and a transparent color is white, in every depth and color type."""

import itertools
import struct
import zlib

import numpy as np
import pytest

from imgkit.io.decode import decode, decode_details
from imgkit.io.header import BadImage

GRAY, RGB, GRAY_ALPHA, RGBA = 0, 2, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, GRAY_ALPHA: 2, RGBA: 4}
KINDS = [
    *((bits, GRAY) for bits in (1, 2, 4, 8, 16)),
    *((bits, color) for bits in (8, 16) for color in (RGB, GRAY_ALPHA, RGBA)),
]
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1)]  # of each pass: first row and column, steps  # fmt: skip


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def rows(samples, bits):
    """Scanlines without a filter."""
    lines = []
    for row in samples:
        text = "".join(format(int(value), f"0{bits}b") for value in row.ravel())
        text += "0" * (-len(text) % 8)
        lines.append(b"\0" + int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(lines)


def png(samples, bits, color, *, clear=(), interlaced=False, before=b"", after=b"", raw=None):
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    if raw is None and interlaced:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        raw = b"".join(rows(part, bits) for part in passes if part.size)
    raw = rows(samples, bits) if raw is None else raw
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
    if len(clear):
        data += chunk(b"tRNS", struct.pack(f">{len(clear)}H", *map(int, clear)))
    return data + chunk(b"IDAT", zlib.compress(raw)) + after + chunk(b"IEND", b"")


def random_samples(bits, color):
    shape = (9, 11, CHANNELS[color])
    return np.random.default_rng(bits + color).integers(0, 1 << bits, shape)


def expected(samples, bits, color, clear=()):
    top = 255 if bits <= 8 else 65535
    full = samples * (top / (2**bits - 1))
    if color in (GRAY_ALPHA, RGBA):
        full = full[..., :-1] * full[..., -1:] / top + (top - full[..., -1:])
    if len(clear):
        full = np.where((samples == np.array(clear)).all(-1, keepdims=True), top, full)
    full = np.rint(full).astype(np.uint8 if bits <= 8 else np.uint16)
    return full[..., 0] if full.shape[2] == 1 else full


@pytest.mark.parametrize(("bits", "color"), KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_every_depth_and_color_type(bits, color, interlaced):
    samples = random_samples(bits, color)
    image = decode(png(samples, bits, color, interlaced=interlaced))
    right = expected(samples, bits, color)
    assert image.dtype == right.dtype
    np.testing.assert_array_equal(image, right)


@pytest.mark.parametrize(("bits", "color"), [kind for kind in KINDS if kind[1] in (GRAY, RGB)])
def test_a_transparent_color_is_white(bits, color):
    samples = random_samples(bits, color)
    levels = range(1 << bits) if bits <= 4 else (samples[0, 0, 0], 0, (1 << bits) - 1)
    colors = [(int(level),) for level in levels] if color == GRAY else [samples[0, 0], (0, 1, 2)]
    for clear, interlaced in itertools.product(colors, (False, True)):
        image = decode(png(samples, bits, color, clear=clear, interlaced=interlaced))
        np.testing.assert_array_equal(image, expected(samples, bits, color, clear))


@pytest.mark.parametrize(("bits", "color"), KINDS)
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("part", ["of the animation", "not of it"])
def test_the_first_picture_of_an_animation(bits, color, clear, part):
    """Whether or not the still picture is a frame, it is what is read; a note says so."""
    samples = random_samples(bits, color)
    other = (1 << bits) - 1 - samples
    height, width = samples.shape[:2]

    def frame(number):
        place = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)
        return chunk(b"fcTL", place)

    color_key = samples[0, 0] if clear and color in (GRAY, RGB) else ()
    first = part == "of the animation"
    later = zlib.compress(rows(other, bits))
    before = chunk(b"acTL", struct.pack(">II", 2, 0)) + (frame(0) if first else b"")
    number = 1 if first else 0
    after = b""
    for _ in range(1 if first else 2):
        after += frame(number) + chunk(b"fdAT", struct.pack(">I", number + 1) + later)
        number += 2
    found = decode_details(png(samples, bits, color, clear=color_key, before=before, after=after))
    np.testing.assert_array_equal(found.image, expected(samples, bits, color, color_key))
    assert found.notes == ("the png file has 2 frames: the first is read",)


@pytest.mark.parametrize(("bits", "color"), KINDS)
@pytest.mark.parametrize("clear", [False, True])
def test_too_few_rows_are_an_error_and_no_uninitialized_memory(bits, color, clear):
    samples = random_samples(bits, color)
    color_key = samples[0, 0] if clear and color in (GRAY, RGB) else ()
    half = rows(samples[:4], bits)
    with pytest.raises(BadImage) as caught:
        decode(png(samples, bits, color, clear=color_key, raw=half))
    assert caught.value.kind in ("truncated", "corrupt")


# --- files that libpng alone would refuse, or warn about --------------------------------


def packed_with_window(raw, bits):
    """Compressed data whose header states a smaller window than it uses, as some writers do."""
    packed = bytearray(zlib.compress(raw))
    packed[0] = (bits - 8) << 4 | 8
    packed[1] = -(packed[0] << 8) % 31
    return bytes(packed)


def file_of(samples, bits, color, *parts):
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *parts, chunk(b"IEND", b"")])


@pytest.mark.parametrize(("bits", "color"), KINDS)
@pytest.mark.parametrize("window", [8, 9, 12])
@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_window_that_is_stated_too_small(bits, color, window, cut):
    part = np.random.default_rng(bits).integers(0, 1 << bits, (16, 300, CHANNELS[color]))
    samples = np.concatenate([part, part, part])
    packed = packed_with_window(rows(samples, bits), window)
    pieces = [chunk(b"IDAT", packed[:cut]), chunk(b"IDAT", packed[cut:])] if cut else [
        chunk(b"IDAT", packed)]  # fmt: skip
    image = decode(file_of(samples, bits, color, *pieces))
    np.testing.assert_array_equal(image, expected(samples, bits, color))


ODD = {
    "a palette": (b"PLTE", bytes(range(48))),
    "a palette of a wrong length": (b"PLTE", bytes(5)),
    "a second header": (b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 2, 0, 0, 0)),
    "a chunk without a name": (b"\xc3\x28\xa0\xa1", b"x"),
    "an unknown critical chunk": (b"ABCD", b"x"),
    "a short transparent color": (b"tRNS", b"\0" * 12),
    "a profile": (b"iCCP", b"name\0\0broken"),
}


PLACES = [
    *((name, "after") for name in ODD),
    # Pillow reads the header, and takes none of the two others before the pixels
    *((n, "before") for n in ODD if n not in ("a second header", "a chunk without a name")),
]


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_odd_chunks_neither_refuse_a_file_nor_print(name, place, capfd):
    for bits, color in KINDS:
        if name == "a short transparent color" and color in (GRAY, RGB):
            continue
        samples = random_samples(bits, color)
        data = png(samples, bits, color, **{place: chunk(*ODD[name])})
        np.testing.assert_array_equal(decode(data), expected(samples, bits, color))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("bits", "color"), [kind for kind in KINDS if kind[0] <= 8])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("tall", [False, True])
def test_a_side_above_a_million(bits, color, interlaced, tall, capfd):
    small = random_samples(bits, color)[:1]
    samples = np.tile(small, (1, 1_000_001 // small.shape[1] + 1, 1))[:, :1_000_001]
    samples = samples.swapaxes(0, 1) if tall else samples
    data = big(samples, bits, color, interlaced)
    np.testing.assert_array_equal(decode(data), expected(samples, bits, color))
    with pytest.raises(BadImage) as caught:
        decode(big(samples, bits, color, interlaced, missing=4))
    assert caught.value.kind == "truncated"
    assert capfd.readouterr() == ("", "")


def big(samples, bits, color, interlaced=False, missing=0):
    """A file as `png` writes it, packed by NumPy, because text is slow for a million pixels."""

    def lines(part):
        values = np.unpackbits(part.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        packed = np.packbits(values.reshape(len(part), -1), axis=1)
        return np.pad(packed, ((0, 0), (1, 0))).tobytes()

    parts = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [samples]
    raw = b"".join(lines(part) for part in parts if part.size)
    return png(samples, bits, color, interlaced=interlaced, raw=raw[: len(raw) - missing])


@pytest.mark.parametrize("color", [GRAY, RGBA])
def test_a_side_above_a_million_in_16_bits_is_refused_by_name(color, capfd):
    samples = np.zeros((1, 1_000_001, CHANNELS[color]), np.uint16)
    raw = b"\0" + samples.tobytes()
    with pytest.raises(BadImage, match="sides are at most 1000000") as caught:
        decode(png(samples, 16, color, raw=raw))
    assert caught.value.kind == "unsupported"
    assert capfd.readouterr() == ("", "")
