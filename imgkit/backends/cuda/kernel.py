"""The Triton kernel of `imgkit.backends.cuda.launch`: a program writes one strip of one sample.

Each program reads the numbers of its sample, samples the source where its map points (bilinear,
bicubic, or a footprint as wide as the map shrinks), lets canvases cut, runs the color steps in
registers and stores. Positions are float64 (two multiply-adds an axis); all else is float32.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
from __future__ import annotations

import triton
import triton.language as tl

# Columns of a sample's row of numbers, before those of canvases, Gaussians and steps.
OFFSET = tl.constexpr(0)  # of its first value in the source
SIZE = tl.constexpr(1)  # height, width
PITCH = tl.constexpr(3)  # values from a row of pixels to the next
WINDOW = tl.constexpr(4)  # top, left, height, width
BORDER = tl.constexpr(8)
PAD = tl.constexpr(9)
STRETCH = tl.constexpr(10)  # of the kernel along x, y
TAPS = tl.constexpr(12)  # along x, y
CUT = tl.constexpr(14)  # whether the kernel is cut at the window, as Pillow does
SHARP = tl.constexpr(15)  # a of Keys' cubic
RADIUS = tl.constexpr(16)  # of the Gaussian along x, y; -1 where the kernel itself is stretched
INVERSE = tl.constexpr(18)
FILL = tl.constexpr(27)
PAD_FILL = tl.constexpr(30)
FIXED = tl.constexpr(33)
CANVAS = tl.constexpr(14)  # numbers of one: matrix, height, width, fill

# Kinds of steps.
LINEAR = tl.constexpr(1)
LINEAR_MEANS = tl.constexpr(2)
HUE = tl.constexpr(3)
CURVE = tl.constexpr(4)
ERASE = tl.constexpr(5)
NORMALIZE = tl.constexpr(6)

ALONE = tl.constexpr(-2)  # the launch in which each program adds up the means it needs
MIXED = tl.constexpr(5)  # borders that differ between samples
ROUND = tl.constexpr(12582912.0)  # 1.5 * 2**23: adding it rounds a float32 half to even


@triton.jit
def _clip(v, low, high):
    return tl.minimum(tl.maximum(v, low), high)


@triton.jit
def _whole(v):
    """Round to a level of uint8, half to even."""
    return (_clip(v, 0.0, 255.0) + ROUND) - ROUND


@triton.jit
def _modulo(i, n):
    return ((i % n) + n) % n


@triton.jit
def _fold(i, n, code, MODE: tl.constexpr):
    """Map positions on an endless axis to pixels; a constant border's are clamped."""
    if MODE <= 1:
        return _clip(i, 0, n - 1)
    elif MODE == 2:
        period = tl.maximum(2 * n - 2, 1)
        folded = _modulo(i, period)
        return tl.minimum(folded, period - folded)
    elif MODE == 3:
        folded = _modulo(i, 2 * n)
        return tl.minimum(folded, 2 * n - 1 - folded)
    elif MODE == 4:
        return _modulo(i, n)
    else:
        period = tl.maximum(2 * n - 2, 1)
        twice = _modulo(i, 2 * n)
        near = _modulo(i, period)
        found = _clip(i, 0, n - 1)
        found = tl.where(code == 2, tl.minimum(near, period - near), found)
        found = tl.where(code == 3, tl.minimum(twice, 2 * n - 1 - twice), found)
        return tl.where(code == 4, _modulo(i, n), found)


@triton.jit
def _point(row, at, x, y, PROJECTIVE: tl.constexpr):
    """Map output pixels by the matrix that begins in a column."""
    px = tl.load(row + at) * x + tl.load(row + at + 1) * y + tl.load(row + at + 2)
    py = tl.load(row + at + 3) * x + tl.load(row + at + 4) * y + tl.load(row + at + 5)
    if PROJECTIVE:
        w = tl.load(row + at + 6) * x + tl.load(row + at + 7) * y + tl.load(row + at + 8)
        w = tl.where(w == 0.0, 1e-154, w)
        px = px / w
        py = py / w
    return px, py


