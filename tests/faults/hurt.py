"""A job that hurts its own process at chosen images, and is `JOB` at all others.

Nothing in imgkit knows of it: its pipeline calls that of `JOB` after it looked at the key.
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np

import imgkit as ik
from imgkit.folder.plan_outputs import draw_index, plan_outputs
from imgkit.folder.scan import scan
from imgkit.folder.task import Job
from imgkit.io import files
from imgkit.io.encode import encode

JOB = Job(ik.Pipeline([ik.Rotate((-20, 20)), ik.Call(ik.max_pool, size=2)], seed=5))
OPS = ("--op", "Rotate degrees=-20,20", "--op", "max_pool size=2", "--seed", "5")
IMGKIT = [sys.executable, "-c", "from imgkit.cli.main import main; main()"]


def hurting(marks, **hurts):
    """Make the job: ``hurting(tmp_path, die="a/3.png")``."""
    pairs = tuple((path, how) for how, paths in hurts.items() for path in paths.split(","))
    return dataclasses.replace(JOB, pipeline=HurtingPipeline(pairs, str(marks)))


class HurtingPipeline(ik.Pipeline):
    """The pipeline of `JOB`, which hurts its process first if the image is one of those.

    `hurts` pairs paths of images with the name of a function below; `marks` is a folder to keep
    count in.
    """

    def __init__(self, hurts, marks):
        super().__init__(JOB.pipeline.ops, JOB.pipeline.seed)
        self.how = {draw_index(path): (path, how) for path, how in hurts}
        self.marks = pathlib.Path(marks)

    def __call__(self, image, *, key):
        if key[1] in self.how:
            path, how = self.how[key[1]]
            tries = len(list(self.marks.glob(f"{path.replace('/', '_')}.*")))
            (self.marks / f"{path.replace('/', '_')}.{tries}").touch()
            globals()[how](tries, self.marks)
        return super().__call__(image, key=key)


def tries(marks, path):
    return len(list(pathlib.Path(marks).glob(f"{path.replace('/', '_')}.*")))


# --- ways to hurt -----------------------------------------------------------------------


def die(tries=0, marks=None):
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(tries, marks):
    if tries == 0:
        die()


def be_busy(tries, marks):
    (marks / f"busy.{os.getpid()}").touch()
    time.sleep(0.3)
    (marks / f"busy.{os.getpid()}").unlink()


def look_and_die(tries, marks):
    """Note how many others are busy."""
    (marks / f"others.{tries}").write_text(str(len(list(marks.glob("busy.*")))))
    die()


def segfault(tries, marks):
    import ctypes

    ctypes.string_at(0)


def leave(tries, marks):
    os._exit(0)


def sleep(tries, marks):
    time.sleep(1000)


def allocate(tries, marks):
    np.empty(50 << 30, np.uint8).fill(1)


def bite(tries, marks):
    """Claim memory little by little, as a leak does."""
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def fill_disk(tries, marks):
    def fsync(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    files.os.fsync = fsync


def die_at_open(tries, marks):
    files.open = lambda *args: die()


def die_after_open(tries, marks):
    def opened(*args):
        open(*args)  # noqa: SIM115
        die()

    files.open = opened


def die_at_fsync(tries, marks):
    files.os.fsync = lambda file: die()


def die_at_replace(tries, marks):
    files.os.replace = lambda old, new: die()


def die_after_replace(tries, marks):
    replace = os.replace

    def replaced(old, new):
        replace(old, new)
        die()

    files.os.replace = replaced


# --- folders ----------------------------------------------------------------------------


def write_photos(folder, count, size=24):
    """Write images of noise, half of them in each of two subfolders."""
    rng = np.random.default_rng(3)
    for i in range(count):
        path = folder / "ab"[i % 2] / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(rng.integers(0, 256, (size, size + 6, 3), np.uint8), "png"))
    return folder


def items(src, dst):
    return plan_outputs(scan(str(src)).images, str(src), str(dst))


def tree(folder):
    """Every file but imgkit's own by its path; temporary files are none of its own."""
    found = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return {n: path.read_bytes() for n, path in named.items() if not n.startswith(".imgkit/")}


def count(folder):
    """How many outputs are there, while more are being written."""
    return sum(not path.name.startswith(".imgkit") for path in pathlib.Path(folder).rglob("*.png"))


def shell(*arguments, **options):
    """Run the command and wait for it."""
    words = [*IMGKIT, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, **options)


@contextlib.contextmanager
def started(*arguments, **options):
    """Start the command, in a group of its own as a terminal would; see to it that it ends."""
    with subprocess.Popen(
        [*IMGKIT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def wait_for(what, process=None, seconds=30):
    """Wait until a function says yes."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "too late"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


def descendants(pid):
    """Processes below a process: children, theirs, and so on."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return sorted(found - {pid})


def workers_of(pid):
    """The processes that work on images, below the fork server of a command."""
    server = [child for child in descendants(pid) if "forkserver" in _command(child)]
    return [child for top in server for child in descendants(top)]


def kill_worker(pid):
    """Kill one worker of a command; tell whether there was one that had not ended by itself."""
    for victim in reversed(workers_of(pid)):
        with contextlib.suppress(ProcessLookupError):  # it ended since it was listed
            os.kill(victim, signal.SIGKILL)
            return True
    return False


def _command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
