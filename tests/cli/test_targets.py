"""Contract of every route that writes: only regular files and free names are written to."""

import json
import os
import pathlib
import shlex
import shutil
import socket
import stat

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.folder.plan_outputs import plan_outputs
from imgkit.folder.scan import scan
from imgkit.io.encode import encode
from imgkit.io.files import NotAFile, commit

PNG = encode(np.arange(256, dtype=np.uint8).reshape(16, 16), "png")
PIPELINE = "version: 1\nops:\n  - Rotate: {degrees: [-9, 9]}\n"
ROUTES = {
    "run": "run a.png T --op invert",
    "augment": "augment a.png T --op 'Rotate degrees=-9,9' --seed 1",
    "conv": "conv a.png T --kernel box --scale auto",
    "edges": "edges a.png T --scale auto",
    "pool": "pool a.png T",
    "pipe": "run - T --op invert",
    "preview": "preview p.yaml a.png -o T --seed 1",
    "report": "report done -o T",
    "stats": "stats photos --plot T",
    "replay": "replay done/a.png -o T",
}
NAMES = {"report": "x.html"}  # all others write x.png


def invoke(words):
    return CliRunner().invoke(main, shlex.split(words), input=PNG)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in: one image, a folder of one, a finished run, a pipeline."""
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    os.mkdir("photos")
    for name in ("a.png", "photos/a.png"):
        pathlib.Path(name).write_bytes(PNG)
    pathlib.Path("p.yaml").write_text(PIPELINE)
    assert invoke("run photos done --op invert").exit_code == 0
    return tmp_path


def call(route, target):
    return invoke(ROUTES[route].replace("T", target))


def name(route):
    return NAMES.get(route, "x.png")


def make_file(path):
    pathlib.Path(path).touch()


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def make_device(path):
    """Make a device like /dev/null under another name; that itself is never opened here."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except (OSError, AttributeError) as error:
        pytest.skip(f"making a device needs root and a disk that allows it: {error}")


def link_to(make):
    def made(path):
        make("other")
        os.symlink("other", path)

    return made


def link_to_itself(path):
    os.symlink(path, path)


def link_into_nowhere(path):
    os.symlink(os.path.join("nowhere", path), path)


def all_files():
    """Every name below this folder with its kind and its bytes."""
    found = {}
    for top, folders, files in os.walk("."):
        for file in (*folders, *files):
            path = os.path.join(top, file)
            mode = os.lstat(path).st_mode
            content = pathlib.Path(path).read_bytes() if stat.S_ISREG(mode) else b""
            found[path] = (stat.S_IFMT(mode), content)
    return found


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "make",
    [
        make_fifo,
        make_socket,
        make_device,
        link_to(make_fifo),
        link_to(make_device),
        link_to(os.mkdir),
        link_to_itself,
        link_into_nowhere,
    ],
    ids=[
        "fifo",
        "socket",
        "device",
        "link-fifo",
        "link-device",
        "link-folder",
        "link-itself",
        "link-nowhere",
    ],
)
def test_what_is_not_a_file_is_refused_before_any_work(here, route, make):
    make(name(route))
    if os.path.isdir(name(route)) and "a.png T" in ROUTES[route]:
        return  # these commands write into a folder
    before = all_files()
    done = call(route, name(route))
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.stderr
    assert all_files() == before


@pytest.mark.parametrize("route", ["pipe", "preview", "report", "stats", "replay"])
def test_a_folder_is_refused_where_a_file_is_asked_for(here, route):
    os.mkdir(name(route))
    before = all_files()
    assert call(route, name(route)).exit_code == 2
    assert all_files() == before


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_to_its_file_and_stays(here, route, exists):
    os.mkdir("elsewhere")
    if exists:
        pathlib.Path("elsewhere/old").write_bytes(b"old")
    os.symlink("elsewhere/old", name(route))
    done = call(route, name(route))
    assert done.exit_code == 0, done.output
    assert os.path.islink(name(route))
    assert os.listdir("elsewhere") == ["old"]
    assert len(pathlib.Path("elsewhere/old").read_bytes()) > 3


