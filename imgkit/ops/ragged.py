"""Functions of one image that also take a list of images, with types for type checkers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from imgkit.backends import is_traced
from imgkit.image import Array, check_array

Options = ParamSpec("Options")
Result = TypeVar("Result")


class Tensor(Protocol):
    """A torch tensor for type checkers, without importing torch."""

    @property
    def is_cuda(self) -> bool:
        """Whether it lies on a GPU."""


class OnImages(Protocol[Options, Result]):
    """A function of an image or batch that also takes a list of images and returns a list."""

    @overload
    def __call__(self, x: Array, /, *args: Options.args, **options: Options.kwargs) -> Result: ...

    @overload
    def __call__(
        self, x: Sequence[Array], /, *args: Options.args, **options: Options.kwargs
    ) -> list[Result]: ...

    @overload
    def __call__(
        self, x: Tensor | Sequence[Tensor], /, *args: Options.args, **options: Options.kwargs
    ) -> Any: ...


def takes_lists(
    function: Callable[Concatenate[Any, Options], Result],
) -> OnImages[Options, Result]:
    """Type a function that handles lists of images by itself, and let `torch.compile` run it."""

    @functools.wraps(function)
    def run(x: Any, *args: Any, **options: Any) -> Any:
        if is_traced():
            return _call_traced(function, x, *args, **options)
        return function(x, *args, **options)

    return cast(OnImages[Options, Result], run)


def ragged(function: Callable[Concatenate[Any, Options], Result]) -> OnImages[Options, Result]:
    """Return a function that also takes a list of images and then returns a list."""

    @functools.wraps(function)
    def each(x: Any, *args: Any, **options: Any) -> Any:
        if isinstance(x, (list, tuple)):
            if not x:
                return []
            if any(hasattr(image, "shape") for image in x):
                for i, image in enumerate(x):
                    check_array(image, f"x[{i}]")
                return [each(image, *args, **options) for image in x]
        if is_traced():
            return _call_traced(function, x, *args, **options)
        return function(x, *args, **options)

    return cast(OnImages[Options, Result], each)


def _call_traced(function: Callable[..., Any], x: Any, *args: Any, **options: Any) -> Any:
    """Call a function from code that Dynamo traces, whose tracing of NumPy is not exact."""
    from imgkit.backends.tensor import tracing

    return tracing.call(function.__module__, function.__name__, False, x, *args, **options)
