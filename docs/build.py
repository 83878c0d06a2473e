"""Writes the reference pages and the stubs of the public names from the registry.

``python docs/build.py`` rewrites `docs/functions.md`, `docs/transforms.md`, `imgkit/__init__.pyi`
and `imgkit/torch/modules.pyi`; ``--check`` exits 1 if one of them is out of date.
"""

import inspect
import pathlib
import re
import sys

import imgkit as ik
from imgkit.registry import FILES, FUNCTIONS, IMAGE_FUNCTIONS, PUBLIC, TRANSFORMS

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
    "conv_matrix": "Convolution as a matrix",
    "deconvolve": "Deconvolution",
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
    """Return ``name(...)`` without annotations, one line; a transform's `p` stands last."""
    plain = inspect.signature(getattr(ik, name))
    bare = [p.replace(annotation=p.empty) for p in plain.parameters.values()]
    bare.sort(key=lambda parameter: parameter.name == "p")
    return f"{name}{plain.replace(parameters=bare, return_annotation=plain.empty)}"


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
        "Written by `docs/build.py` from the signatures. A parameter takes a number, a pair",
        "(uniform between) or `Choice([...])`; every transform takes `p`. See `pipelines.md`.",
        "",
    ]
    for family in dict.fromkeys(op.family for op in TRANSFORMS.values()):
        lines += [f"## {FAMILIES.get(family, family)}", "", "| transform | does |", "|---|---|"]
        lines += [
            f"| `{signature(op.name)}` | {summary(op.name)} |"
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


def annotated(parameter):
    """Return one parameter as a signature shows it."""
    value = parameter.default
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    default = "" if value is parameter.empty else f" = {shown}"
    return f"{parameter.name}: {parameter.annotation}{default}"


def laid_out(parameters, width=100):
    """Return the lines of an ``__init__`` in a stub, broken as ruff breaks them."""
    line = f"    def __init__({', '.join(parameters)}) -> None: ..."
    inner = f"        {', '.join(parameters)}"
    if len(line) <= width:
        return [line]
    body = [inner] if len(inner) <= width else [f"        {each}," for each in parameters]
    return ["    def __init__(", *body, "    ) -> None: ..."]


def module_stub(name):
    """Return the stub of the module of one function, and the types that it names."""
    run = getattr(ik, name)
    signature = inspect.signature(run)
    _, *options = signature.parameters.values()
    parameters = ["self", *(annotated(p) for p in options), "native: bool = False"]
    named = [i for i, p in enumerate(options) if p.kind is p.KEYWORD_ONLY]
    parameters.insert(1 + (named[0] if named else len(options)), "*")
    result = signature.return_annotation.replace("Array", "torch.Tensor")
    note = summary(name)
    lines = [f"class {FUNCTIONS[name].class_name}(Function[{result}]):", f'    """{note}"""', ""]
    words = re.findall(r"(?<!\.)\b[A-Z]\w+\b", " ".join(p.annotation for p in options))
    types = set(words) - {"None", "Any", "Sequence"}
    return [*lines, *laid_out(parameters), ""], {(PUBLIC[name], word) for word in types}


def modules():
    """Return the stub that shows the modules of `imgkit.torch` to editors and type checkers."""
    written = [module_stub(name) for name in IMAGE_FUNCTIONS]
    types = sorted(set().union(*(types for _, types in written)))
    homes = dict.fromkeys(home for home, _ in types)
    imports = [
        f"from {home} import {', '.join(w for h, w in types if h == home)}" for home in homes
    ]
    names = [FUNCTIONS[name].class_name for name in IMAGE_FUNCTIONS]
    names.sort(key=lambda name: (not name.isupper(), name))  # as ruff sorts
    lines = [
        '"""The modules of `imgkit.torch`; written by docs/build.py from imgkit.registry."""',
        "",
        "from collections.abc import Sequence",
        "from typing import Any",
        "",
        "import numpy.typing as npt",
        "import torch",
        "",
        *imports,
        "from imgkit.torch.function import Function",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in names),
        "]",
        "",
    ]
    return "\n".join([*lines, *(line for text, _ in written for line in text)])


PAGES = {
    "docs/functions.md": functions,
    "docs/transforms.md": transforms,
    "imgkit/__init__.pyi": stub,
    "imgkit/torch/modules.pyi": modules,
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
