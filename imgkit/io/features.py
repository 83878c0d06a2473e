"""Name what a file uses and imgkit does not read, before a decoder calls the file damaged."""

from __future__ import annotations

import struct

from imgkit.io.header import BadImage

JPEG_READ = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, with Huffman codes
# read only if Pillow's libjpeg was built with them
JPEG_OPTIONAL = {0xC3: "lossless", 0xC9: "arithmetic-coded", 0xCA: "arithmetic-coded progressive"}
JPEG_OTHER = {
    0xC5: "hierarchical",
    0xC6: "hierarchical progressive",
    0xC7: "hierarchical lossless",
    0xCB: "arithmetic-coded lossless",
    0xCD: "arithmetic-coded hierarchical",
    0xCE: "arithmetic-coded hierarchical",
    0xCF: "arithmetic-coded hierarchical lossless",
    0xF7: "near-lossless (JPEG-LS)",
}
JPEG_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length


def check_supported(data: bytes, kind: str) -> None:
    """Raise if the header of a file names a feature that is not read, or only at less depth.

    Raises:
        BadImage: of kind "unsupported". A header that ends early raises nothing: decoders tell.
    """
    checks = {"jpg": _check_jpeg, "psd": _check_psd, "sgi": _check_sgi, "jp2": _check_jp2}
    if kind in checks:
        try:
            checks[kind](data)
        except (IndexError, struct.error):
            return


def optional_feature(data: bytes, kind: str) -> str | None:
    """Return what a decoder that calls a file broken may not have been built for, or None."""
    process = _jpeg_frame(data)[0] if kind == "jpg" else 0
    return f"{JPEG_OPTIONAL[process]} JPEG" if process in JPEG_OPTIONAL else None


def notes(data: bytes, kind: str) -> tuple[str, ...]:
    """Return notes about what is lost although the file is read."""
    at = data.find(b"av1C", 0, 4096) if kind == "avif" else -1
    if at < 0 or at + 6 >= len(data) or not data[at + 6] & 0x40:
        return ()
    bits = 12 if data[at + 6] & 0x20 else 10
    return (f"the avif file has {bits} bits a channel: it is read in 8",)


def _refusal(feature: str) -> BadImage:
    return BadImage("unsupported", f"not supported: {feature}")


def _jpeg_frame(data: bytes) -> tuple[int, int, int]:
    """Return (process, bits, components) of the frame header; the process is its marker."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in JPEG_ALONE:
            at += 2
        elif marker in JPEG_READ or marker in JPEG_OPTIONAL or marker in JPEG_OTHER:
            return (marker, data[at + 4], data[at + 9]) if at + 9 < len(data) else (0, 8, 3)
        elif marker == 0xDA:
            break
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 8, 3


def _check_jpeg(data: bytes) -> None:
    process, bits, components = _jpeg_frame(data)
    if process in JPEG_OTHER:
        raise _refusal(f"{JPEG_OTHER[process]} JPEG")
    if bits in (12, 16):
        name = JPEG_OPTIONAL.get(process, "")
        raise _refusal(f"{bits}-bit {name + ' ' if name else ''}JPEG: 8 bits are read")
    if components == 2 or components > 4:
        raise _refusal(f"JPEG of {components} components: gray, RGB, YCbCr and CMYK are read")


def _check_psd(data: bytes) -> None:
    bits, mode = struct.unpack_from(">HH", data, 22)
    if bits > 8:
        raise _refusal(f"{bits}-bit PSD: 1 and 8 bits are read")
    if mode not in (0, 1, 2, 3, 4, 7, 8, 9):
        raise _refusal(f"PSD of color mode {mode}")


def _check_sgi(data: bytes) -> None:
    if data[3] == 2:  # bytes a channel; Pillow would narrow them
        raise _refusal("16-bit SGI: 8 bits are read")


def _check_jp2(data: bytes) -> None:
    at = data.index(b"\xff\x4f\xff\x51") if b"\xff\x4f\xff\x51" in data else len(data)
    (components,) = struct.unpack_from(">H", data, at + 38 + 2)
    for index in range(components):
        depth = data[at + 42 + 3 * index]
        bits = (depth & 0x7F) + 1
        if depth & 0x80:
            raise _refusal("signed JPEG 2000")
        if bits != 8 and (bits, components) != (16, 1):
            raise _refusal(f"{bits}-bit JPEG 2000: 8 bits are read, of gray also 16")
