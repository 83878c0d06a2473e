"""What the tags of a TIFF page say about its pixels, and which of these layouts are read.

Every layout is either read exactly or refused by name: nothing is guessed from the number of
channels. `imgkit.io.tiff` states the rules.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from imgkit.image import MAX_CHANNELS
from imgkit.io.header import BadImage

WHITE_ZERO, BLACK_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
COLORS = {
    WHITE_ZERO: 1,
    BLACK_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    MASK: 1,
    CMYK: 4,
    YCBCR: 3,
    LAB: 3,
}  # channels of each photometric interpretation that is read
OTHER_COLORS = {
    9: "ICC Lab",
    10: "ITU Lab",
    32803: "a color filter array (camera raw)",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw (camera raw)",
    51177: "a depth map",
    52527: "a semantic mask",
}
UINT, INT, FLOAT = 1, 2, 3  # sample formats
OTHER_FORMATS = {4: "samples of no stated format", 5: "complex integers", 6: "complex floats"}
PREMULTIPLIED, ALPHA = 1, 2  # kinds of extra samples; the others are data
UNTAGGED_ALPHA = ((RGB, 8, UINT), (RGB, 16, UINT))  # an extra sample needs no tag to be alpha
NONE, OLD_JPEG, JPEG, PACKBITS, WEBP = 1, 6, 7, 32773, 50001
DEFLATE = (8, 32946)
FAX = (2, 3, 4, 32771)
ALWAYS_IN_LIBTIFF = (NONE, 5, *DEFLATE, PACKBITS)  # the others depend on how Pillow was built
COMPRESSIONS = (NONE, 5, *DEFLATE, PACKBITS, 34925, 50000, JPEG, OLD_JPEG, WEBP, *FAX)
COMPRESSION_NAMES = {
    32766: "NeXT",
    32809: "ThunderScan",
    34661: "JBIG",
    34676: "SGI log",
    34677: "SGI log",
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of a camera raw",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
NO_PREDICTOR, HORIZONTAL, FLOATING = 1, 2, 3
DNG = 50706  # the version of a DNG file, whose first page is a thumbnail
DEFAULT_WEIGHTS = (0.299, 0.587, 0.114)
FULL_RANGE = (0, 255, 128, 255, 128, 255)


class Layout(NamedTuple):
    """How the pixels of a page are stored."""

    photometric: int
    bits: int
    sample_format: int
    channels: int
    extras: tuple[int, ...]  # a kind for each channel behind the colors
    planar: bool
    compression: int
    predictor: int
    orientation: int
    fill_order: int = 1

    @property
    def alpha(self) -> int:
        """The kind of the alpha channel, or 0. Alpha is alpha if it is the only extra sample."""
        (kind,) = self.extras if len(self.extras) == 1 else (0,)
        return kind if kind in (PREMULTIPLIED, ALPHA) else 0


def read_layout(page: Any) -> Layout:
    """Return the layout of a page of tifffile.

    Raises:
        BadImage: the layout is not read, or its tags contradict each other.
    """
    tags = page.tags
    photometric, channels = _colors(tags)
    bits = _same(tags.valueof("BitsPerSample", 1), channels, "bits per sample")
    kind = _same(tags.valueof("SampleFormat", UINT), channels, "sample formats")
    compression = int(tags.valueof("Compression", NONE))
    turn = _number(tags.valueof("Orientation", 1))
    layout = Layout(
        photometric,
        bits,
        kind,
        channels,
        _extras(tags, channels, (photometric, bits, kind)),
        channels > 1 and int(tags.valueof("PlanarConfiguration", 1)) == 2,
        compression,
        # without a compression that has one libtiff ignores the tag
        NO_PREDICTOR
        if compression in (NONE, PACKBITS)
        else int(tags.valueof("Predictor", NO_PREDICTOR)),
        turn if turn in range(1, 9) else 1,
        int(tags.valueof("FillOrder", 1)),
    )
    _check_samples(layout)
    _check_colors(layout)
    _check_storage(layout)
    if photometric == YCBCR and layout.compression == NONE:
        _check_plain_ycbcr(tags)
    if page.imagedepth > 1:
        raise refusal(f"a volume of {page.imagedepth} slices in one page")
    return layout


def _colors(tags: Any) -> tuple[int, int]:
    """Return the photometric interpretation and the number of channels."""
    if DNG in tags:
        raise refusal("a camera raw (DNG): convert it first")
    photometric = _photometric(tags)
    old = int(tags.valueof("Compression", NONE)) == OLD_JPEG
    # old JPEG files leave the number of channels to the JPEG stream
    channels = int(tags.valueof("SamplesPerPixel", COLORS.get(photometric, 1) if old else 1))
    if channels > MAX_CHANNELS:
        raise BadImage("unsupported", f"{channels} channels: at most {MAX_CHANNELS}")
    if photometric not in COLORS:
        raise refusal(OTHER_COLORS.get(photometric, f"photometric interpretation {photometric}"))
    if photometric == CMYK and _number(tags.valueof("InkSet", 1)) != 1:
        raise refusal("other inks than CMYK")
    return photometric, channels


def _photometric(tags: Any) -> int:
    """Return the photometric interpretation; without a tag one channel of many bits is gray.

    In 8 bits and less readers differ: for libtiff 0 is black, for Pillow it is white.
    """
    if "PhotometricInterpretation" in tags:
        return int(tags.valueof("PhotometricInterpretation"))
    one = int(tags.valueof("SamplesPerPixel", 1)) == 1
    if not one or _number(tags.valueof("BitsPerSample", 1)) <= 8:
        raise refusal("no photometric interpretation, so that its colors are unknown")
    return BLACK_ZERO


def refusal(feature: str) -> BadImage:
    """Return the error for a TIFF with a feature that is not read."""
    return BadImage("unsupported", f"not supported: a tiff of {feature}")


def needs_pillow(layout: Layout) -> bool:
    """Whether libtiff, through Pillow, is the reader of this compression or color space."""
    whole_jpeg = layout.compression == JPEG and not layout.planar
    old = layout.compression in (*FAX, OLD_JPEG)
    return whole_jpeg or old or layout.photometric in (YCBCR, LAB)


def suits_pillow(layout: Layout) -> bool:
    """Whether Pillow has a mode that keeps every bit of this layout."""
    if layout.sample_format != UINT or layout.planar or layout.photometric == MASK:
        return False
    if not needs_pillow(layout) and (
        layout.compression not in ALWAYS_IN_LIBTIFF or layout.fill_order != 1
    ):
        return False
    if not layout.extras:
        depths = (1, 2, 4, 8) if COLORS[layout.photometric] == 1 else (8,)
        return layout.bits in depths
    # Pillow divides premultiplied colors by their alpha, which loses levels
    return layout.alpha == ALPHA and layout.bits == 8 and layout.photometric in (BLACK_ZERO, RGB)


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _same(value: Any, channels: int, name: str) -> int:
    """Return the value that all channels share; LSM files list more values than channels."""
    listed = value if isinstance(value, tuple) else (value,)
    values = {int(each) for each in listed[:channels]}
    if len(values) != 1:
        raise refusal(f"channels of different {name}: {sorted(values)}")
    return values.pop()


def _extras(tags: Any, channels: int, colors: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the kinds of the extra samples. One that no tag describes is data (0).

    But a fourth sample of RGB is alpha if there is no tag: OpenCV writes RGBA without one, and
    libtiff reads it so.

    Args:
        tags: of the page.
        channels: colors and extra samples.
        colors: photometric interpretation, bits, sample format.
    """
    value = tags.valueof("ExtraSamples", ())
    kinds = tuple(int(kind) for kind in (value if isinstance(value, tuple) else (value,)))
    count = channels - COLORS[colors[0]]
    if not kinds and count == 1 and colors in UNTAGGED_ALPHA:
        return (ALPHA,)
    if count < 0 or len(kinds) > count:
        raise BadImage(
            "corrupt", "the tiff file is damaged: it has fewer channels than its colors need"
        )
    return kinds + (0,) * (count - len(kinds))


