"""What a user brings to a list: callables, own transforms by name, nested pipelines."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Numbers, Transform
from imgkit.checks import check_number, suggest
from imgkit.registry import FUNCTIONS, TRANSFORMS, public

ENTRY_POINTS = "imgkit.ops"  # the group in which packages announce their transforms


# --- callables ----------------------------------------------------------------------------


class Call(Transform, init=False, eq=False):
    """A function as an op: it gets the image as it is there, and returns an image.

    imgkit's functions and your own stand in a list by themselves; `Call` adds options and `p`.
    The function runs on the host, on one image (H, W) or (H, W, C) at a time; explain names it.
    Labels stay where they are, so a function must not move pixels where labels are passed.

    Args:
        function: a callable of one image.
        p: the probability that it happens.
        **options: passed to the function by name.

    Raises:
        TypeError: `function` cannot be called, or does not take these options.

    Example:
        >>> import imgkit as ik, numpy as np
        >>> aug = ik.Pipeline([ik.HorizontalFlip(), ik.Call(ik.box_blur, size=3), ik.sobel])
        >>> aug(np.zeros((8, 9, 3), np.uint8), key=0).dtype
        dtype('float32')
    """

    function: Any
    options: Any
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    stage_kinds: ClassVar[tuple[str, ...]] = ("call",)

    def __init__(self, function: Any, p: float = 1.0, **options: Any) -> None:
        if isinstance(function, functools.partial) and not function.args:
            function, options = function.func, {**function.keywords, **options}
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"function is {function!r}: it must be a callable of one image")
        _check_options(function, options)
        self._set(function, check_number(p, "p", 0, 1), options)

    def _set(self, function: Any, p: float, options: dict[str, Any]) -> None:
        """Set the fields; an option may be called `p` or `function` as well."""
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "options", MappingProxyType(options))
        object.__setattr__(self, "p", p)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Call)
            and (self.function, self.p) == (other.function, other.p)
            and _same(self.options, other.options)
        )

    def __hash__(self) -> int:
        return hash((self.function, self.p, tuple(sorted(self.options))))

    def __reduce__(self) -> tuple[Any, ...]:
        return _call, (self.function, self.p, dict(self.options))

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        p = "" if self.p == 1 else f", p={self.p:g}"
        return f"Call({self.name}{options}{p})"

    @property
    def name(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def written(self) -> str:
        """The function and its options as the command line writes them."""
        p = {} if self.p == 1 else {"p": f"{self.p:g}"}
        return " ".join((self.name, *(f"{k}={v}" for k, v in {**self.options, **p}.items())))

    @property
    def registered(self) -> str:
        """The function's name in the registry; empty if it is not imgkit's."""
        op = FUNCTIONS.get(self.name)
        return self.name if op is not None and public(self.name) is self.function else ""

    @property
    def moves_pixels(self) -> bool:
        """Whether the function is one of imgkit's that change the size or move pixels."""
        op = FUNCTIONS.get(self.registered)
        if op is None:
            return False
        sizing = op.size and not {"mode", "stride"}.isdisjoint(self.options)
        return op.family in ("resample", "pool") or sizing

    def apply(self, image: Any, numbers: Numbers) -> Any:
        """Return what the function makes of an image."""
        return self.function(image, **self.options)


def _call(function: Callable[..., Any], p: float, options: dict[str, Any]) -> Call:
    call = object.__new__(Call)
    call._set(function, p, options)
    return call


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether options are equal; arrays among them value by value."""
    if first.keys() != second.keys():
        return False
    for name, value in first.items():
        other = second[name]
        if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
            if not np.array_equal(value, other):
                return False
        elif value != other:
            return False
    return True


def _check_options(function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise unless one of imgkit's functions gives an image and takes these options."""
    name = getattr(function, "__name__", "")
    op = FUNCTIONS.get(name)
    if op is None or public(name) is not function:
        return
    if op.result == "other":
        raise TypeError(f"{name} does not return an image: it cannot stand in a pipeline")
    _image, *parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters]
    for option in options:
        if option not in known:
            raise TypeError(f"{name} has no parameter {option!r}: {suggest(option, known)}")
    for p in parameters:
        if p.default is p.empty and p.name not in options:
            raise TypeError(f"{name} needs {p.name}: write {p.name}=...")


# --- lists --------------------------------------------------------------------------------


def as_ops(item: Any, where: str) -> tuple[Transform, ...]:
    """Return the transforms that an item of a list stands for.

    Args:
        item: a transform, a callable, or a pipeline (anything with `imgkit_ops`).
        where: its place, for messages.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(item, Transform):
        return (item,)
    inner = getattr(item, "imgkit_ops", None)
    if inner is not None:
        return tuple(inner())
    if isinstance(item, type) and issubclass(item, Transform):
        raise TypeError(f"{where} is the class {item.__name__}: write {item.__name__}(...)")
    if not callable(item) or isinstance(item, type):
        raise TypeError(
            f"{where} is {item!r}: it must be a transform, such as Rotate(15), a function of an "
            "image, or a pipeline"
        )
    try:
        return (Call(item),)
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None


# --- names --------------------------------------------------------------------------------

# The one registry that grows while a program runs: names of a user's transforms.
_REGISTERED: dict[str, type[Transform]] = {}


def register(transform: type[Transform]) -> type[Transform]:
    """Let documents name a transform of your own; also usable as a decorator.

    Args:
        transform: a subclass of `Transform`.

    Returns:
        The class itself.

    Raises:
        TypeError: it is not a subclass of `Transform`.
        ValueError: imgkit has a transform or function of that name, or another class has it.

    Example:
        >>> import imgkit as ik
        >>> @ik.register
        ... class Darken(ik.Transform):
        ...     factor: float = 0.5
        ...     def color(self, numbers):
        ...         return [[numbers["factor"] * (i == j) for j in range(4)] for i in range(3)]
        >>> ik.Pipeline.from_yaml("{version: 1, ops: [Darken: {factor: 0.25}]}")
        Pipeline([Darken(factor=0.25, p=1.0)], seed=None)
    """
    if not (isinstance(transform, type) and issubclass(transform, Transform)):
        raise TypeError(f"transform is {transform!r}: it must be a subclass of imgkit.Transform")
    name = transform.__name__
    if name in TRANSFORMS or name in FUNCTIONS:
        raise ValueError(f"transform is {name}: imgkit has one of that name; choose another")
    known = _REGISTERED.get(name)
    if known is not None and (known.__module__, known.__qualname__) != (
        transform.__module__,
        transform.__qualname__,
    ):
        raise ValueError(f"transform is {name}: {known.__module__} has registered that name")
    _REGISTERED[name] = transform
    return transform


def registered(name: str) -> type[Transform] | None:
    """Return the user's transform of a name; packages that announce it are imported."""
    if name not in _REGISTERED:
        for point in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
            return register(point.load())
    return _REGISTERED.get(name)


def registered_names() -> list[str]:
    """Return the names of users' transforms, those that packages announce included."""
    announced = {point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    return sorted({*_REGISTERED, *announced})
