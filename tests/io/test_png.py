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
