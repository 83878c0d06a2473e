"""Forty small files that go wrong, each in its own way, and what must become of each.

`FILES` maps a name to its bytes and to the kinds of `BadImage` it may end with; "ok" is a kind
here, for damage that no reader can see. `write` puts all of them into a folder.
"""

import functools
import gzip
import io
import struct
import zlib

import numpy as np
from PIL import Image

ENDED = {"truncated", "corrupt"}  # a decoder may notice either way
HTML = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"


def picture():
    """A smooth color picture with some grain, 64 x 96."""
    y, x = np.mgrid[:64, :96]
    grain = np.random.default_rng(5).integers(0, 24, (64, 96, 3))
    return (np.stack([2 * x, 3 * y, x + y], axis=-1) + grain).astype(np.uint8)


def saved(kind, image=None, **options):
    file = io.BytesIO()
    image = picture() if image is None else image
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, bits, color, data, before=b""):
    """A PNG file of any claims and any compressed data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(count):
    """Deflated zeros: a thousandth of their number."""
    stream = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [stream.compress(block[: min(1 << 20, count - at)]) for at in range(0, count, 1 << 20)]
    return b"".join(parts) + stream.flush()


def flipped(data, at):
    changed = bytearray(data)
    changed[at] ^= 0x5A
    return bytes(changed)


def rotten(data):
    """Flip forty bytes in the second half."""
    changed = bytearray(data)
    for at in np.random.default_rng(3).integers(len(data) // 2, len(data) - 2, 40):
        changed[at] ^= 0x15
    return bytes(changed)


def gif(width, height, frames):
    """A GIF of frames of one pixel on a screen of any size."""
    start = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return start + frame * frames + b";"


def tiff(width, height, strip, compression=8, claimed=None, channels=1):
    """A 16-bit TIFF of one strip."""
    entries = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, compression)),
        *((262, 3, 1, 1 if channels == 1 else 2), (273, 4, 1, 8)),
        *((277, 3, 1, channels), (278, 4, 1, height)),
        (279, 4, 1, len(strip) if claimed is None else claimed),
    ]
    ifd = struct.pack("<H", len(entries))
    ifd += b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + ifd


def looped_tiff():
    """A TIFF whose second page is its first, for ever."""
    data = tiff(4, 4, zlib.compress(bytes(32)))
    return data[:-4] + data[4:8]


def webp_claiming(width, height):
    body = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def npy(header, body=b""):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body


def jpeg_of_many_scans():
    data = saved("JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * 600 + b"\xff\xd9"


def animation(kind, count, **options):
    frames = [Image.new("RGB", (4, 4), (50 * i, 0, 0)) for i in range(count)]
    return saved(kind, frames[0], save_all=True, append_images=frames[1:], **options)


def _half(data):
    return data[: len(data) // 2]


def _most(data):
    return data[: len(data) * 98 // 100]


@functools.cache
def files():
    """Return name -> (bytes, kinds of outcome that are right)."""
    made = {}
    for kind, name in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif"),
                       ("GIF", "gif"), ("BMP", "bmp"), ("AVIF", "avif")):  # fmt: skip
        made[f"half.{name}"] = _half(saved(kind)), ENDED
        made[f"most.{name}"] = _most(saved(kind)), ENDED
    whole = saved("PNG")
    jpeg = saved("JPEG")
    idat = whole.index(b"IDAT")
    text = chunk(b"zTXt", b"Comment\0\0" + zeros(60_000_000))
    return made | {
        "no_eoi.jpg": (jpeg[:-2], {"truncated"}),
        "no_iend.png": (whole[:-12], {"truncated"}),
        "crc.png": (flipped(whole, idat + 30), {"corrupt"}),
        "header_crc.png": (flipped(whole, 17), {"corrupt"}),
        "rotten.jpg": (rotten(jpeg), {"ok", "corrupt"}),  # a JPEG has no checksum
        "rotten.png": (rotten(whole), {"corrupt"}),
        "zeros.png": (bytes(1000), {"unknown"}),
        "start_only.png": (whole[:8], {"truncated"}),
        "start_only.jpg": (jpeg[:3], ENDED),
        "header_only.jpg": (jpeg[:20], ENDED),
        "zero_tail.png": (_half(whole) + bytes(len(whole) // 2), ENDED),
        "html.jpg": (HTML, {"unknown"}),
        "empty.jpg": (b"", {"empty"}),
        "gzipped.png": (gzip.compress(whole, mtime=0), {"unknown"}),
        "bomb_27k.png": (png(15000, 15000, 1, 0, zeros(15000 * 1876)), {"too_large"}),
        "bomb_194k.png": (png(40000, 40000, 1, 0, zeros(40000 * 5001)), {"too_large"}),
        "bomb_48k.png": (png(20000, 20000, 1, 0, zeros(20000 * 2501)), {"too_large"}),
        "bomb_text.png": (
            png(4, 4, 8, 0, zlib.compress(bytes(20)), text), {"too_large"}
        ),
        "bomb.gif": (gif(65535, 65535, 1), {"too_large"}),
        "bomb_frame.gif": (
            gif(1, 1, 1).replace(b"\1\0\1\0\0\2", b"\xff\xff\xff\xff\0\2"), {"too_large"}
        ),
        "bomb.ico": (b"\0\0\1\0\1\0" + bytes(16) + whole, {"unsupported"}),
        "bomb.webp": (webp_claiming(16383, 16383), {"too_large"}),
        "bomb_strip.tif": (tiff(8, 8, zeros(300_000_000)), {"too_large"}),
        "bomb_strip_rgb.tif": (tiff(8, 8, zeros(300_000_000), channels=3), {"too_large"}),
        "bomb_claim.tif": (tiff(100_000, 100_000, b"\0"), {"too_large"}),
        "bomb.npy": (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99999, 99999), }"),
                     {"too_large"}),
        "bomb_channels.npy": (
            npy("{'descr': '|f8', 'fortran_order': False, 'shape': (9999, 9999, 512), }"),
            {"too_large"},
        ),
        "short.npy": (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99, 99), }"),
                      {"truncated"}),
        "object.npy": (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", b"x"),
                       {"corrupt", "unsupported"}),
        "frames.gif": (gif(4, 4, 10_000), {"too_large"}),
        "frames.png": (
            png(4, 4, 8, 0, zlib.compress(bytes(20)), chunk(b"acTL", struct.pack(">II", 10**6, 0))),
            {"too_large"},
        ),
        "scans.jpg": (jpeg_of_many_scans(), {"too_large"}),
        "loop.tif": (looped_tiff(), {"ok"}),
        "missing_strip.tif": (tiff(64, 64, zlib.compress(bytes(8192)), 8, 10**6), ENDED),
        "script.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"unsupported"}),
        "program.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", {"unsupported"}),
    }  # fmt: skip


def write(folder):
    """Write every file into a folder; return name -> kinds of outcome that are right."""
    for name, (data, _) in files().items():
        (folder / name).write_bytes(data)
    return {name: kinds for name, (_, kinds) in files().items()}
