"""Draw the figures of a folder as a picture, and as a page of one file."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.dataset.stats import Figures, pooled, sides, summary
from imgkit.io.encode import encode
from imgkit.io.files import printable_path

Array = npt.NDArray[Any]
WIDTH = 1200  # of the picture; its height depends on the content
PANELS = ((40, 130, 580, 450), (640, 130, 1160, 450))  # left, top, right, bottom
LISTS = ((40, 520, 580), (640, 520, 1160))  # left, top, right
ROW, COLUMN = 34, 90  # pixels of a bar with its gap, at most
PAPER, INK, FAINT, BAR = "#ffffff", "#22262b", "#8a929c", "#4a76b8"
GRID = "#e4e7eb"
CHANNELS = ("#d9483b", "#3a9a4f", "#3f6fd1")
MOST_BARS = 12


def draw(figures: Figures, title: str) -> Array:
    """Draw the figures: levels of each channel, longer sides, formats and classes; (H, W, 3)."""
    from PIL import Image, ImageDraw

    classes = sorted(figures.classes.items(), key=lambda item: (-item[1], item[0]))
    shapes = [(f"{w} x {h}", n) for (w, h), n in figures.sizes.most_common()]
    listed = (
        ("Format", figures.formats.most_common()),
        ((f"Class ({len(classes)})", classes) if classes else ("Size", shapes)),
    )
    rows = max(min(len(rows), MOST_BARS) for _, rows in listed)
    picture = Image.new("RGB", (WIDTH, LISTS[0][1] + rows * ROW + 30), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((40, 28), title, INK, _font(28))
    pen.text((40, 70), _subtitle(figures), FAINT, _font(16))
    _levels(pen, PANELS[0], figures)
    named = [(_side(low, below), count) for low, below, count in sides(figures)]
    while named and not named[-1][1]:
        named.pop()
    while named and not named[0][1]:
        named.pop(0)
    _columns(pen, PANELS[1], "Longer side, pixels", named)
    for area, (name, bars) in zip(LISTS, listed, strict=True):
        _bars(pen, area, name, bars)
    return np.asarray(picture)


def chart_page(figures: Figures, title: str, facts: dict[str, Any]) -> str:
    """Return the picture and the figures as one HTML page, which opens without a network."""
    picture = base64.b64encode(encode(draw(figures, title), "png")).decode()
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td><pre>{html.escape(json.dumps(value))}</pre></td></tr>"
        for name, value in facts.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>"
        "<style>body{font:16px system-ui,sans-serif;margin:2em auto;max-width:1200px}"
        "img{width:100%}th{text-align:left;vertical-align:top;padding-right:2em}"
        "pre{margin:0;white-space:pre-wrap;word-break:break-word}</style>"
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{picture}">'
        f"<table>{rows}</table></html>\n"
    )


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _subtitle(figures: Figures) -> str:
    facts = summary(figures)
    parts = [f"{figures.images:,} images", f"{facts['pixels']:,} pixels"]
    if facts["mean"] and len(facts["mean"]) <= 4:
        for name in ("mean", "std"):
            parts.append(f"{name} " + " ".join(f"{value:.4f}" for value in facts[name]))
    return "   ·   ".join(parts)


def _side(low: int, below: int | None) -> str:
    return f"{low}+" if below is None else f"{low}-{below - 1}"


# --- panels -----------------------------------------------------------------------------


def _levels(pen: Any, box: tuple[int, int, int, int], figures: Figures) -> None:
    """Draw the frequency of each level, one line a channel."""
    left, top, right, bottom = box
    pen.text((left, top - 28), "Levels, share of the pixels", INK, _font(18))
    lines = _shares(figures)
    if lines is None:
        pen.text((left, top), "no channels in common", FAINT, _font(16))
        return
    # a peak at black or white would flatten the rest, so the scale leaves those two out
    tallest = max(float(lines[:, 1:-1].max()), float(np.median(lines)), 1e-12)
    for part in range(5):
        x = left + (right - left) * part / 4
        pen.line([(x, top), (x, bottom)], GRID, 1)
        pen.text((x, bottom + 6), f"{part / 4:g}", FAINT, _font(13), anchor="ma")
    colors = CHANNELS if len(lines) == 3 else (INK,) * len(lines)
    for line, color in zip(lines, colors, strict=True):
        heights = np.minimum(line / tallest, 1.0)
        across = np.linspace(left, right, len(line))
        points = np.column_stack([across, bottom - heights * (bottom - top)])
        pen.line([tuple(point) for point in points.tolist()], color, 2)
    pen.line([(left, bottom), (right, bottom)], INK, 1)
    if len(lines) == 3:
        for at, (name, color) in enumerate(zip("RGB", colors, strict=True)):
            pen.text((right - 60 + 22 * at, top - 26), name, color, _font(16))


def _shares(figures: Figures) -> Array | None:
    """Return the share of the pixels at each level, (C, 256); gray counts as equal channels."""
    width = pooled(figures.channels)
    if width is None:
        return None
    total: Array = sum(
        (np.broadcast_to(h, (width, h.shape[1])) for h in figures.histograms.values()),
        np.zeros((width, 256), np.int64),
    )
    return total / total.sum(axis=1, keepdims=True)


def _columns(
    pen: Any, box: tuple[int, int, int, int], title: str, rows: Sequence[tuple[str, int]]
) -> None:
    left, top, right, bottom = box
    pen.text((left, top - 28), title, INK, _font(18))
    most = max((count for _, count in rows), default=0) or 1
    wide = min(float(COLUMN), (right - left) / max(1, len(rows)))
    for at, (name, count) in enumerate(rows):
        x = left + at * wide
        height = (bottom - top - 24) * count / most
        pen.rectangle([x + 4, bottom - height, x + wide - 4, bottom], BAR)
        pen.text((x + wide / 2, bottom - height - 4), f"{count:,}", INK, _font(13), anchor="md")
        pen.text((x + wide / 2, bottom + 6), name, FAINT, _font(13), anchor="ma")
    pen.line([(left, bottom), (right, bottom)], INK, 1)


def _bars(
    pen: Any, area: tuple[int, int, int], title: str, rows: Sequence[tuple[str, int]]
) -> None:
    left, top, right = area
    pen.text((left, top - 28), title, INK, _font(18))
    listed = list(rows[: MOST_BARS - 1] if len(rows) > MOST_BARS else rows)
    most = max((count for _, count in listed), default=0) or 1
    for at, (name, count) in enumerate(listed):
        y = top + at * ROW
        pen.text((left + 150, y + ROW / 2), _short(name), INK, _font(14), anchor="rm")
        x = left + 160.0 + (right - left - 230) * count / most
        pen.rectangle([left + 160, y + 3, max(x, left + 161), y + ROW - 3], BAR)
        pen.text((x + 8, y + ROW / 2), f"{count:,}", FAINT, _font(14), anchor="lm")
    if len(rows) > len(listed):
        left_over = f"and {len(rows) - len(listed):,} more"
        y = top + len(listed) * ROW + ROW // 2
        pen.text((left + 150, y), left_over, FAINT, _font(14), anchor="rm")


def _short(name: str) -> str:
    """A name as it fits beside a bar."""
    name = printable_path(name)
    return name if len(name) <= 19 else name[:18] + "…"
