"""Writes what the registry knows: the reference pages and the stub of the public names.

``python docs/build.py`` rewrites `docs/functions.md`, `docs/transforms.md` and
`imgkit/__init__.pyi`; ``--check`` exits 1 if one of them is out of date.
"""

import dataclasses
import inspect
import pathlib
import sys

import imgkit as ik
from imgkit.registry import FILES, FUNCTIONS, PUBLIC, TRANSFORMS

ROOT = pathlib.Path(__file__).parent.parent
FAMILIES = {
    "conv": "Convolution",
    "conv2d": "The CNN layer",
    "edges": "Edges and corners",
    "blur": "Blurs and sharpening",
    "pool": "Pooling",
    "resample": "Resampling",
    "color": "Color",
    "tone": "Tone",
    "arithmetic": "CNN arithmetic",
    "restore": "Convolution as a matrix, deconvolution",
    "exact": "Geometric: whole pixels",
    "warps": "Geometric: warps",
    "resizes": "Geometric: resizes",
    "filters": "Neighborhood",
    "noise": "Noise",
    "erase": "Holes",
    "output": "Output",
    "policy": "Policies",
    "control": "Control",
}


def signature(name):
    """Return ``name(...)`` without annotations, one line."""
    plain = inspect.signature(getattr(ik, name))
    bare = [p.replace(annotation=p.empty) for p in plain.parameters.values()]
    return f"{name}{plain.replace(parameters=bare, return_annotation=plain.empty)}"


def call(name):
    """Return a transform's signature with the defaults that a reader may leave out."""
    printable = []
    for spec in dataclasses.fields(getattr(ik, name)):
        if not spec.init or spec.name == "p":
            continue
        missing = spec.default is dataclasses.MISSING
        printable.append(spec.name if missing else f"{spec.name}={spec.default!r}")
    return f"{name}({', '.join([*printable, 'p=1.0'])})"


def summary(name):
    """Return the first paragraph of a docstring, one line."""
    return (inspect.getdoc(getattr(ik, name)) or "").split("\n\n")[0].replace("\n", " ")


def functions():
    """Return the page of layer one, whole docstrings."""
    lines = ["# Functions", "", "Written by `docs/build.py` from the docstrings.", ""]
    for family in dict.fromkeys(op.family for op in FUNCTIONS.values()):
        names = [op.name for op in FUNCTIONS.values() if op.family == family]
        lines += section(FAMILIES.get(family, family), names)
    return "\n".join(lines + section("Files", FILES))


def section(title, names):
    """Return the lines of a family of functions."""
    lines = [f"## {title}", ""]
    for name in names:
        doc = inspect.getdoc(getattr(ik, name))
        lines += [f"### `{name}`", "", f"`{signature(name)}`", "", "```text"]
        lines += [*doc.splitlines(), "```", ""]
    return lines


def transforms():
    """Return the page of transforms, a line each."""
    lines = [
        "# Transforms",
        "",
        "Written by `docs/build.py` from the declarations. A parameter takes a number, a pair",
        "(uniform between) or `Choice([...])`; every op takes `p`. See `pipelines.md`.",
        "",
    ]
    for family in dict.fromkeys(op.family for op in TRANSFORMS.values()):
        lines += [f"## {FAMILIES.get(family, family)}", "", "| transform | does |", "|---|---|"]
        lines += [
            f"| `{call(op.name)}` | {summary(op.name)} |"
            for op in TRANSFORMS.values()
            if op.family == family
        ]
        lines.append("")
    return "\n".join(lines)


def stub():
    """Return the stub that shows the lazy names to editors and type checkers."""
    names = [f"from {module} import {name} as {name}" for name, module in PUBLIC.items()]
    head = '"""The public names; written by docs/build.py from imgkit.registry."""\n\n'
    return head + "\n".join(sorted(names)) + "\n\n__version__: str\n"


PAGES = {
    "docs/functions.md": functions,
    "docs/transforms.md": transforms,
    "imgkit/__init__.pyi": stub,
}


def main():
    """Write what changed and print its names."""
    stale = []
    for path, write in PAGES.items():
        text = write()
        old = (ROOT / path).read_text() if (ROOT / path).exists() else None
        if text != old:
            stale.append(path)
            if "--check" not in sys.argv:
                (ROOT / path).write_text(text)
    print("\n".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
