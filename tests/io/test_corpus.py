"""Contract: each file that public packages bring has one clear outcome: no crash, no hang.

Pillow's own test images are opt-in, as they are a download of 47 MB:
``IMGKIT_CORPUS=1 pytest tests/io/test_corpus.py``, or ``IMGKIT_CORPUS=FOLDER`` to keep it.
`benchmarks.robustness` decodes each file in a process of its own.
"""

import collections
import json
import os

import pytest

from benchmarks import robustness

CHOICE = os.environ.get("IMGKIT_CORPUS", "")
REFUSED = {f"refused: {kind}" for kind in ("empty", "unknown", "unsupported", "too_large",
                                           "truncated", "corrupt", "memory")}  # fmt: skip
READ = {"equal", "read, and refused by Pillow"}


def outcomes(folder):
    rows = robustness.survey(folder)
    counts = collections.Counter(row["status"] for row in rows)
    print(json.dumps(counts, sort_keys=True), max(row["seconds"] for row in rows))
    stated = {status for status in counts if status.startswith("stated: ")}
    odd = [row for row in rows if row["status"] not in REFUSED | READ | stated]
    assert odd == []  # neither a crash nor a hang, another error, or other pixels than Pillow's
    return counts


def test_every_picture_of_scikit_image_is_what_pillow_reads():
    assert outcomes(robustness.scikit_image())["equal"] > 20


@pytest.mark.skipif(not CHOICE, reason="downloads 47 MB: set IMGKIT_CORPUS=1 to run it")
def test_every_file_of_pillows_own_tests_has_one_outcome():
    counts = outcomes(robustness.pillow_images())
    assert counts.total() > 1000
    assert counts["equal"] > 700
