"""Who may import whom, and what an import costs."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
VOCABULARY = {*("image", "border", "draws", "geometry", "kernels", "pillow", "registry", "stages")}
ALLOWED = {
    "__main__": {"cli"},
    "cli": {"report", "dataset", "folder", "augment", "ops", "io"},
    "report": {"folder", "augment", "ops", "io"},
    "dataset": {"folder", "augment", "ops", "io"},
    "folder": {"augment", "ops", "io"},
    "torch": {"augment", "ops", "backends", "io", "folder"},
    "augment": {"ops", "backends"},
    "ops": {"backends"},
    "backends": set(),
    "io": set(),
} | {word: set() for word in VOCABULARY}
HEAVY = {"torch", "cv2", "scipy", "skimage", "ray", "rich", "yaml", "PIL", "triton"}


def sources():
    files = [*(ROOT / "imgkit").rglob("*.py"), *(ROOT / "cli").rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in files)


def part_of(path):
    parts = pathlib.Path(path).with_suffix("").parts
    return "cli" if parts[0] == "cli" else parts[1]


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", sources())
def test_layers_import_only_what_lies_below_them(path):
    here = part_of(path)
    for name in imported(ast.parse((ROOT / path).read_text())):
        parts = name.split(".")
        if parts[0] != "imgkit" or len(parts) == 1 or here == "__init__":
            continue
        allowed = ALLOWED[here] | VOCABULARY | {here}
        known = parts[1] in set(ALLOWED) | {"torch"}
        assert not known or parts[1] in allowed, f"{path} imports {name}: {here} may not"


@pytest.mark.parametrize("path", [p for p in sources() if "/torch/" not in p])
def test_heavy_libraries_are_imported_only_where_they_are_used(path):
    if "backends/" in path:
        return
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in imported(ast.Module([node], [])):
                assert name.split(".")[0] not in HEAVY, f"{path} imports {name} at module level"


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_import_imgkit_loads_no_heavy_library():
    loaded = run_python("import sys, imgkit.registry; print(*sorted(sys.modules))").split()
    assert not {name.split(".")[0] for name in loaded} & HEAVY


def test_cli_help_loads_no_heavy_library():
    code = (
        "import sys\nfrom imgkit.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('LOADED', *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    loaded = run_python(code).rpartition("LOADED")[2].split()
    assert not set(loaded) & (HEAVY | {"numpy"})
