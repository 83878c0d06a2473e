"""Contract: each of Pillow's own test images has one clear outcome, no crash, no hang.

Opt-in, as it downloads 47 MB: ``IMGKIT_CORPUS=1 pytest tests/folder/test_corpus.py``, or
``IMGKIT_CORPUS=FOLDER`` to keep the download. Run as a script it decodes the files below a
folder, each in a forked child, and prints one JSON line for each.
"""

import collections
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tarfile
import time

import pytest

VERSION = "13.0.0"
SECONDS = 20  # for each file
CHOICE = os.environ.get("IMGKIT_CORPUS", "")
CLASSES = {"empty", "unknown", "unsupported", "too_large", "truncated", "corrupt", "memory"}


@pytest.mark.skipif(not CHOICE, reason="downloads 47 MB: set IMGKIT_CORPUS=1 to run it")
def test_every_file_of_pillows_own_tests_has_one_outcome(tmp_path):
    cache = tmp_path if CHOICE == "1" else pathlib.Path(CHOICE)
    rows = survey(images(cache))
    counts = collections.Counter(row["status"] for row in rows)
    print(json.dumps(counts, sort_keys=True), max(row["seconds"] for row in rows))
    assert len(rows) > 1000
    assert [row for row in rows if row["status"] in ("crash", "hang", "raised")] == []
    assert set(counts) <= CLASSES | {"ok"}
    assert counts["ok"] > 300


def images(cache):
    """Download and unpack Pillow's source, once."""
    folder = cache / f"pillow-{VERSION}" / "Tests" / "images"
    if not folder.is_dir():
        wanted = ["--no-deps", "--no-binary", "pillow", f"pillow=={VERSION}", "-d", str(cache)]
        subprocess.run([sys.executable, "-m", "pip", "download", *wanted], check=True)
        with tarfile.open(cache / f"pillow-{VERSION}.tar.gz") as source:
            source.extractall(cache, filter="data")
    return folder


def survey(folder):
    script = [sys.executable, __file__, str(folder)]
    done = subprocess.run(script, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(folder):
    import cv2
    import PIL.Image
    import tifffile

    from imgkit.io import decode as codec

    cv2.setNumThreads(1)
    PIL.Image.init()
    assert tifffile
    assert codec
    for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file()):
        print(json.dumps({"path": str(path), **outcome(path)}), flush=True)


def outcome(path):
    start = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(attempt(path)).encode())
        os._exit(0)
    os.close(writer)
    ready = select.select([reader], [], [], SECONDS)[0]
    text = os.read(reader, 1 << 16) if ready else b""
    os.close(reader)
    if not ready:
        os.kill(child, signal.SIGKILL)
    code = os.waitpid(child, 0)[1]
    found = {"status": "hang"} if not ready else {"status": "crash", "code": code}
    return (json.loads(text) if text else found) | {"seconds": round(time.monotonic() - start, 3)}


def attempt(path):
    import warnings

    from imgkit.io.decode import decode_details
    from imgkit.io.header import BadImage

    warnings.simplefilter("ignore")
    try:
        decoded = decode_details(path.read_bytes())
    except BadImage as error:
        return {"status": error.kind, "message": str(error)[:300]}
    except BaseException as error:
        return {"status": "raised", "message": repr(error)[:300]}
    return {"status": "ok", "kind": decoded.kind, "shape": decoded.image.shape}


if __name__ == "__main__":
    main(sys.argv[1])