@triton.jit
def _kernel_at(t, sharp, INTERPOLATION: tl.constexpr):
    """Weigh a pixel at distance t, in widths of the kernel."""
    t = tl.abs(t)
    if INTERPOLATION == 1:
        return tl.maximum(1.0 - t, 0.0)
    near = ((sharp + 2.0) * t - (sharp + 3.0)) * t * t + 1.0
    far = ((t - 5.0) * t + 8.0) * t * sharp - 4.0 * sharp
    return tl.where(t <= 1.0, near, tl.where(t < 2.0, far, 0.0))


@triton.jit
def _tap_weight(row, j, part, stretch, sharp, radius, gaussian, INTERPOLATION: tl.constexpr,
                SPREAD: tl.constexpr):  # fmt: skip
    """Weigh tap j of a footprint that begins `part` pixels before the position.

    Without a Gaussian that is the kernel itself, stretched. With one it is blurring, then
    sampling: the kernel's taps convolved with the Gaussian's.
    """
    weight = _kernel_at((j - part) / stretch, sharp, INTERPOLATION)
    if SPREAD > 0:
        center = gaussian + SPREAD + 4 + j - tl.maximum(radius, 0)
        inner = part - tl.maximum(radius, 0).to(tl.float32)  # as if there were no Gaussian
        blurred = tl.zeros_like(weight)
        for m in tl.static_range(2 * INTERPOLATION):
            tap = tl.load(row + center - m, mask=radius >= 0, other=0.0).to(tl.float32)
            blurred += _kernel_at(m - inner, sharp, INTERPOLATION) * tap
        weight = tl.where(radius >= 0, blurred, weight)
    return weight


@triton.jit
def _cover(row, at, x, y, INTERPOLATION: tl.constexpr, PROJECTIVE: tl.constexpr):
    """Return how much of a canvas each output pixel sees."""
    px, py = _point(row, at, x, y, PROJECTIVE)
    height, width = tl.load(row + at + 9), tl.load(row + at + 10)
    if INTERPOLATION == 0:
        px, py = tl.floor(px + 0.5), tl.floor(py + 0.5)
        inside = (px >= 0.0) & (px < width) & (py >= 0.0) & (py < height)
        return inside.to(tl.float32)
    across = _clip(tl.minimum(px + 1.0, width - px), 0.0, 1.0)
    down = _clip(tl.minimum(py + 1.0, height - py), 0.0, 1.0)
    return (across * down).to(tl.float32)


@triton.jit
def _hue(r, g, b, shift):
    """Turn the HSV hue by a share of a turn."""
    value = tl.maximum(tl.maximum(r, g), b)
    chroma = value - tl.minimum(tl.minimum(r, g), b)
    gray = chroma == 0.0
    divisor = tl.where(gray, 1.0, chroma)
    sector = tl.where(
        value == r,
        (g - b) / divisor,
        tl.where(value == g, 2.0 + (b - r) / divisor, 4.0 + (r - g) / divisor),
    )
    sector = tl.where(gray, 0.0, sector) + 6.0 * shift
    return (
        _channel(value, chroma, sector + 5.0),
        _channel(value, chroma, sector + 3.0),
        _channel(value, chroma, sector + 1.0),
    )


@triton.jit
def _channel(value, chroma, sector):
    distance = sector - 6.0 * tl.floor(sector * (1.0 / 6.0))
    return value - chroma * _clip(tl.minimum(distance, 4.0 - distance), 0.0, 1.0)


