"""Originals and variants side by side: a contact sheet, and a page of one file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.ops.resample import resize
from imgkit.report.pictures import Numbers, Picture, Row

Array = npt.NDArray[Any]
COARSE = 128  # images up to this size are shown with their pixels as squares
COLORS = ("#ff5a5f", "#21b8a6", "#f5a623", "#4a90e2", "#b967d9", "#7ab317", "#e2599b", "#00a3c7")


# --- the page ---------------------------------------------------------------------------


def sheet_page(rows: list[Row], title: str, facts: Mapping[str, str], notes: str = "") -> str:
    """Return a page of HTML without scripts, fonts or pictures from other places.

    Args:
        rows: the originals and variants.
        title: the headline.
        facts: names and values, below the headline.
        notes: longer text that the reader can unfold.
    """
    chips = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in facts.items())
    fold = f"<details><summary>What runs</summary><pre>{_text(notes)}</pre></details>"
    labeled = any(len(v) for row in rows for v in row.original.labels.values())
    switch = '<label><input type="checkbox" id="{0}" checked>{0}</label>'
    switches = "".join(
        switch.format(n) for n in (("labels", "numbers") if labeled else ("numbers",))
    )
    template = resources.files("imgkit.report").joinpath("page.html").read_text("utf-8")
    for name, value in {
        "title": _text(title),
        "facts": chips,
        "switches": switches,
        "notes": fold if notes else "",
        "rows": "\n".join(_row(row) for row in rows),
    }.items():
        template = template.replace(f"<!--{name}-->", value)
    return template


def _row(row: Row) -> str:
    variants = "".join(_figure(picture, "variant") for picture in row.variants)
    original = _figure(row.original, "original")
    return f'<section>{original}<div class="variants">{variants}</div></section>'


def _figure(picture: Picture, kind: str) -> str:
    height, width = picture.image.shape[:2]
    coarse = " coarse" if max(height, width) <= COARSE else ""
    return (
        f'<figure class="{kind}"><div class="frame{coarse}" style="aspect-ratio:{width}/{height}">'
        f'<img alt="" src="{picture_uri(picture.image)}">{_overlay(picture)}</div>'
        f"<figcaption><b>{_text(picture.title)}</b> <span>{_text(picture.note)}</span></figcaption>"
        f"{_ops(picture.ops)}</figure>"
    )


def _ops(ops: Iterable[tuple[str, Numbers | None]]) -> str:
    """Return the ops that happened with their numbers, and a line of those that did not."""
    listed, missing = [], []
    for name, numbers in ops:
        if numbers is None:
            missing.append(name)
            continue
        text = ", ".join(f"<span>{_text(' '.join(pair))}</span>" for pair in numbers) or "✓"
        listed.append(f"<div><dt>{_text(name)}</dt><dd>{text}</dd></div>")
    without = f'<p class="off">not {_text(", ".join(missing))}</p>' if missing else ""
    return (
        f'<div class="ops"><dl>{"".join(listed)}</dl>{without}</div>' if listed or missing else ""
    )


def _overlay(picture: Picture) -> str:
    """Return boxes and points as SVG in the pixels of the image; lines keep their width."""
    height, width = picture.image.shape[:2]
    unit = max(height, width) / 100
    shapes = []
    names = picture.labels.get("labels", [])
    for i, (x0, y0, x1, y1) in enumerate(picture.labels.get("boxes", [])):
        color = color_of(names[i] if i < len(names) else "", i)
        shapes.append(
            f'<rect x="{x0:.2f}" y="{y0:.2f}" width="{x1 - x0:.2f}" height="{y1 - y0:.2f}" '
            f'stroke="{color}"/>'
        )
        if i < len(names) and names[i]:
            shapes.append(_tag(str(names[i]), x0, y0, y1, width, unit, color))
    for point in picture.labels.get("keypoints", []):
        x, y = point[0] + 0.5, point[1] + 0.5  # centers are whole numbers, edges of the drawing too
        if 0 <= x <= width and 0 <= y <= height:
            shapes.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{1.3 * unit:.2f}"/>')
    if not shapes:
        return ""
    return f'<svg viewBox="0 0 {width} {height}">{"".join(shapes)}</svg>'


def _tag(name: str, x: float, y0: float, y1: float, width: int, unit: float, color: str) -> str:
    """Return the name of a box on a patch: above it, or inside at the top of the image."""
    size = 4.6 * unit
    wide = (0.58 * len(name) + 0.7) * size
    x = max(0.0, min(x, width - wide))
    y = y0 - 1.3 * size if y0 >= 1.3 * size else y0
    return (
        f'<rect class="tag" x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" '
        f'height="{1.3 * size:.2f}" fill="{color}"/>'
        f'<text x="{x + 0.35 * size:.2f}" y="{y + 0.96 * size:.2f}" '
        f'font-size="{size:.2f}">{_text(name)}</text>'
    )


def color_of(name: str, place: int) -> str:
    """Return the color of a name; boxes without names take the colors in turn."""
    return COLORS[(sum(name.encode()) if name else place) % len(COLORS)]


def _text(value: str) -> str:
    return html.escape(value)


def picture_uri(image: Array) -> str:
    """Return an image as a data address: PNG if it is small, else JPEG."""
    from PIL import Image

    image = shrink(image, 640)
    file = io.BytesIO()
    small = image.size < 100_000
    kind = "PNG" if small else "JPEG"
    Image.fromarray(image).save(file, kind, **({} if small else {"quality": 88}))
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{data}"


def enlarge(image: Array, side: int) -> Array:
    """Return a small image with every pixel a square, as large as fits in `side`."""
    factor = side // max(image.shape[:2]) if max(image.shape[:2]) <= COARSE else 1
    return image.repeat(factor, 0).repeat(factor, 1) if factor > 1 else image


def shrink(image: Array, side: int) -> Array:
    """Return an image of at most `side` pixels on its longer side."""
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    factor = side / max(height, width)
    return np.asarray(
        resize(image, (max(1, round(height * factor)), max(1, round(width * factor))))
    )


# --- the contact sheet ------------------------------------------------------------------

CELL, GAP, MARGIN, CAPTION, HEAD = 240, 12, 28, 58, 64
PAPER, INK, FAINT, MAT = (252, 252, 253), (28, 30, 36), (120, 126, 138), (238, 240, 243)


def contact_sheet(rows: list[Row], title: str, facts: Mapping[str, str]) -> Array:
    """Return one picture, uint8 RGB: each row an original and its variants, captions below."""
    from PIL import Image, ImageDraw, ImageFont

    columns = 1 + max((len(row.variants) for row in rows), default=0)
    width = 2 * MARGIN + columns * CELL + (columns - 1) * GAP + (GAP if columns > 1 else 0)
    height = 2 * MARGIN + HEAD + len(rows) * (CELL + CAPTION + GAP) - GAP
    sheet = Image.new("RGB", (width, max(height, 2 * MARGIN + HEAD)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN - 4), title, INK, ImageFont.load_default(24))
    text = "   ".join(f"{name} {value}" for name, value in facts.items())
    pen.text((MARGIN, MARGIN + 28), text, FAINT, ImageFont.load_default(14))
    for i, row in enumerate(rows):
        y = MARGIN + HEAD + i * (CELL + CAPTION + GAP)
        for j, picture in enumerate((row.original, *row.variants)):
            x = MARGIN + j * (CELL + GAP) + (GAP if j else 0)
            _cell(sheet, pen, picture, x, y)
    return np.asarray(sheet)


def _cell(sheet: Any, pen: Any, picture: Picture, x: int, y: int) -> None:
    """Draw one picture on its mat, centered, with its labels and two lines of caption."""
    from PIL import Image, ImageFont

    small = enlarge(shrink(picture.image, CELL), CELL)
    left, top = x + (CELL - small.shape[1]) // 2, y + (CELL - small.shape[0]) // 2
    pen.rectangle((x, y, x + CELL - 1, y + CELL - 1), MAT)
    sheet.paste(Image.fromarray(small).convert("RGB"), (left, top))
    _mark(pen, picture, left, top, small.shape[1] / picture.image.shape[1])
    font = ImageFont.load_default(13)
    pen.text((x, y + CELL + 4), _wrap(pen, f"{picture.title}  {picture.note}", font, 1), INK, font)
    happened = ", ".join(name for name, numbers in picture.ops if numbers is not None)
    pen.text((x, y + CELL + 21), _wrap(pen, happened, font, 2), FAINT, font)


def _mark(pen: Any, picture: Picture, left: int, top: int, scale: float) -> None:
    """Draw boxes, their names and points."""
    from PIL import ImageFont

    font = ImageFont.load_default(12)
    names = picture.labels.get("labels", [])
    for i, box in enumerate(picture.labels.get("boxes", [])):
        x0, y0, x1, y1 = (v * scale + o for v, o in zip(box, (left, top, left, top), strict=True))
        name = str(names[i]) if i < len(names) else ""
        color = color_of(name, i)
        pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=color, width=2)
        if name:
            y = y0 - 16 if y0 - 16 >= top else y0
            pen.rectangle((x0, y, x0 + pen.textlength(name, font) + 8, y + 16), color)
            pen.text((x0 + 4, y + 1), name, "white", font)
    for point in picture.labels.get("keypoints", []):
        x, y = ((v + 0.5) * scale + o for v, o in zip(point[:2], (left, top), strict=True))
        height, width = picture.image.shape[:2]
        if 0 <= x - left <= width * scale and 0 <= y - top <= height * scale:
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), "#ffd60a", "black")


def _wrap(pen: Any, text: str, font: Any, lines: int) -> str:
    """Break a text into lines of a cell's width; a text that is too long ends in dots."""
    text = text.replace("\u00d7", "x")  # Pillow's own font has no multiplication sign
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1] else word
        if pen.textlength(longer, font) <= CELL or not rows[-1]:
            rows[-1] = longer
        else:
            rows.append(word)
    kept = rows[:lines]
    if len(rows) > lines:
        kept[-1] += " ..."
    for i, row in enumerate(kept):
        while row and pen.textlength(row, font) > CELL:
            row = row.removesuffix(" ...")[:-1] + " ..." if len(row) > 5 else ""
        kept[i] = row
    return "\n".join(kept)
