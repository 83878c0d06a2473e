"""Contract: after random kills the tree is the same as without any kill."""

import json
import os
import random
import signal
import time

from hurt import OPS, descendants, shell, started, tree, workers_of, write_photos

from imgkit.folder.journal import read
from imgkit.folder.task import sha256

SECONDS = float(os.environ.get("IMGKIT_SOAK", "10"))  # 1200 is a thorough soak
COUNT = int(12 * SECONDS)


def test_soak(tmp_path):
    """Workers, the fork server and the command itself are killed; after each run the journal
    tells the truth about every file."""
    rng = random.Random(os.environ.get("IMGKIT_SOAK_SEED", "4"))
    src, dst = write_photos(tmp_path / "src", COUNT, 300), tmp_path / "dst"
    assert shell("run", src, tmp_path / "golden", *OPS).returncode == 0
    golden = tree(tmp_path / "golden")
    deadline = time.monotonic() + SECONDS
    kills = runs = 0
    code = None
    while code != 0:
        late = time.monotonic() > deadline
        with started("run", src, dst, *OPS, "--workers", "2", "--json") as process:
            below = set()
            while process.poll() is None and not late:
                below |= set(descendants(process.pid))
                time.sleep(rng.uniform(0.1, 0.8))
                kills += kill_one(rng, process)
            _stdout, stderr = process.communicate(timeout=120 + SECONDS)
        runs, code = runs + 1, process.returncode
        assert code in (0, 1, 4, -signal.SIGKILL), stderr
        gone(below)
        check(dst, golden)
        assert runs < 10 + SECONDS
    assert tree(dst) == golden
    assert shell("verify", dst).returncode == 0
    assert kills >= SECONDS / 5
    print(json.dumps({"runs": runs, "kills": kills}))


def kill_one(rng, process):
    """Kill one of the workers most of the time, else any process of the command, else it."""
    workers, below = workers_of(process.pid), descendants(process.pid)
    if rng.random() < 0.75 and workers:
        victim = rng.choice(workers)
    else:
        victim = rng.choice([*below, process.pid, process.pid])
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def gone(pids):
    """Workers of a command that was killed finish their image and leave by themselves."""
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids):
        assert time.monotonic() < deadline, "a worker outlives its command"
        time.sleep(0.02)


def check(dst, golden):
    """Every line that says ok is true, and no file has other bytes than it should."""
    if not (dst / ".imgkit" / "journal.jsonl").exists():
        return
    made = tree(dst)
    for name, entry in read(str(dst))[1].items():
        if entry.status == "ok":
            assert sha256(made[name]) == entry.sha256
    names = {name for name in made if ".imgkit-" not in name}
    assert {name: made[name] for name in names} == {name: golden[name] for name in names}
