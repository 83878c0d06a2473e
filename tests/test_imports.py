"""Contract: who may import whom, no circle, small files, and the cost of an import."""

import ast
import collections
import functools
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
VOCABULARY = {
    *("image", "checks", "border", "draws", "kernels", "stages", "geometry"),
    *("registry", "pillow"),
}
BELOW_FOLDER = {"io", "labels", "augment", "ops"}
ALLOWED = {
    "__main__": {"cli"},
    "cli": {"report", "dataset", "folder", *BELOW_FOLDER},
    "report": {"folder", *BELOW_FOLDER},
    "dataset": {"folder", *BELOW_FOLDER},
    "folder": BELOW_FOLDER,
    "torch": {"augment", "ops", "backends", "io", "labels"},
    "augment": {"ops", "backends"},
    "ops": {"backends"},
    "backends": set(),
    "labels": set(),
    "io": set(),
} | {word: set() for word in VOCABULARY}
HEAVY = {"torch", "cv2", "scipy", "skimage", "ray", "rich", "yaml", "PIL", "triton"}
MOST_FILES, MOST_LINES = 20, 450


def sources():
    files = [*(ROOT / "imgkit").rglob("*.py"), *(ROOT / "cli").rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in files)


def part_of(path):
    parts = pathlib.Path(path).with_suffix("").parts
    return "cli" if parts[0] == "cli" else parts[1]


def imported(tree):
    """Yield the name of everything imported, inside functions and under TYPE_CHECKING too."""
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
        if parts[1] not in ALLOWED:  # a public name or `__version__`, which any module may use
            assert not (ROOT / "imgkit" / parts[1]).exists(), f"{parts[1]} has no rule here"
            continue
        allowed = ALLOWED[here] | VOCABULARY | {here}
        assert parts[1] in allowed, f"{path} imports {name}: {here} may not"


# --- circles and sizes ------------------------------------------------------------------


def module_of(path):
    parts = pathlib.Path(path).with_suffix("").parts
    parts = ("imgkit", *parts) if parts[0] == "cli" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def import_graph():
    """Return, for each module, the modules that it imports.

    An import of ``a.b.c`` runs the packages ``a`` and ``a.b`` first, so it counts as an import of
    those too, except of the packages that hold the importing module itself.
    """
    paths = {module_of(path): path for path in sources()}
    graph = {}
    for module, path in paths.items():
        graph[module] = set()
        for name in imported(ast.parse((ROOT / path).read_text())):
            parts = name.split(".")
            target = name if name in paths else ".".join(parts[:-1])
            if target not in paths:
                continue
            outer = target.split(".")
            packages = {".".join(outer[:n]) for n in range(1, len(outer))}
            holding = {package for package in packages if module.startswith(f"{package}.")}
            graph[module] |= {target} | (packages - holding)
        graph[module].discard(module)
    return graph


def find_path(graph, start, end):
    """Return the shortest chain of imports from `start` to `end`, or None."""
    chains, seen = [[start]], {start}
    for chain in chains:
        for target in sorted(graph[chain[-1]]):
            if target == end:
                return [*chain, end]
            if target not in seen:
                seen.add(target)
                chains.append([*chain, target])
    return None


@pytest.mark.parametrize("module", sorted(map(module_of, sources())))
def test_no_module_imports_itself_through_others(module):
    circle = find_path(import_graph(), module, module)
    assert circle is None, f"circle: {' -> '.join(circle)}"


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}}
    assert find_path(graph, "b", "b") == ["b", "c", "b"]
    assert find_path(graph, "a", "a") is None


def test_folders_and_files_are_small_enough_to_be_searched_by_eye():
    folders = collections.Counter(
        str(pathlib.Path(path).parent) for path in sources() if not path.endswith("__init__.py")
    )
    full = {folder: count for folder, count in folders.items() if count > MOST_FILES}
    lines = {path: (ROOT / path).read_text().count("\n") for path in sources()}
    long = {path: count for path, count in lines.items() if count > MOST_LINES}
    assert (full, long) == ({}, {})


# --- heavy libraries --------------------------------------------------------------------


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