@triton.jit
def _sampled(source, row, x, y, COLUMN, CHANNEL, INTERPOLATION: tl.constexpr,
             STATIC_TAPS: tl.constexpr, SPREAD: tl.constexpr, BORDERS: tl.constexpr,
             PADS: tl.constexpr, PROJECTIVE: tl.constexpr):  # fmt: skip
    """Read the source where the map points: red, green, blue in levels."""
    image = source + tl.load(row + OFFSET).to(tl.int64)
    whole_h, whole_w = tl.load(row + SIZE).to(tl.int32), tl.load(row + SIZE + 1).to(tl.int32)
    pitch = tl.load(row + PITCH).to(tl.int32)
    top, left = tl.load(row + WINDOW).to(tl.int32), tl.load(row + WINDOW + 1).to(tl.int32)
    height, width = tl.load(row + WINDOW + 2).to(tl.int32), tl.load(row + WINDOW + 3).to(tl.int32)
    border, pad = tl.load(row + BORDER).to(tl.int32), tl.load(row + PAD).to(tl.int32)
    stretch_x, stretch_y = tl.load(row + STRETCH), tl.load(row + STRETCH + 1)
    radius_x, radius_y = tl.load(row + RADIUS).to(tl.int32), tl.load(row + RADIUS + 1).to(tl.int32)
    cut, sharp = tl.load(row + CUT).to(tl.int32), tl.load(row + SHARP).to(tl.float32)
    px, py = _point(row, INVERSE, x, y, PROJECTIVE)
    px, py = _clip(px, -1e6, 1e6), _clip(py, -1e6, 1e6)
    if INTERPOLATION == 0:
        base_x, base_y = tl.floor(px + (0.5 + 1e-9)), tl.floor(py + (0.5 + 1e-9))
    else:
        back_x = INTERPOLATION * stretch_x + tl.maximum(radius_x, 0) - 1.0
        back_y = INTERPOLATION * stretch_y + tl.maximum(radius_y, 0) - 1.0
        base_x, base_y = tl.floor(px - back_x), tl.floor(py - back_y)
    part_x, part_y = (px - base_x).to(tl.float32), (py - base_y).to(tl.float32)
    first_x, first_y = base_x.to(tl.int32), base_y.to(tl.int32)
    stretch_x, stretch_y = stretch_x.to(tl.float32), stretch_y.to(tl.float32)
    if STATIC_TAPS > 0:
        taps_x = STATIC_TAPS
        taps_y = STATIC_TAPS
    else:
        taps_x, taps_y = tl.load(row + TAPS).to(tl.int32), tl.load(row + TAPS + 1).to(tl.int32)
    red = tl.zeros_like(part_x)
    green = tl.zeros_like(part_x)
    blue = tl.zeros_like(part_x)
    total = tl.zeros_like(part_x)
    for jy in range(0, taps_y):
        iy = first_y + jy
        if INTERPOLATION == 0:
            weight_y = tl.zeros_like(part_y) + 1.0
        else:
            gaussian = FIXED
            weight_y = _tap_weight(row, jy, part_y, stretch_y, sharp, radius_y,
                                   gaussian + 2 * SPREAD + 9, INTERPOLATION, SPREAD)  # fmt: skip
        out_y = (iy < 0) | (iy >= height)
        iy = _fold(iy, height, border, BORDERS) + top
        if PADS >= 0:
            pad_y = (pad == 0) & ((iy < 0) | (iy >= whole_h))
            iy = _fold(iy, whole_h, pad, PADS)
        weight_y = tl.where(out_y & (cut != 0), 0.0, weight_y)
        line_r = tl.zeros_like(part_x)
        line_g = tl.zeros_like(part_x)
        line_b = tl.zeros_like(part_x)
        line = tl.zeros_like(part_x)
        for jx in range(0, taps_x):
            ix = first_x + jx
            if INTERPOLATION == 0:
                weight = weight_y
            else:
                weight = _tap_weight(row, jx, part_x, stretch_x, sharp, radius_x, FIXED,
                                     INTERPOLATION, SPREAD)  # fmt: skip
            out_x = (ix < 0) | (ix >= width)
            weight = tl.where(out_x & (cut != 0), 0.0, weight)
            off = (out_x | out_y) & (border == 0)
            ix = _fold(ix, width, border, BORDERS) + left
            at = image + (iy * pitch + _clip(ix, 0, whole_w - 1) * COLUMN)
            if PADS >= 0:
                padded = pad_y | ((pad == 0) & ((ix < 0) | (ix >= whole_w)))
                at = image + (iy * pitch + _fold(ix, whole_w, pad, PADS) * COLUMN)
            r = tl.load(at).to(tl.float32)
            g = tl.load(at + CHANNEL).to(tl.float32)
            b = tl.load(at + 2 * CHANNEL).to(tl.float32)
            if PADS >= 0:
                r = tl.where(padded, tl.load(row + PAD_FILL).to(tl.float32), r)
                g = tl.where(padded, tl.load(row + PAD_FILL + 1).to(tl.float32), g)
                b = tl.where(padded, tl.load(row + PAD_FILL + 2).to(tl.float32), b)
            if (BORDERS == 0) or (BORDERS == MIXED):
                r = tl.where(off, tl.load(row + FILL).to(tl.float32), r)
                g = tl.where(off, tl.load(row + FILL + 1).to(tl.float32), g)
                b = tl.where(off, tl.load(row + FILL + 2).to(tl.float32), b)
            line_r += weight * r
            line_g += weight * g
            line_b += weight * b
            line += weight
        if (INTERPOLATION == 2) and (STATIC_TAPS == 0):  # noqa: SIM102 (one is a constant)
            # as Pillow: clipped after each axis
            if cut != 0:
                line = tl.where(line == 0.0, 1.0, line)
                line_r = _clip(line_r / line, 0.0, 255.0)
                line_g = _clip(line_g / line, 0.0, 255.0)
                line_b = _clip(line_b / line, 0.0, 255.0)
                line = tl.zeros_like(line) + 1.0
        red += weight_y * line_r
        green += weight_y * line_g
        blue += weight_y * line_b
        total += weight_y * line
    if STATIC_TAPS == 0:
        total = tl.where((cut != 0) & (total != 0.0), total, 1.0)
        red, green, blue = red / total, green / total, blue / total
    return red, green, blue


