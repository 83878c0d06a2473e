"""A folder of photographs, JPEG to JPEG, through a resize and a change of color, in two processes.

The lower bound is decoding and encoding alone: two bare processes that read, decode, encode as
many pixels as the pipeline produces, and write. They have no journal, no plan and no isolation, and
do not wait for the disk, so a ratio of 1 cannot be reached.

``python -m benchmarks.folders 100000`` measures that many tiny images instead: time and memory of
a run, and of the same command again.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Call, Case
from imgkit.io.encode import encode

WORKERS = 2
HEIGHT, WIDTH = 480, 640  # of the results; the photographs are 768 x 1024
OPS = ("--op", f"Resize size={HEIGHT},{WIDTH}", "--op", "Brightness factor=1.25")
CROP = ("--op", f"CenterCrop size={HEIGHT},{WIDTH}")
IMGKIT = [sys.executable, "-c", "from imgkit.cli.main import main; main()"]
FLOOR = """
import os, sys, cv2
from imgkit.io.decode import decode
from imgkit.io.encode import encode
cv2.setNumThreads(1)
src, dst, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
for name in sorted(os.listdir(src))[first::{workers}]:
    with open(os.path.join(src, name), "rb") as file:
        image = decode(file.read())
    with open(os.path.join(dst, name), "wb") as file:
        file.write(encode(image[:{height}, :{width}], "jpg"))
"""
# one process an image, as its commands do not chain; two at a time
VIPS = (
    "ls {src} | xargs -P {workers} -I@ sh -c "
    '\'vips resize {src}/@ {dst}/@.v 0.625 && vips linear {dst}/@.v "{dst}/@[Q=95]" 1.25 0 '
    "--uchar && rm {dst}/@.v'"
)
MOGRIFY = (
    "ls {src} | sed 's|^|{src}/|' | xargs -P {workers} -n {share} "
    "mogrify -path {dst} -resize 640x480 -evaluate Multiply 1.25 -quality 95"
)


def cases(quick: bool) -> Iterator[Case]:
    count = 60 if quick else 500
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        src = write_photos(home / "src", count)
        peers = {"decode + encode": lambda: floor(src, home / "floor")}
        words = {"src": src, "workers": WORKERS, "share": -(-count // WORKERS)}
        if shutil.which("vips"):
            peers["vips"] = shell(VIPS, home / "vips", words)
        if shutil.which("mogrify"):
            peers["mogrify"] = shell(MOGRIFY, home / "mogrify", words)
        yield Case(
            f"{count} photographs, a crop",
            lambda: imgkit(src, home / "crop", CROP),
            {"decode + encode": peers["decode + encode"]},
            tolerance={"decode + encode": None},
            goal={"decode + encode": 1 / 1.15},
            note="what the engine costs, as a crop costs nothing",
        )
        yield Case(
            f"{count} photographs, resize and color",
            lambda: imgkit(src, home / "imgkit", OPS),
            peers,
            tolerance=dict.fromkeys(peers),
            goal={"decode + encode": 1 / 1.15, "vips": 1 / 1.1, "mogrify": 2.0},
            note="from start to end of the commands, the interpreter's start included; "
            f"{WORKERS} processes of one thread each; files to files",
        )


def write_photos(folder: pathlib.Path, count: int) -> pathlib.Path:
    """Write crops of photographs, all different."""
    import cv2
    import skimage.data

    folder.mkdir()
    sources = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    large = [cv2.resize(image, (1400, 1100), interpolation=cv2.INTER_CUBIC) for image in sources]
    for i in range(count):
        y, x = 7 * i % 332, 11 * i % 376
        crop = large[i % len(large)][y : y + 768, x : x + 1024]
        (folder / f"{i:04}.jpg").write_bytes(encode(crop, "jpg", quality=90))
    return folder


def imgkit(src: pathlib.Path, dst: pathlib.Path, ops: tuple[str, ...]) -> None:
    words = ("run", src, dst, *ops, "--workers", WORKERS, "--force")
    call([*IMGKIT, *map(str, words)])


def floor(src: pathlib.Path, dst: pathlib.Path) -> None:
    dst.mkdir(exist_ok=True)
    code = FLOOR.format(workers=WORKERS, height=HEIGHT, width=WIDTH)
    words = [[sys.executable, "-c", code, str(src), str(dst), str(i)] for i in range(WORKERS)]
    running = [subprocess.Popen(each) for each in words]
    if any([process.wait() for process in running]):
        raise RuntimeError("decoding and encoding failed")


def shell(command: str, dst: pathlib.Path, words: dict[str, object]) -> Call:
    """Return a call that runs a peer's command with one thread in each process."""
    text = command.format(dst=dst, **words)
    one = {"VIPS_CONCURRENCY": "1", "MAGICK_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}

    def run() -> None:
        dst.mkdir(exist_ok=True)
        call(["sh", "-c", text], env=os.environ | one)

    return run


def call(words: list[str], **options: object) -> None:
    subprocess.run(words, check=True, capture_output=True, **options)  # type: ignore[call-overload]


# --- many tiny images -------------------------------------------------------------------


def many(count: int) -> Iterator[str]:
    """Run a command over tiny images twice, and print its time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        src, dst = pathlib.Path(folder, "src"), pathlib.Path(folder, "dst")
        data = [encode(np.full((4, 4), value, np.uint8), "png") for value in range(256)]
        for i in range(count):
            path = src / f"{i // 1000:04}" / f"{i:08}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data[i % 256])
        for name in ("run", "the same again"):
            words = ["run", src, dst, "--op", "invert", "--workers", WORKERS, "--json"]
            begun = time.perf_counter()
            with subprocess.Popen(
                [*IMGKIT, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                peak = watch(process)
                assert process.stdout is not None
                done = json.loads(process.stdout.read())
            seconds = time.perf_counter() - begun
            yield (
                f"{name}: {count} images in {seconds:.1f} s, {done['ok']} written, "
                f"{done['skipped']} skipped, {peak / 1e6:.0f} MB at most"
            )
        size = (dst / ".imgkit" / "journal.jsonl").stat().st_size
        yield f"journal: {size / count:.0f} bytes an image"


def watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; return its peak memory in bytes."""
    most = 0
    while process.poll() is None:
        text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        found = text.partition("VmHWM:")[2].split()
        most = max(most, int(found[0]) if found else 0)
        time.sleep(0.1)
    return most << 10


if __name__ == "__main__":
    for line in many(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000):
        print(line, flush=True)
