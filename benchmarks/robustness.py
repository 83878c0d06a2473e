"""What becomes of the odd files that public packages bring, beside Pillow.

Each file is decoded in a child process with a time limit, by imgkit and by Pillow, and the results
are compared under the rules of `imgkit.read`. The files are scikit-image's installed pictures and
the test images of Pillow's source, which pip downloads (47 MB) into the folder that the variable
``IMGKIT_CORPUS`` names, or into the system's temporary one. ``--quick`` leaves the download out.
"""

from __future__ import annotations

import collections
import importlib
import importlib.util
import io
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

VERSION = "13.0.0"
SECONDS = 20  # for each file
ALLOW = ("ico", "cur", "icns", "jp2", "psd", "dds", "qoi", "sgi", "ppm")
GOALS = ("disagree", "crash", "hang", "raised")  # none of any
SHOWN = 12  # files listed of a status
EXTRA_SAMPLES = 338  # the tag of TIFF that says what alpha means
LEVELS = {"float32": 1.0, "float64": 1.0, "uint16": 65535.0, "uint8": 255.0}


def report(quick: bool) -> str:
    """Return the tables of all corpora."""
    lines = [
        "## robustness",
        f"Each file alone, at most {SECONDS} s. Pillow {VERSION}'s files.",
        "",
    ]
    corpora = {"scikit-image data": scikit_image()}
    if not quick:
        corpora["Pillow's test images"] = pillow_images()
    for name, folder in corpora.items():
        rows = survey(folder)
        counts = collections.Counter(dict.fromkeys(GOALS, 0))
        counts.update(row["status"] for row in rows)
        lines += [f"### {name}: {len(rows)} files", "", "| outcome | files |", "|---|---|"]
        lines += [f"| {status} | {count} |" for status, count in sorted(counts.items())]
        lines += ["", *_listed(rows), ""]
    return "\n".join(lines)


def survey(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Return the outcome of every file below a folder, each in a forked child of one process."""
    script = [sys.executable, "-m", "benchmarks.robustness", str(folder.resolve())]
    root = pathlib.Path(__file__).parent.parent
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    done = subprocess.run(script, check=True, cwd=root, **pipes)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _listed(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What a reader should look at: differences, crashes, and what only Pillow reads."""
    for row in rows:
        if row["status"].startswith(GOALS):
            yield f"- {row['status']}: {row['path']}: {row.get('message', '')}"
    only = [row for row in rows if row.get("pillow") == "reads" and "refused" in row["status"]]
    reasons = collections.Counter(row["message"][:90] for row in only)
    if only:
        yield f"- refused, and read by Pillow: {len(only)}"
        yield from (f"  - {count} x {reason}" for reason, count in reasons.most_common(SHOWN))


def scikit_image() -> pathlib.Path:
    """Return the folder of pictures that scikit-image installs."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return pathlib.Path(spec.origin).parent / "data"


def pillow_images() -> pathlib.Path:
    """Download and unpack Pillow's source, once."""
    chosen = os.environ.get("IMGKIT_CORPUS", "1")
    cache = pathlib.Path(tempfile.gettempdir() if chosen == "1" else chosen)
    folder = cache / f"pillow-{VERSION}" / "Tests" / "images"
    if not folder.is_dir():
        wanted = ["--no-deps", "--no-binary", "pillow", f"pillow=={VERSION}", "-d", str(cache)]
        subprocess.run([sys.executable, "-m", "pip", "download", *wanted], check=True)
        with tarfile.open(cache / f"pillow-{VERSION}.tar.gz") as source:
            source.extractall(cache, filter="data")
    return folder


# --- in the child -----------------------------------------------------------------------


def main(folder: str) -> None:
    """Print one JSON line for each file below a folder."""
    import PIL.Image

    for name in ("imagecodecs", "tifffile", "imgkit.io.decode"):
        importlib.import_module(name)  # before the forks, so that no file pays for it
    PIL.Image.init()
    for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file()):
        row = {"path": str(path.relative_to(folder)), **_in_child(path)}
        print(json.dumps(row), flush=True)


