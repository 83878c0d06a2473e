"""The pages and the stub that are written from the registry are up to date."""

import pathlib
import re
import subprocess
import sys

import pytest

from imgkit.registry import PUBLIC

ROOT = pathlib.Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"


def test_generated_pages_are_current():
    command = [sys.executable, str(ROOT / "docs/build.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"run `python docs/build.py`: out of date are {done.stdout}"


def test_every_public_name_exists_and_is_documented():
    import imgkit as ik

    for name in PUBLIC:
        assert getattr(ik, name).__doc__, name
    assert set(PUBLIC) <= set(dir(ik))


def test_an_unknown_name_is_answered_with_the_nearest():
    import imgkit as ik

    with pytest.raises(AttributeError, match="did you mean 'sobel'"):
        _ = ik.sobl


def pages():
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_has_two_commands():
    block = re.search(r"## Two commands.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert block is not None
    assert len(block.group(1).strip().splitlines()) == 2


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_source_files_named_in_pages_exist(page):
    if page.name == "CHANGELOG.md":
        return  # names files as they were
    for path in re.findall(r"`((?:\w+/)+\w+\.pyi?)(?:::[^`]*)?`", page.read_text()):
        roots = (ROOT, ROOT / "imgkit", ROOT / "tests")
        outside = path.startswith(("timm/", "models/", "automl/"))  # of other projects
        assert outside or any((root / path).exists() for root in roots), f"{page.name}: {path}"


def test_every_word_of_the_glossary_names_its_place():
    rows = re.findall(
        r"^\| (?!word|-)([^|]+) \| [^|]+ \| `([^`]+)` \|$", GLOSSARY.read_text(), re.M
    )
    assert len(rows) > 15
    for word, place in rows:
        assert (ROOT / place).exists(), f"{word}: {place}"
