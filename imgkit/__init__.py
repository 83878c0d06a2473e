"""Say once what should happen to an image; run it on arrays, folders and batches.

Names are resolved when first used, so that ``import imgkit`` costs NumPy and little more.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    import importlib

    from imgkit.registry import PUBLIC, SYNONYMS

    if name not in PUBLIC:
        from imgkit.checks import suggest

        nearest = suggest(name, PUBLIC, SYNONYMS)
        raise AttributeError(f"module 'imgkit' has no attribute {name!r}: {nearest}")
    value = getattr(importlib.import_module(PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from imgkit.registry import PUBLIC

    return sorted([*globals(), *PUBLIC])
