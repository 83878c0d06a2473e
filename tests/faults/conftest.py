"""What the fault tests share: a folder of tiny images, and what should come of it."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))  # the workers import `hurt` by name


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of 24 small images in two subfolders."""
    from hurt import write_photos

    return write_photos(tmp_path_factory.mktemp("photos") / "src", 24)


@pytest.fixture(scope="session")
def golden(photos, tmp_path_factory):
    """What comes of the photos when nothing goes wrong: name → bytes."""
    from hurt import JOB, items, tree

    from imgkit.folder.task import process

    dst = tmp_path_factory.mktemp("golden")
    assert {process(JOB, item).status for item in items(photos, dst)} == {"ok"}
    return tree(dst)
