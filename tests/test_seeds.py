"""No test fails by chance: whatever draws in tests, samples and benchmarks has a seed."""

import ast
import pathlib
import random
import re

import numpy as np
import pytest
import torch

ROOT = pathlib.Path(__file__).parent.parent
FOLDERS = ("tests", "samples", "benchmarks")
FRESH = {  # drawn from the system, whatever was seeded
    "os.urandom", "uuid.uuid1", "uuid.uuid4", "random.SystemRandom", "secrets.token_bytes",
    "secrets.token_hex", "secrets.randbits", "secrets.choice", "torch.seed", "torch.random.seed",
}  # fmt: skip
SEEDED_BY_ARGUMENT = {"default_rng", "SeedSequence", "RandomState", "Random", "PCG64", "Philox"}
SHARED = ("random.", "np.random.", "numpy.random.")  # one generator of the process
MAKERS = {*SEEDED_BY_ARGUMENT, "Generator", "seed", "get_state", "set_state", "getstate"}
OF_TORCH = {f"torch.{name}" for name in ("rand", "randn", "randint", "randperm", "normal")}


def dotted(node):
    """The name of what is called, such as ``np.random.default_rng``."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def unseeded(text):
    """The calls that draw without a seed of their own, as (line, name).

    torch's own generator is seeded before each test where torch is there when a test begins: in
    modules that import it at their top, and for draws within functions.
    """
    found = []
    tree = ast.parse(text)
    early = any(
        re.search(r"\btorch\b", ast.unparse(statement))
        for statement in tree.body
        if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Assign))
    )
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        empty = not given or (isinstance(given[0], ast.Constant) and given[0].value is None)
        shared = name.startswith(SHARED) and last not in MAKERS
        keyed = any(keyword.arg == "generator" for keyword in node.keywords)
        if name in OF_TORCH and not keyed and not (early and id(node) in inside):
            found.append((node.lineno, name))
        if name in FRESH or shared or (last in SEEDED_BY_ARGUMENT and empty):
            found.append((node.lineno, name))
    return found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("np.random.default_rng()", ["np.random.default_rng"]),
        ("default_rng(None)", ["default_rng"]),
        ("np.random.default_rng(seed=None)", ["np.random.default_rng"]),
        ("np.random.rand(3); random.choice([1])", ["np.random.rand", "random.choice"]),
        ("random.Random(); os.urandom(3)", ["random.Random", "os.urandom"]),
        ("np.random.default_rng(0).random(3); random.Random(1).choice([1])", []),
        ("np.random.seed(0); np.random.Generator(np.random.PCG64(3))", []),
        ("rng.integers(3)", []),
        ("import torch\nx = torch.rand(3)", ["torch.rand"]),
        ("def test():\n    import torch\n    torch.randn(3)", ["torch.randn"]),
        ("import torch\ndef test():\n    torch.rand(3)", []),
        ("torch = pytest.importorskip('torch')\ndef test():\n    torch.rand(3)", []),
        ("torch.rand(3, generator=seeded)", []),
    ],
)
def test_what_counts_as_unseeded(text, names):
    assert [name for _, name in unseeded(text)] == names


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_generator_has_a_seed(folder):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != pathlib.Path(__file__)  # whose last tests draw from the shared generators
        for line, name in unseeded(path.read_text())
    ]
    assert not found


@pytest.mark.parametrize("time", [1, 2])
def test_shared_generators_start_alike_in_every_test(time):
    """torch.rand and others without a generator draw the same numbers, in any order of tests."""
    drawn = (random.random(), float(np.random.random()), float(torch.rand(())))
    expected = (random.Random(0).random(), np.random.RandomState(0).random(),
                float(torch.rand((), generator=torch.Generator().manual_seed(0))))  # fmt: skip
    assert drawn == expected


def test_hypothesis_draws_the_same_examples():
    from hypothesis import settings

    assert settings().derandomize