def _in_child(path: pathlib.Path) -> dict[str, Any]:
    start = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(compare(path.read_bytes())).encode())
        os._exit(0)
    os.close(writer)
    ready = select.select([reader], [], [], SECONDS)[0]
    text = os.read(reader, 1 << 16) if ready else b""
    os.close(reader)
    if not ready:
        os.kill(child, signal.SIGKILL)
    code = os.waitpid(child, 0)[1]
    found = {"status": "crash", "message": str(code)} if ready else {"status": "hang"}
    return (json.loads(text) if text else found) | {"seconds": round(time.monotonic() - start, 2)}


def compare(data: bytes) -> dict[str, Any]:
    """Return the outcome of one file."""
    from imgkit.io.decode import Limits, decode_details
    from imgkit.io.header import BadImage

    warnings.simplefilter("ignore")
    try:
        theirs, stored = _by_pillow(data)
        pillow = "reads"
    except Exception as error:
        theirs, stored, pillow = None, "", type(error).__name__
    try:
        ours = decode_details(data, Limits(allow=ALLOW)).image
    except BadImage as error:
        return {"status": f"refused: {error.kind}", "message": str(error)[:200], "pillow": pillow}
    except BaseException as error:
        return {"status": "raised", "message": repr(error)[:200], "pillow": pillow}
    if theirs is None:
        return {"status": "read, and refused by Pillow", "pillow": pillow}
    status, message = _verdict(ours, theirs, stored)
    return {"status": status, "message": message, "pillow": pillow}


def _by_pillow(data: bytes) -> tuple[np.ndarray[Any, Any], str]:
    """Return the first frame by Pillow's own means, under imgkit's rules, and its mode."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        mode = picture.mode
        tags = getattr(picture, "tag_v2", {})
        how = "premultiplied" if 1 in tags.get(EXTRA_SAMPLES, ()) else "over white"
        picture = ImageOps.exif_transpose(picture)
        if mode.startswith(("I", "F")):
            return np.asarray(picture), mode
        clear = mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in picture.info
        gray = mode in ("1", "L", "LA", "La")
        if clear:
            if mode == "La":
                picture = picture.convert("LA")
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
            mode += f", {how}"
        return np.asarray(picture.convert("L" if gray else "RGB")), mode


def _verdict(ours: Any, theirs: Any, mode: str) -> tuple[str, str]:
    """Return (status, message): equal, different for a stated reason, or disagree."""
    if ours.ndim == 3 and ours.shape[2] not in (1, 3):
        return "stated: extra samples are data", mode
    if ours.shape[:2] != theirs.shape[:2] or ours.ndim != theirs.ndim:
        return "disagree", f"{mode}: shapes {ours.shape} and {theirs.shape}"
    # Pillow rounds the blend in integers, and divides premultiplied colors by their alpha
    allowed = {"premultiplied": 3, "over white": 1}.get(mode.partition(", ")[2], 0)
    if ours.dtype == theirs.dtype or mode[0] in "IF":
        far = float(np.abs(ours.astype(float) - theirs).max(initial=0))
        if far > allowed and mode.startswith("I;16"):
            return _deep_gray(ours, theirs, mode)
        return ("equal", "") if far <= allowed else ("disagree", f"{mode}: {far:g} levels")
    levels = np.asarray(ours, float) * 255 / LEVELS[ours.dtype.name]
    far = np.abs(levels - theirs).max(initial=0)
    if far <= max(allowed, 1):
        return "stated: all bits are kept", ""
    return "disagree", f"{mode}: {far:.1f} levels of 8 bits"


def _deep_gray(ours: Any, theirs: Any, mode: str) -> tuple[str, str]:
    """Explain a difference in 16 bits of gray: a depth that is scaled, or a transparent level."""
    scaled = np.rint(theirs.astype(float) * 65535 / 4095)
    if np.array_equal(ours, scaled):
        return "stated: 12 bits fill 16", ""
    other = ours != theirs
    if (ours[other] == 65535).all() and len(np.unique(theirs[other])) == 1:
        return "stated: a transparent level is white", ""
    return "disagree", mode


if __name__ == "__main__":
    main(sys.argv[1])
