"""The card of a data set that `prep` built: README.md for people, dataset.json for programs."""

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


def write(folder: str, result: BuildResult) -> None:
    """Write the card, its facts, and a picture of the pixels to train on."""
    facts = describe(result)
    trained = result.train()
    title = (
        "Training images" if not result.build_options.split_rule.folds else "Images of all folds"
    )
    for name, data in {
        FACTS: (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: text(facts).encode("utf-8", "backslashreplace"),
        PICTURE: encode(chart.draw(trained, title), "png"),
    }.items():
        with open(os.path.join(folder, name), "xb") as file:
            file.write(data)


# --- dataset.json -----------------------------------------------------------------------


def describe(result: BuildResult) -> dict[str, Any]:
    """Return all facts about a data set, as plain values."""
    build_options, split_rule = result.build_options, result.build_options.split_rule
    trained = {part: result.train(part) for part in split_rule.names} if split_rule.folds else {}
    facts: dict[str, Any] = {
        **MAKER,
        "format": build_options.format,
        "preset": build_options.preset,
        "pipeline": []
        if build_options.pipeline is None
        else json.loads(build_options.pipeline.to_json())["ops"],
        "image": {"format": build_options.image, "quality": build_options.quality},
        "split": dict(zip(split_rule.names, split_rule.weights, strict=True)),
        "seed": split_rule.seed,
        "images": sum(figures.images for figures in result.figures.values()),
        "classes": {printable_path(label): number for number, label in enumerate(result.labels)},
        "parts": {part: _part(result, part) for part in split_rule.names},
        "normalize": {part: figures.normalize() for part, figures in trained.items()}
        if split_rule.folds
        else result.train().normalize(),
        "statistics": _statistics(result.train()),
        "duplicates_across_parts": result.straddling,
        "notes": notes(result),
        "failures": [
            {"path": printable_path(row.path), "error": row.error, "message": row.message}
            for row in sorted(result.failures)
        ],
        "versions": versions(),
    }
    if build_options.format == "npy":
        del facts["image"]
    return facts


def _statistics(figures: Figures) -> dict[str, Any]:
    facts = summary(figures)
    return {name: facts[name] for name in FIGURES}


def _part(result: BuildResult, part: str) -> dict[str, Any]:
    figures = result.figures[part]
    facts: dict[str, Any] = {
        "images": figures.images,
        "classes": {printable_path(label): figures.classes[label] for label in result.labels},
    }
    if result.build_options.format != "folder":
        facts["shards"] = [vars(shard) for shard in result.shards.get(part, [])]
    return facts


def notes(result: BuildResult) -> list[str]:
    """Return the notes for those who train on the data set."""
    listed = []
    for part, figures in result.figures.items():
        without = [printable_path(label) for label in result.labels if not figures.classes[label]]
        if without:
            more = "" if len(without) <= 5 else f" and {len(without) - 5} more"
            listed.append(f"{part} has no image of: {', '.join(without[:5])}{more}")
    if result.straddling:
        listed.append(
            f"images with a byte-for-byte copy in another part: {result.straddling}; remove the "
            "copies, as they make results look better than they are"
        )
    if result.failures:
        listed.append(f"left out because they could not be read: {len(result.failures)}")
    return listed


# --- README.md --------------------------------------------------------------------------


def text(facts: dict[str, Any]) -> str:
    """Return the card."""
    folds = isinstance(facts["normalize"], dict) and "mean" not in facts["normalize"]
    sections = [
        "# Data set",
        f"{facts['images']:,} images of {len(facts['classes']):,} classes, made by `imgkit prep`. "
        f"`{FACTS}` has all of this for programs.",
        *(f"> **Note:** {note}." for note in facts["notes"]),
        "## Parts",
        _parts(facts),
        _split(facts, folds),
        "## Pixels",
        _pixels(facts),
        f"![Levels, sizes and classes]({PICTURE})",
        "## Normalization",
        "Mean and standard deviation of each channel over all pixels, as fractions of the full "
        "range" + (", of all folds but the one named:" if folds else ", of the training part:"),
        "```yaml\n" + "\n".join(_normalize(facts, folds)) + "\n```",
        "## Reading it",
        _reading(facts),
    ]
    if facts["failures"]:
        rows = [f"- `{row['path']}`: {row['error']}: {row['message']}" for row in facts["failures"]]
        sections += ["## Left out", "\n".join(rows[:50])]
        if len(rows) > 50:
            sections.append(f"and {len(rows) - 50:,} more, in `{FACTS}`")
    made_with = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return "\n\n".join([*sections, f"Made with {made_with}."]) + "\n"


def _parts(facts: dict[str, Any]) -> str:
    parts = facts["parts"]
    lines = [
        "| class | number | " + " | ".join(parts) + " |",
        "|---|--:|" + "--:|" * len(parts),
    ]
    for label, number in facts["classes"].items():
        counts = " | ".join(f"{part['classes'][label]:,}" for part in parts.values())
        lines.append(f"| {_cell(label)} | {number} | {counts} |")
    totals = " | ".join(f"**{part['images']:,}**" for part in parts.values())
    return "\n".join([*lines, f"| **all** | | {totals} |"])


def _cell(label: str) -> str:
    return label.replace("|", "\\|")


def _split(facts: dict[str, Any], folds: bool) -> str:
    shares = "/".join(str(weight) for weight in facts["split"].values())
    parts = f"{len(facts['split'])} folds" if folds else f"split {shares}"
    return (
        f"The parts ({parts}, seed {facts['seed']}) follow a hash of each image's path: adding or "
        "removing files does not move any other image to another part. Shares of a class are "
        "therefore close to the requested ones, not exact."
    )


def _pixels(facts: dict[str, Any]) -> str:
    ops = (
        ", then ".join(f"`{json.dumps(op)}`" for op in facts["pipeline"]) or "none: sizes are kept"
    )
    image = facts.get("image")
    if image is None:
        stored = "uint8 arrays (N, H, W, 3)"
    else:
        quality = "" if image["format"] == "png" else f" of quality {image['quality']}"
        stored = f"8-bit RGB {image['format']} files{quality}"
    return (
        f"Preset `{facts['preset']}`: {ops}. Stored as {stored}. EXIF orientation is applied, gray "
        "is three equal channels, transparency lies over white, 16 bits are rounded to 8."
    )


def _normalize(facts: dict[str, Any], folds: bool) -> list[str]:
    if not folds:
        return [_normalize_line(facts["normalize"])]
    return [
        f"# without {part}\n{_normalize_line(found)}" for part, found in facts["normalize"].items()
    ]


def _normalize_line(found: dict[str, list[float]] | None) -> str:
    if found is None:
        return "# none: there are no images, or a channel is constant"
    mean, std = (", ".join(f"{value:.6f}" for value in found[name]) for name in ("mean", "std"))
    return f"- Normalize: {{mean: [{mean}], std: [{std}]}}"


def _reading(facts: dict[str, Any]) -> str:
    part = next(iter(facts["parts"]))
    if facts["format"] == "folder":
        code = f'import imgkit.torch as it\n\ndataset = it.ImageFolder("{part}")'
    elif facts["format"] == "webdataset":
        last = max(0, len(facts["parts"][part]["shards"]) - 1)
        urls = f"{part}/shard-{{00000..{last:05}}}.tar"
        code = (
            "import webdataset as wds\n\n"
            f'dataset = wds.WebDataset("{urls}", shardshuffle=False)\n'
            f'dataset = dataset.decode("rgb").to_tuple("{facts["image"]["format"]}", "cls")'
        )
    else:
        code = (
            "import numpy as np\n\n"
            f'images = np.load("{part}/images-00000.npy", mmap_mode="r")  # (N, H, W, 3) uint8\n'
            f'labels = np.load("{part}/labels-00000.npy")'
        )
    return f"```python\n{code}\n```"
