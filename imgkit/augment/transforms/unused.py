"""Methods that other libraries run on a transform, and imgkit would not: they would do nothing."""

from __future__ import annotations

PIXELS = "define apply(self, image, numbers) for pixels"
LABELS = "labels follow the map that matrix(self, numbers, size) returns"


def refuse_unused(cls: type, base: type) -> None:
    """Raise if a transform, or a class that it derives from besides `base`, defines such a method.

    Raises:
        TypeError: it defines ``__call__``, ``forward`` or an ``apply_to_...``.
    """
    for parent in cls.__mro__:
        if parent in base.__mro__:
            continue
        for name in vars(parent):
            if not callable(getattr(parent, name)):  # a field
                continue
            labels = name.startswith("apply_to_")
            if labels or name in ("__call__", "forward"):
                raise TypeError(
                    f"{cls.__name__} defines {name}, which a pipeline never runs: "
                    f"{LABELS if labels else PIXELS}"
                )
