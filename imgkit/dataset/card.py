"""The card of a data set that `prep` made: README.md for people, dataset.json for programs."""

from __future__ import annotations

import json
import os
from typing import Any

from imgkit.dataset import chart
from imgkit.dataset.result import BuildResult
from imgkit.dataset.staging import FACTS, MAKER
from imgkit.dataset.stats import Figures, summary
from imgkit.folder.journal import versions
from imgkit.io.encode import encode
from imgkit.io.files import printable_path

CARD, PICTURE = "README.md", "statistics.png"
FIGURES = ("images", "pixels", "mean", "std", "min", "max", "sizes")


def write(folder: str, made: BuildResult) -> None:
    """Write the card, its facts, and a picture of the pixels to train on."""
    told = facts(made)
    trained = made.train()
    title = "Training images" if not made.build_options.split_rule.folds else "Images of all folds"
    for name, data in {
        FACTS: (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: text(told).encode("utf-8", "backslashreplace"),
        PICTURE: encode(chart.draw(trained, title), "png"),
    }.items():
        with open(os.path.join(folder, name), "xb") as file:
            file.write(data)


# --- dataset.json -----------------------------------------------------------------------


def facts(made: BuildResult) -> dict[str, Any]:
    """Return everything that is known of a data set, as plain values."""
    build_options, split_rule = made.build_options, made.build_options.split_rule
    trained = {part: made.train(part) for part in split_rule.names} if split_rule.folds else {}
    told: dict[str, Any] = {
        **MAKER,
        "format": build_options.format,
        "preset": build_options.preset,
        "pipeline": []
        if build_options.pipeline is None
        else json.loads(build_options.pipeline.to_json())["ops"],
        "image": {"format": build_options.image, "quality": build_options.quality},
        "split": dict(zip(split_rule.names, split_rule.weights, strict=True)),
        "seed": split_rule.seed,
        "images": sum(figures.images for figures in made.figures.values()),
        "classes": {printable_path(label): number for number, label in enumerate(made.labels)},
        "parts": {part: _part(made, part) for part in split_rule.names},
        "normalize": {part: figures.normalize() for part, figures in trained.items()}
        if split_rule.folds
        else made.train().normalize(),
        "statistics": _statistics(made.train()),
        "duplicates_across_parts": made.straddling,
        "notes": notes(made),
        "failures": [
            {"path": printable_path(row.path), "error": row.error, "message": row.message}
            for row in sorted(made.failures)
        ],
        "versions": versions(),
    }
    if build_options.format == "npy":
        del told["image"]
    return told


def _statistics(figures: Figures) -> dict[str, Any]:
    told = summary(figures)
    return {name: told[name] for name in FIGURES}


def _part(made: BuildResult, part: str) -> dict[str, Any]:
    figures = made.figures[part]
    told: dict[str, Any] = {
        "images": figures.images,
        "classes": {printable_path(label): figures.classes[label] for label in made.labels},
    }
    if made.build_options.format != "folder":
        told["shards"] = [vars(shard) for shard in made.shards.get(part, [])]
    return told


def notes(made: BuildResult) -> list[str]:
    """Say what whoever trains on this ought to know."""
    said = []
    for part, figures in made.figures.items():
        without = [printable_path(label) for label in made.labels if not figures.classes[label]]
        if without:
            more = "" if len(without) <= 5 else f" and {len(without) - 5} more"
            said.append(f"{part} has no image of: {', '.join(without[:5])}{more}")
    if made.straddling:
        said.append(
            f"images with a twin, byte for byte, in another part: {made.straddling}; remove the "
            "copies, or results will look better than they are"
        )
    if made.failures:
        said.append(f"left out because they could not be read: {len(made.failures)}")
    return said


# --- README.md --------------------------------------------------------------------------


def text(told: dict[str, Any]) -> str:
    """Return the card."""
    folds = isinstance(told["normalize"], dict) and "mean" not in told["normalize"]
    sections = [
        "# Data set",
        f"{told['images']:,} images of {len(told['classes']):,} classes, made by `imgkit prep`. "
        f"`{FACTS}` says all of this for programs.",
        *(f"> **Note:** {note}." for note in told["notes"]),
        "## Parts",
        _parts(told),
        _law(told, folds),
        "## Pixels",
        _pixels(told),
        f"![Levels, sizes and classes]({PICTURE})",
        "## Normalization",
        "Mean and standard deviation of each channel over all pixels, as fractions of the full "
        "range" + (", of all folds but the one named:" if folds else ", of the training part:"),
        "```yaml\n" + "\n".join(_normalize(told, folds)) + "\n```",
        "## Reading it",
        _reading(told),
    ]
    if told["failures"]:
        rows = [f"- `{row['path']}`: {row['error']}: {row['message']}" for row in told["failures"]]
        sections += ["## Left out", "\n".join(rows[:50])]
        if len(rows) > 50:
            sections.append(f"and {len(rows) - 50:,} more, in `{FACTS}`")
    made_with = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    return "\n\n".join([*sections, f"Made with {made_with}."]) + "\n"


def _parts(told: dict[str, Any]) -> str:
    parts = told["parts"]
    lines = [
        "| class | number | " + " | ".join(parts) + " |",
        "|---|--:|" + "--:|" * len(parts),
    ]
    for label, number in told["classes"].items():
        counts = " | ".join(f"{part['classes'][label]:,}" for part in parts.values())
        lines.append(f"| {_cell(label)} | {number} | {counts} |")
    totals = " | ".join(f"**{part['images']:,}**" for part in parts.values())
    return "\n".join([*lines, f"| **all** | | {totals} |"])


def _cell(label: str) -> str:
    return label.replace("|", "\\|")


def _law(told: dict[str, Any], folds: bool) -> str:
    shares = "/".join(str(weight) for weight in told["split"].values())
    how = f"{len(told['split'])} folds" if folds else f"split {shares}"
    return (
        f"The parts ({how}, seed {told['seed']}) go by a hash of each image's path: adding or "
        "removing files moves no other image to another part. Shares of a class are therefore "
        "close to those asked for, not exact."
    )


def _pixels(told: dict[str, Any]) -> str:
    ops = ", then ".join(f"`{json.dumps(op)}`" for op in told["pipeline"]) or "none: sizes are kept"
    image = told.get("image")
    if image is None:
        stored = "uint8 arrays (N, H, W, 3)"
    else:
        quality = "" if image["format"] == "png" else f" of quality {image['quality']}"
        stored = f"8-bit RGB {image['format']} files{quality}"
    return (
        f"Preset `{told['preset']}`: {ops}. Stored as {stored}. EXIF orientation is applied, gray "
        "is three equal channels, transparency lies over white, 16 bits are rounded to 8."
    )


def _normalize(told: dict[str, Any], folds: bool) -> list[str]:
    if not folds:
        return [_normalize_line(told["normalize"])]
    return [
        f"# without {part}\n{_normalize_line(found)}" for part, found in told["normalize"].items()
    ]


def _normalize_line(found: dict[str, list[float]] | None) -> str:
    if found is None:
        return "# none: there are no images, or a channel is constant"
    mean, std = (", ".join(f"{value:.6f}" for value in found[name]) for name in ("mean", "std"))
    return f"- Normalize: {{mean: [{mean}], std: [{std}]}}"


def _reading(told: dict[str, Any]) -> str:
    part = next(iter(told["parts"]))
    if told["format"] == "folder":
        code = f'import imgkit.torch as it\n\ndataset = it.ImageFolder("{part}")'
    elif told["format"] == "webdataset":
        last = max(0, len(told["parts"][part]["shards"]) - 1)
        urls = f"{part}/shard-{{00000..{last:05}}}.tar"
        code = (
            "import webdataset as wds\n\n"
            f'dataset = wds.WebDataset("{urls}", shardshuffle=False)\n'
            f'dataset = dataset.decode("rgb").to_tuple("{told["image"]["format"]}", "cls")'
        )
    else:
        code = (
            "import numpy as np\n\n"
            f'images = np.load("{part}/images-00000.npy", mmap_mode="r")  # (N, H, W, 3) uint8\n'
            f'labels = np.load("{part}/labels-00000.npy")'
        )
    return f"```python\n{code}\n```"