def _check_samples(layout: Layout) -> None:
    bits, kind = layout.bits, layout.sample_format
    if kind == INT:
        raise refusal(f"signed integers of {bits} bits: images have 8 or 16 bits, or are floats")
    if kind == UINT and not 1 <= bits <= 16:
        raise refusal(f"{bits}-bit integer pixels: images have 8 or 16 bits, or are floats")
    if kind == FLOAT and bits not in (16, 32, 64):
        raise refusal(f"floats of {bits} bits: 16, 32 and 64 bits are read")
    if kind not in (UINT, FLOAT):
        raise refusal(OTHER_FORMATS.get(kind, f"sample format {kind}"))


def _check_colors(layout: Layout) -> None:
    """Raise if a depth or the extra samples have no rule in this color space."""
    bits, photometric, extras = layout.bits, layout.photometric, layout.extras
    name = {0: "min-is-white", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab"}.get(
        photometric
    )
    if name is None:  # min-is-black and RGB have a rule for every depth and number of channels
        return
    if layout.sample_format == FLOAT:
        raise refusal(f"{name} colors in floats")
    depths = {PALETTE: range(1, 17), MASK: (1,), CMYK: (8, 16), YCBCR: (8,), LAB: (8,)}
    if bits not in depths.get(photometric, range(1, 17)):
        raise refusal(f"{name} colors of {bits} bits")
    if photometric == PALETTE and extras and bits != 8:
        raise refusal(f"palette colors of {bits} bits with extra samples")
    known = {WHITE_ZERO: (PREMULTIPLIED, ALPHA), PALETTE: (ALPHA,), CMYK: (ALPHA,)}
    if extras and layout.alpha not in known.get(photometric, ()):
        what = {PREMULTIPLIED: "premultiplied alpha", ALPHA: "alpha"}.get(
            layout.alpha, "extra samples that are not one alpha channel"
        )
        raise refusal(f"{name} colors with {what}")