@pytest.mark.parametrize("route", ROUTES)
def test_a_part_of_the_path_that_is_a_file_is_refused(here, route):
    os.mkfifo("pipe")
    for parent in ("a.png", "pipe"):
        before = all_files()
        done = call(route, f"{parent}/{name(route)}")
        assert done.exit_code == 2, done.output
        assert all_files() == before


def test_a_pipe_by_name_is_answered_with_the_word_for_stdout(here):
    """As /dev/stdout and the shell's >(...) are."""
    os.mkfifo("out")
    done = invoke("run a.png out --op invert")
    assert done.exit_code == 2
    assert "'-' is stdout" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "preview p.yaml photos/a.png -o photos/a.png --seed 1",
        "preview p.yaml photos -o photos/a.png --seed 1",
        "preview p.yaml photos -o link.png --seed 1",
        "stats photos --plot photos/a.png",
        "stats photos --plot link.png",
        "replay done/a.png -o photos/a.png",
        "run photos/a.png photos/a.png --op invert",
        "run photos/a.png link.png --op invert",
    ],
)
def test_an_input_is_never_replaced(here, words):
    os.symlink("photos/a.png", "link.png")
    before = all_files()
    assert invoke(words).exit_code == 2
    assert all_files() == before


def test_two_copies_are_not_written_through_links_to_one_file(here):
    for number in (1, 2):
        os.symlink("one.png", f"x_000{number}.png")
    done = invoke("augment a.png x.png --op 'Rotate degrees=-9,9' --copies 2")
    assert done.exit_code == 2
    assert "two outputs are links to" in done.stderr
    assert not os.path.exists("one.png")


# --- folders ----------------------------------------------------------------------------


@pytest.mark.parametrize("src", ["photos", "photos/a.png"])
@pytest.mark.parametrize(
    "make", [os.mkdir, make_fifo, make_socket, make_device, link_to(make_fifo), link_to_itself],
    ids=["folder", "fifo", "socket", "device", "link-fifo", "link-itself"],
)  # fmt: skip
def test_an_output_in_a_folder_is_a_file_or_free(here, src, make):
    os.mkdir("out")
    os.chdir("out")
    make("a.png")
    os.chdir("..")
    before = all_files()
    done = invoke(f"run {src} out --op invert")
    assert done.exit_code == 2, done.output
    assert "out/a.png is " in done.stderr
    assert all_files() == before


@pytest.mark.parametrize("src", ["photos", "photos/a.png"])
def test_an_output_in_a_folder_is_never_a_link(here, src):
    os.mkdir("out")
    pathlib.Path("precious.png").write_bytes(b"precious")
    os.symlink(os.path.abspath("precious.png"), "out/a.png")
    done = invoke(f"run {src} out --op invert")
    assert done.exit_code == 2
    assert "not a regular file but a link: remove it" in done.stderr
    assert pathlib.Path("precious.png").read_bytes() == b"precious"


@pytest.mark.parametrize("make", [make_fifo, make_file, link_to_itself],
                         ids=["fifo", "file", "link-itself"])  # fmt: skip
@pytest.mark.parametrize("place", ["sub", "sub/deep"])
def test_a_folder_of_outputs_has_to_be_one(here, make, place):
    os.makedirs("photos/sub/deep")
    shutil.copy("a.png", "photos/sub/deep/b.png")
    os.makedirs(os.path.dirname(f"out/{place}"))
    os.chdir(os.path.dirname(f"out/{place}"))
    make(os.path.basename(place))
    os.chdir(here)
    before = all_files()
    done = invoke("run photos out --op invert")
    assert done.exit_code == 2, done.output
    assert f"out/{place} is not a folder" in done.stderr
    assert all_files() == before


@pytest.mark.parametrize("command", ["run photos T --op invert", "run photos/a.png T/ --op invert",
                                     "prep many T", "prep many T --force"])  # fmt: skip
