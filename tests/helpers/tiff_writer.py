"""Write TIFF files of any layout, by the letter of the TIFF 6.0 specification.

No library that imgkit reads TIFF with writes the structure here, so that a fault of such a library
cannot cancel out. Codecs alone are borrowed.
"""

import struct
import zlib

import imagecodecs
import numpy as np

SHORT, LONG, RATIONAL = 3, 4, 5
FORMATS = {SHORT: "H", LONG: "I", RATIONAL: "I"}
COMPRESSIONS = {
    "none": (1, bytes),
    "lzw": (5, imagecodecs.lzw_encode),
    "deflate": (8, zlib.compress),
    "old deflate": (32946, zlib.compress),
    "packbits": (32773, imagecodecs.packbits_encode),
    "lzma": (34925, lambda raw: imagecodecs.lzma_encode(raw, level=0)),
    "zstd": (50000, imagecodecs.zstd_encode),
}


def tiff(samples, photometric, bits, **options):
    """Return the bytes of a file.

    Args:
        samples: (H, W, C), unsigned integers below 2 ** bits, or floats, or signed integers.
        photometric: number of the interpretation.
        bits: a sample.
        options: order "<" or ">"; planar; compression, a name; predictor 1, 2, 3; tile, a side or
            0; rows a strip; extras, kinds; orientation; fill_order; sample_format; tags, more
            entries (number -> (type, values)), or None to leave one out; encode, (number,
            function) of a segment's array.
    """
    order = options.get("order", "<")
    planar = options.get("planar", False)
    number, _ = options.get("encode") or COMPRESSIONS[options.get("compression", "none")]
    height, width, channels = samples.shape
    planes = [samples[..., c : c + 1] for c in range(channels)] if planar else [samples]
    tile, rows = options.get("tile", 0), options.get("rows", height)
    segments = [
        _segment(part, bits, options, order)
        for plane in planes
        for part in (_tiles(plane, tile) if tile else _strips(plane, rows))
    ]
    tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * channels),
        259: (SHORT, [number]),
        262: (SHORT, [photometric]),
        266: (SHORT, [options.get("fill_order", 1)]),
        274: (SHORT, [options.get("orientation", 1)]),
        277: (SHORT, [channels]),
        284: (SHORT, [2 if planar else 1]),
        317: (SHORT, [options.get("predictor", 1)]),
        339: (SHORT, [options.get("sample_format", _format(samples))] * channels),
    }
    if tile:
        tags |= {322: (LONG, [tile]), 323: (LONG, [tile])}
    else:
        tags[278] = LONG, [rows]
    if options.get("extras"):
        tags[338] = SHORT, list(options["extras"])
    tags |= options.get("tags", {})
    return _assemble({k: v for k, v in tags.items() if v}, segments, order, bool(tile))


def _format(samples):
    return {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]


def _strips(plane, rows):
    return [plane[y : y + rows] for y in range(0, len(plane), rows)]


def _tiles(plane, side):
    height, width = plane.shape[:2]
    padded = np.pad(plane, ((0, -height % side), (0, -width % side), (0, 0)))
    return [
        padded[y : y + side, x : x + side]
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]


def _segment(part, bits, options, order):
    """Return a strip or tile as packed and compressed bytes."""
    if options.get("encode"):
        return options["encode"][1](np.ascontiguousarray(part))
    predictor = options.get("predictor", 1)
    if predictor == 2:
        steps = part.copy()
        steps[:, 1:] -= part[:, :-1]  # wraps, as the specification wants
        raw = _packed(steps, bits, order)
    elif predictor == 3:
        raw = _float_differences(part)
    else:
        raw = _packed(part, bits, order)
    packed = COMPRESSIONS[options.get("compression", "none")][1](raw)
    if options.get("fill_order", 1) == 2:  # of what lies in the file
        packed = bytes(int(f"{byte:08b}"[::-1], 2) for byte in packed)
    return packed


def _packed(part, bits, order):
    """Rows of samples, each row padded to a whole byte."""
    if bits in (8, 16, 32, 64):
        return part.astype(part.dtype.newbyteorder(order)).tobytes()
    rows = []
    for row in part:
        text = "".join(format(int(value), f"0{bits}b") for value in row.ravel())
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


def _float_differences(part):
    """Predictor 3: the bytes of a row, most significant ones first, as differences."""
    rows, _, channels = part.shape
    size = part.dtype.itemsize
    raw = part.astype(part.dtype.newbyteorder(">")).reshape(rows, -1)
    planes = raw.view(np.uint8).reshape(rows, -1, size).swapaxes(1, 2).reshape(rows, -1)
    steps = planes.copy()
    steps[:, channels:] -= planes[:, :-channels]
    return steps.tobytes()


def _assemble(tags, segments, order, tiled):
    data = {"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4)
    offsets = []
    for segment in segments:
        offsets.append(len(data))
        data += segment + bytes(len(segment) % 2)
    counts = [len(segment) for segment in segments]
    tags[324 if tiled else 273] = LONG, offsets
    tags[325 if tiled else 279] = LONG, counts
    entries = b""
    for number in sorted(tags):
        kind, values = tags[number]
        body = struct.pack(f"{order}{len(values)}{FORMATS[kind]}", *values)
        count = len(values) // 2 if kind == RATIONAL else len(values)
        if len(body) > 4:
            body, at = struct.pack(order + "I", len(data)), body
            data += at + bytes(len(at) % 2)
        entries += struct.pack(order + "HHI", number, kind, count) + body.ljust(4, b"\0")
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return data[:4] + struct.pack(order + "I", len(data)) + data[8:] + directory
