"""Python calls of one imgkit call, beside torchvision's transforms v2 where it is installed.

On a small image the calls take the time, not the pixels. `sys.setprofile` reports a "call" event
for each entry into a Python function and for each step of a generator, none for functions written
in C. Goals count the library's own named functions; "events" counts everything: comprehensions,
generators, and what NumPy, torch and the standard library run below. The first calls fill the
caches and are not counted.
"""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

import imgkit as ik

SIZE = 32  # pixels a side
WARMUP = 5


class Count(NamedTuple):
    """The Python that one call runs."""

    calls: int  # of named functions of the library
    functions: int  # of them, each once
    files: int  # that hold them
    events: int  # of all Python code


class Row(NamedTuple):
    """One case; `goal` is the largest number of calls that imgkit may take."""

    case: str
    ours: Count
    goal: int | None
    peer: Count | None


def count_calls(run: Callable[[], Any], package: str) -> Count:
    """Return the Python calls of ``run()`` in a package, without the call of `run` itself."""
    for _ in range(WARMUP):
        run()
    codes: Counter[CodeType] = Counter()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            codes[frame.f_code] += 1

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    codes.pop(run.__code__, None)  # a lambda
    folder = pathlib.Path(importlib.import_module(package).__file__ or "").parent
    named = {code: n for code, n in codes.items() if is_named(code, folder)}
    files = {code.co_filename for code in named}
    return Count(sum(named.values()), len(named), len(files), codes.total())


def is_named(code: CodeType, folder: pathlib.Path) -> bool:
    """Whether code is a function below a folder, not a comprehension or generator expression."""
    inline = code.co_name.startswith("<") and code.co_name != "<lambda>"
    return pathlib.Path(code.co_filename).is_relative_to(folder) and not inline


def picture() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def ours() -> Iterator[tuple[str, Callable[[], Any], int | None]]:
    """Yield imgkit's cases: name, call, goal."""
    x, key = picture(), (0, 3)
    flip = ik.Pipeline([ik.HorizontalFlip()], seed=7)
    six = ik.Pipeline(
        [
            ik.RandomResizedCrop(24),
            ik.HorizontalFlip(p=0.5),
            ik.Rotate((-15, 15)),
            ik.ColorJitter(0.2, 0.2, 0.2, 0.05),
            ik.Normalize("imagenet"),
            ik.ToCHW(),
        ],
        seed=7,
    )
    yield "flip, function", lambda: ik.flip(x), None
    yield "sobel, function", lambda: ik.sobel(x), None
    yield "resize, function", lambda: ik.resize(x, 24), None
    yield "HorizontalFlip alone", lambda: flip(x, key=key), 30
    yield "six ops", lambda: six(x, key=key), 150


def theirs() -> dict[str, Callable[[], Any]]:
    """Return torchvision's calls by the names of the cases; none if it is not installed."""
    if importlib.util.find_spec("torchvision") is None:
        return {}
    import torch
    from torchvision.transforms import v2

    x = torch.from_numpy(picture()).permute(2, 0, 1).contiguous()
    flip = v2.RandomHorizontalFlip(1.0)
    six = v2.Compose(
        [
            v2.RandomResizedCrop(24, antialias=True),
            v2.RandomHorizontalFlip(1.0),
            v2.RandomRotation(15, v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(0.2, 0.2, 0.2, 0.05),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return {
        "flip, function": lambda: v2.functional.horizontal_flip(x),
        "resize, function": lambda: v2.functional.resize(x, [24, 24], antialias=True),
        "HorizontalFlip alone": lambda: flip(x),
        "six ops": lambda: six(x),
    }


def rows() -> Iterator[Row]:
    """Count every case."""
    peers = theirs()
    for name, run, goal in ours():
        peer = count_calls(peers[name], "torchvision") if name in peers else None
        yield Row(name, count_calls(run, "imgkit"), goal, peer)


def report(quick: bool) -> str:
    """Return the suite's section of the results page."""
    lines = [
        "## calls",
        "",
        f"Calls of one call on a {SIZE} x {SIZE} uint8 RGB image, key given: of the library's own",
        "named functions, how many functions and files these are, and all Python events.",
        "",
        "| case | imgkit calls | functions | files | events | goal | torchvision calls "
        "| functions | files | events |",
        "|---|--:|--:|--:|--:|---|--:|--:|--:|--:|",
    ]
    for row in rows():
        met = "met" if row.goal is not None and row.ours.calls <= row.goal else "MISSED"
        goal = "" if row.goal is None else f"{row.goal} {met}"
        peer = " | ".join(map(str, row.peer or ("",) * 4))
        lines.append(f"| {row.case} | {' | '.join(map(str, row.ours))} | {goal} | {peer} |")
    return "\n".join([*lines, ""])
