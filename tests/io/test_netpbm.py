"""PGM and PPM of more than 8 bits keep them."""

import numpy as np
import pytest

from imgkit.io.decode import decode
from imgkit.io.header import BadImage

ALLOW = {"allow": ["ppm"]}


@pytest.mark.parametrize("top", [65535, 4095, 1023, 256])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", [False, True])
def test_deep_levels_fill_16_bits(top, channels, text):
    levels = np.random.default_rng(top).integers(0, top + 1, (5, 7, channels))
    magic = {(1, False): 5, (3, False): 6, (1, True): 2, (3, True): 3}[channels, text]
    body = (
        " ".join(str(level) for level in levels.ravel()).encode()
        if text
        else levels.astype(">u2").tobytes()
    )
    for header in (b"P%d\n7 5\n%d\n", b"P%d # made\n# by hand\n7\t5 # size\n %d\n"):
        image = decode(header % (magic, top) + body, **ALLOW)
        right = np.rint(levels / top * 65535).astype(np.uint16)
        np.testing.assert_array_equal(image, right if channels == 3 else right[..., 0])
        assert image.dtype == np.uint16


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("magic", "top"), [(2, 1000), (2, 65535), (3, 1000), (3, 65535)])
def test_comments_between_levels_as_text(magic, top, end):
    levels = np.random.default_rng(top).integers(0, top + 1, (3, 4, 1 if magic == 2 else 3))
    lines = [" ".join(map(str, row.ravel())) for row in levels]
    plain = f"P{magic} 4 3 {top}\n" + "\n".join(lines)
    noted = f"P{magic}{end}4 3{end}{top}{end}# 9 8 7{end}" + "".join(
        f"{line}# {row}{end}#{end} # 5 # 6{end}" for row, line in enumerate(lines)
    )
    right = np.rint(levels / top * 65535)
    for text in (plain, noted, noted + "# the end"):
        np.testing.assert_array_equal(
            decode(text.encode(), **ALLOW), right[..., 0] if magic == 2 else right
        )


def test_eight_bits_stay_eight():
    for data in (b"P5\n2 1\n255\n\x0a\xff", b"P2\n2 1\n255\n10 255\n"):
        image = decode(data, **ALLOW)
        assert image.tolist() == [[10, 255]]
        assert image.dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"P5\n2 1\n65535\n\0\0\0", "truncated"),
        (b"P2\n2 1\n65535\n7", "truncated"),
        (b"P5\n2 1\n1000\n\xff\xff\0\0", "corrupt"),
        (b"P2\n2 1\n1000\n-1 3", "corrupt"),
        (b"P2\n2 1\n1000\none 3", "corrupt"),
        (b"P5\n2 1\n70000\n" + bytes(4), "corrupt"),
        (b"P5\n0 1\n65535\n", "truncated"),
        (b"P5\n99999 99999\n65535\n", "too_large"),
    ],
)
def test_damage(data, kind):
    with pytest.raises(BadImage) as caught:
        decode(data, **ALLOW)
    assert caught.value.kind == kind