@triton.jit
def _mean(sums, place, channel, SLOTS: tl.constexpr, SPAN: tl.constexpr, PIXELS: tl.constexpr):
    """Add the sums of a mean, one or one of each strip, always in the same order."""
    if SLOTS == 1:
        return tl.load(sums + place * 3 + channel) / PIXELS
    slot = tl.arange(0, SPAN)
    at = sums + (place * SLOTS + slot) * 3 + channel
    return tl.sum(tl.load(at, mask=slot < SLOTS, other=0.0), axis=0) / PIXELS


@triton.jit
def _add(sums, place, slot, red, green, blue, SLOTS: tl.constexpr):
    """Leave what a program added up."""
    at = sums + (place * SLOTS + slot) * 3
    tl.store(at, tl.sum(red, axis=0))
    tl.store(at + 1, tl.sum(green, axis=0))
    tl.store(at + 2, tl.sum(blue, axis=0))


@triton.jit
def _pixels(source, row, tables, sums, tile, last, COLUMN, CHANNEL, KNOWN: tl.constexpr,
            HEIGHT: tl.constexpr, WIDTH: tl.constexpr, SLOTS: tl.constexpr, SPAN: tl.constexpr,
            STOPS: tl.constexpr, INTERPOLATION: tl.constexpr, STATIC_TAPS: tl.constexpr,
            SPREAD: tl.constexpr, BORDERS: tl.constexpr, PADS: tl.constexpr, CUTS: tl.constexpr,
            PROJECTIVE: tl.constexpr, STEPS: tl.constexpr, COLUMNS: tl.constexpr,
            COUNTS: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Compute a tile up to a step of a sample, whose first KNOWN means are known.

    Returns red, green, blue, the column and row of each pixel, and which there are.
    """
    pixel = tile * BLOCK + tl.arange(0, BLOCK)
    xi, yi = pixel % WIDTH, tl.minimum(pixel // WIDTH, HEIGHT - 1)
    x, y = xi.to(tl.float64), yi.to(tl.float64)
    r, g, b = _sampled(source, row, x, y, COLUMN, CHANNEL, INTERPOLATION, STATIC_TAPS, SPREAD,
                       BORDERS, PADS, PROJECTIVE)  # fmt: skip
    for place in tl.static_range(CUTS):
        at = FIXED + 2 * (2 * SPREAD + 9) + place * CANVAS
        cover = _cover(row, at, x, y, INTERPOLATION, PROJECTIVE)
        r = cover * r + (1.0 - cover) * tl.load(row + at + 11).to(tl.float32)
        g = cover * g + (1.0 - cover) * tl.load(row + at + 12).to(tl.float32)
        b = cover * b + (1.0 - cover) * tl.load(row + at + 13).to(tl.float32)
    if INTERPOLATION == 2:
        r, g, b = _clip(r, 0.0, 255.0), _clip(g, 0.0, 255.0), _clip(b, 0.0, 255.0)
    for i in tl.static_range(len(STEPS)):
        own = row + COLUMNS[i]
        if STEPS[i] == LINEAR or STEPS[i] == LINEAR_MEANS:
            if (tl.load(own + 21) > 0.0) & (i < last):
                o0 = tl.load(own + 18).to(tl.float32)
                o1 = tl.load(own + 19).to(tl.float32)
                o2 = tl.load(own + 20).to(tl.float32)
                if STEPS[i] == LINEAR_MEANS:
                    for p in tl.static_range(KNOWN):
                        if tl.load(row + STOPS + p) == i:
                            m0 = _mean(sums, p, 0, SLOTS, SPAN, HEIGHT * WIDTH)
                            m1 = _mean(sums, p, 1, SLOTS, SPAN, HEIGHT * WIDTH)
                            m2 = _mean(sums, p, 2, SLOTS, SPAN, HEIGHT * WIDTH)
                            o0 += _dot(own + 9, m0, m1, m2)
                            o1 += _dot(own + 12, m0, m1, m2)
                            o2 += _dot(own + 15, m0, m1, m2)
                n0 = _clip(_dot(own, r, g, b) + o0, 0.0, 255.0)
                n1 = _clip(_dot(own + 3, r, g, b) + o1, 0.0, 255.0)
                n2 = _clip(_dot(own + 6, r, g, b) + o2, 0.0, 255.0)
                r, g, b = n0, n1, n2
        elif STEPS[i] == HUE:
            shift = tl.load(own).to(tl.float32)
            if (shift != 0.0) & (i < last):
                r, g, b = _clip(r, 0.0, 255.0), _clip(g, 0.0, 255.0), _clip(b, 0.0, 255.0)
                r, g, b = _hue(r, g, b, shift)
        elif STEPS[i] == CURVE:
            if (tl.load(own) > 0.0) & (i < last):
                table = tables + COUNTS[i] * 256
                r = tl.load(table + _whole(r).to(tl.int32)).to(tl.float32)
                g = tl.load(table + _whole(g).to(tl.int32)).to(tl.float32)
                b = tl.load(table + _whole(b).to(tl.int32)).to(tl.float32)
        elif STEPS[i] == ERASE:
            for k in tl.static_range(COUNTS[i]):
                hole = own + 3 + 4 * k
                inside = (xi >= tl.load(hole).to(tl.int32)) & (yi >= tl.load(hole + 1).to(tl.int32))
                inside = inside & (xi < tl.load(hole + 2).to(tl.int32))
                inside = inside & (yi < tl.load(hole + 3).to(tl.int32)) & (i < last)
                r = tl.where(inside, tl.load(own).to(tl.float32), r)
                g = tl.where(inside, tl.load(own + 1).to(tl.float32), g)
                b = tl.where(inside, tl.load(own + 2).to(tl.float32), b)
        elif i < last:
            r = r * tl.load(own).to(tl.float32) + tl.load(own + 3).to(tl.float32)
            g = g * tl.load(own + 1).to(tl.float32) + tl.load(own + 4).to(tl.float32)
            b = b * tl.load(own + 2).to(tl.float32) + tl.load(own + 5).to(tl.float32)
    return r, g, b, xi, yi, pixel < HEIGHT * WIDTH


@triton.jit
def _store(out, r, g, b, xi, yi, mask, OUT_CHANNEL, OUT_ROW, OUT_COLUMN):
    at = out + yi * OUT_ROW + xi * OUT_COLUMN
    kind = out.dtype.element_ty
    if kind == tl.uint8:
        r, g, b = _whole(r), _whole(g), _whole(b)
    tl.store(at, r.to(kind), mask=mask)
    tl.store(at + OUT_CHANNEL, g.to(kind), mask=mask)
    tl.store(at + 2 * OUT_CHANNEL, b.to(kind), mask=mask)


@triton.jit(do_not_specialize=["programs"])
def augment(source, numbers, tables, sums, out, programs, COLUMN, CHANNEL, OUT_SAMPLE, OUT_CHANNEL,
            OUT_ROW, OUT_COLUMN, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, ROW: tl.constexpr,
            TABLES: tl.constexpr, TILES: tl.constexpr, SPAN: tl.constexpr, MEANS: tl.constexpr,
            PASS: tl.constexpr, STOPS: tl.constexpr, INTERPOLATION: tl.constexpr,
            STATIC_TAPS: tl.constexpr, SPREAD: tl.constexpr, BORDERS: tl.constexpr,
            PADS: tl.constexpr, CUTS: tl.constexpr, PROJECTIVE: tl.constexpr,
            STEPS: tl.constexpr, COLUMNS: tl.constexpr, COUNTS: tl.constexpr,
            BLOCK: tl.constexpr):  # fmt: skip
    """Write a tile of one sample; PASS asks for something else.

    ALONE: add up every mean of the sample, then write each tile that is this program's. The
    `programs` of a sample add the same numbers in the same order, so none waits for another.
    0 or more: leave the sums of this tile, that a mean is made of.
    """
    program = tl.program_id(0)
    END: tl.constexpr = len(STEPS) + 1
    if PASS == ALONE:
        sample, first = (program // programs).to(tl.int64), program % programs
        row, table = numbers + sample * ROW, tables + sample * TABLES * 256
        image = out + sample * OUT_SAMPLE
        own = sums + program.to(tl.int64) * (MEANS * 3)
        for place in tl.static_range(MEANS):
            stop = tl.load(row + STOPS + place).to(tl.int32)
            red = tl.zeros([BLOCK], tl.float32)
            green = tl.zeros([BLOCK], tl.float32)
            blue = tl.zeros([BLOCK], tl.float32)
            for tile in range(0, tl.where(stop >= 0, TILES, 0)):
                r, g, b, _x, _y, there = _pixels(
                    source, row, table, own, tile, stop, COLUMN, CHANNEL, place, HEIGHT, WIDTH, 1,
                    1, STOPS, INTERPOLATION, STATIC_TAPS, SPREAD, BORDERS, PADS, CUTS, PROJECTIVE,
                    STEPS, COLUMNS, COUNTS, BLOCK)  # fmt: skip
                red += tl.where(there, r, 0.0)
                green += tl.where(there, g, 0.0)
                blue += tl.where(there, b, 0.0)
            _add(own, place, 0, red, green, blue, 1)
            tl.debug_barrier()  # what one thread stored is read by all
        for tile in range(first, TILES, programs):
            r, g, b, xi, yi, there = _pixels(
                source, row, table, own, tile, END, COLUMN, CHANNEL, MEANS, HEIGHT, WIDTH, 1, 1,
                STOPS, INTERPOLATION, STATIC_TAPS, SPREAD, BORDERS, PADS, CUTS, PROJECTIVE, STEPS,
                COLUMNS, COUNTS, BLOCK)  # fmt: skip
            _store(image, r, g, b, xi, yi, there, OUT_CHANNEL, OUT_ROW, OUT_COLUMN)
    else:
        sample, tile = (program // TILES).to(tl.int64), program % TILES
        row, table = numbers + sample * ROW, tables + sample * TABLES * 256
        own = sums + sample * (MEANS * TILES * 3)
        if PASS >= 0:
            stop = tl.load(row + STOPS + PASS).to(tl.int32)
            r, g, b, xi, yi, there = _pixels(
                source, row, table, own, tile, stop, COLUMN, CHANNEL, PASS, HEIGHT, WIDTH, TILES,
                SPAN, STOPS, INTERPOLATION, STATIC_TAPS, SPREAD, BORDERS, PADS, CUTS, PROJECTIVE,
                STEPS, COLUMNS, COUNTS, BLOCK)  # fmt: skip
            r, g, b = tl.where(there, r, 0.0), tl.where(there, g, 0.0), tl.where(there, b, 0.0)
            _add(own, PASS, tile, r, g, b, TILES)
        else:
            r, g, b, xi, yi, there = _pixels(
                source, row, table, own, tile, END, COLUMN, CHANNEL, MEANS, HEIGHT, WIDTH, TILES,
                SPAN, STOPS, INTERPOLATION, STATIC_TAPS, SPREAD, BORDERS, PADS, CUTS, PROJECTIVE,
                STEPS, COLUMNS, COUNTS, BLOCK)  # fmt: skip
            image = out + sample * OUT_SAMPLE
            _store(image, r, g, b, xi, yi, there, OUT_CHANNEL, OUT_ROW, OUT_COLUMN)


@triton.jit
def _dot(at, r, g, b):
    """Multiply three numbers with the color."""
    return (
        tl.load(at).to(tl.float32) * r
        + tl.load(at + 1).to(tl.float32) * g
        + tl.load(at + 2).to(tl.float32) * b
    )