@pytest.mark.parametrize(
    "make", [make_fifo, make_socket, make_device, link_to(make_fifo), link_into_nowhere],
    ids=["fifo", "socket", "device", "link-fifo", "link-nowhere"],
)  # fmt: skip
def test_a_destination_that_is_not_a_folder_is_refused(here, command, make):
    shutil.copytree("photos", "many/cat")
    make("out")
    before = all_files()
    done = invoke(command.replace("T", "out"))
    assert done.exit_code == 2, done.output
    assert all_files() == before


@pytest.mark.parametrize(
    "own",
    [".imgkit", *(f".imgkit/{name}" for name in ("journal.jsonl", "journal.jsonl.old", "lock"))],
)
@pytest.mark.parametrize(
    "words", ["run photos out --op invert", "run photos out --op invert --force"]
)
def test_imgkits_own_files_are_files(here, own, words):
    os.makedirs(os.path.dirname(f"out/{own}"))
    pathlib.Path("precious").write_bytes(b"precious")
    for make in (os.mkfifo, lambda path: os.symlink(os.path.abspath("precious"), path)):
        make(f"out/{own}")
        done = invoke(words)
        assert done.exit_code == 2, done.output
        os.unlink(f"out/{own}")
    assert pathlib.Path("precious").read_bytes() == b"precious"


@pytest.mark.parametrize("words", ["verify out", "report out --json"])
def test_a_journal_that_is_a_fifo_does_not_block(here, words):
    os.makedirs("out/.imgkit")
    os.mkfifo("out/.imgkit/journal.jsonl")
    assert invoke(words).exit_code == 2


@pytest.mark.parametrize("make", [make_fifo, make_device, os.mkdir, link_to(make_fifo)],
                         ids=["fifo", "device", "folder", "link"])  # fmt: skip
def test_what_appears_during_the_work_is_not_replaced(here, make, monkeypatch):
    """The name was free when it was planned; it is looked at again before the rename."""
    (item,) = plan_outputs(scan("photos").images, "photos", "out")
    os.mkdir("out")
    fsync = os.fsync

    def appear(file):
        fsync(file)
        make(item.target)

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(NotAFile):
        commit(item.target, b"new")
    assert not stat.S_ISREG(os.lstat(item.target).st_mode)
    assert os.listdir("out") == ["a.png"]


def test_an_image_whose_name_is_taken_meanwhile_fails_alone(here, monkeypatch):
    from imgkit.folder import run as runner

    shutil.copy("a.png", "photos/b.png")

    def take(items, *rest):
        os.mkfifo(items[0].target)
        return items

    monkeypatch.setattr(runner, "unfinished", take)
    done = invoke("run photos out --op invert --json --workers 1")
    assert done.exit_code == 1, done.output
    summary = json.loads(done.stdout)
    assert (summary["ok"], summary["failed"]) == (1, 1)
    assert summary["failures"][0]["error"] == "not_a_file"
    assert stat.S_ISFIFO(os.lstat("out/a.png").st_mode)


def test_the_source_is_a_file_a_folder_or_stdin(here):
    os.mkfifo("in")
    done = invoke("run in out.png --op invert")
    assert done.exit_code == 2
    assert "'-' reads stdin" in done.stderr


def test_a_page_is_html_by_its_name(here):
    for path in ("r.txt", "r", "r.html.txt", "r.json"):
        done = invoke(f"report done -o {path}")
        assert done.exit_code == 2
        assert "ends in neither .html nor .htm" in done.stderr
        assert not os.path.exists(path)
    assert invoke("report done -o r.HTM").exit_code == 0


@pytest.mark.parametrize("words", ["verify done", "report done -o r.html", "replay done/a.png"])
def test_an_output_that_became_a_fifo_does_not_block(here, words):
    os.unlink("done/a.png")
    os.mkfifo("done/a.png")
    done = invoke(words)
    assert done.exit_code == (1 if words.startswith("verify") else 0), done.output
    assert ("changed: a.png" in done.stderr) == words.startswith("verify")


def test_an_input_that_became_a_fifo_does_not_block(here):
    os.unlink("photos/a.png")
    os.mkfifo("photos/a.png")
    done = invoke("replay done/a.png")
    assert done.exit_code == 2
    assert "photos/a.png is not a file" in done.stderr
