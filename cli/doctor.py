"""`imgkit doctor`: the versions, codecs, threads and devices of this machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from typing import Any

import click

from imgkit.cli import options

PACKAGES = (
    *("imgkit-cv", "numpy", "scipy", "opencv-python", "scikit-image", "pillow", "tifffile"),
    "imagecodecs",
    *("click", "rich", "pyyaml", "torch", "torchvision", "ray"),
)


@click.command(short_help="Show versions, codecs, threads and devices.")
@click.option("--torch", "load", is_flag=True, help="Import torch and show its devices.")
@options.json_option
def doctor(load: bool, as_json: bool) -> None:
    """Show versions, codecs, threads and devices: what a bug report needs.

    \b
    Examples:
      imgkit doctor
      imgkit doctor --torch --json
    """
    facts = {"system": system(), "packages": packages(), "opencv": opencv(), "codecs": codecs()}
    if load:
        facts["torch"] = torch_devices()
    if as_json:
        click.echo(json.dumps(facts))
        return
    for title, values in facts.items():
        click.secho(title, bold=True)
        for name, value in values.items():
            click.echo(f"  {name:<16}{value}")


def system() -> dict[str, Any]:
    """Describe Python and the machine."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
    }


def packages() -> dict[str, str]:
    """Return the version of each package imgkit can use; none is imported."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def opencv() -> dict[str, Any]:
    """Describe OpenCV as it was built."""
    import cv2

    build = cv2.getBuildInformation()
    facts = {"version": cv2.__version__, "threads": cv2.getNumThreads()}
    for name in ("Parallel framework", "Baseline", "Dispatched code generation", "JPEG", "WEBP"):
        found = re.search(rf"^ *{name}: *(.*)$", build, re.M)
        if found:
            facts[name.lower().split()[0]] = " ".join(found[1].split())
    return facts


def codecs() -> dict[str, str]:
    """Return the formats that can be read and written."""
    from PIL import features

    from imgkit.io.encode import WRITABLE
    from imgkit.io.header import EXTENSIONS

    optional = {"jpg": "jpg", "webp": "webp", "avif": "avif"}
    facts = {}
    for kind in dict.fromkeys(EXTENSIONS.values()):
        can = features.check(optional[kind]) if kind in optional else True
        write = ", writes" if kind in WRITABLE else ""
        facts[kind] = f"reads{write}" if can else "not in this Pillow"
    return facts


def torch_devices() -> dict[str, Any]:
    """Import torch and describe its devices."""
    try:
        import torch
    except ImportError as error:
        return {"error": str(error)}
    facts = {"threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()}
    if facts["cuda"]:
        facts["device"] = torch.cuda.get_device_name()
    return facts