def _check_storage(layout: Layout) -> None:
    """Raise if the compression or the predictor is not read in this layout."""
    number = layout.compression
    if number not in COMPRESSIONS:
        raise refusal(f"{COMPRESSION_NAMES.get(number, 'unknown')} compression ({number})")
    eight = layout.bits == 8 and layout.sample_format == UINT
    if number in (JPEG, OLD_JPEG, WEBP) and not eight:
        raise refusal(f"{layout.bits}-bit {'WebP' if number == WEBP else 'JPEG'}: 8 bits are read")
    if number == WEBP and (layout.channels not in (3, 4) or layout.planar):
        raise refusal("WebP with another layout than RGB or RGBA")
    if number in FAX and (layout.bits, layout.channels) != (1, 1):
        raise refusal("fax compression with more than one bit a pixel")
    if needs_pillow(layout) and not suits_pillow(layout):
        raise refusal("JPEG, fax, YCbCr or Lab with planes or extra samples")
    if layout.predictor not in (NO_PREDICTOR, HORIZONTAL, FLOATING):
        raise refusal(f"predictor {layout.predictor}")
    if layout.predictor != NO_PREDICTOR and number in (5, *DEFLATE, 34925, 50000):
        floats = layout.sample_format == FLOAT
        if layout.bits not in (8, 16, 32, 64) or (layout.predictor == FLOATING and not floats):
            raise refusal(f"predictor {layout.predictor} on samples of {layout.bits} bits")


def _check_plain_ycbcr(tags: Any) -> None:
    """Raise unless uncompressed YCbCr is what JPEG means by it: full range, no subsampling."""
    if tuple(tags.valueof("YCbCrSubSampling", (2, 2))) != (1, 1):
        raise refusal("uncompressed YCbCr colors with subsampling")
    weights = _fractions(tags.valueof("YCbCrCoefficients", ()))
    ranges = _fractions(tags.valueof("ReferenceBlackWhite", ()))
    if weights and any(abs(a - b) > 1e-3 for a, b in zip(weights, DEFAULT_WEIGHTS, strict=True)):
        raise refusal("uncompressed YCbCr colors with coefficients of their own")
    if ranges and any(abs(a - b) > 0.5 for a, b in zip(ranges, FULL_RANGE, strict=True)):
        raise refusal("uncompressed YCbCr colors with a range of their own")


def _fractions(values: Any) -> list[float]:
    return [a / b if b else 0.0 for a, b in zip(values[::2], values[1::2], strict=True)]
