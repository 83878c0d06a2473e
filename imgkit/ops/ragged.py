"""Functions of one image that also take a list of them, and what type checkers know of that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from imgkit.image import Array, check_array

Options = ParamSpec("Options")
Result = TypeVar("Result")


class Tensor(Protocol):
    """What type checkers know a torch tensor by, without torch."""

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
    """Tell type checkers that a function, as it is, also takes a list of images."""
    return cast(OnImages[Options, Result], function)


def ragged(function: Callable[Concatenate[Any, Options], Result]) -> OnImages[Options, Result]:
    """Let a function of one image also take a list of images and return a list."""

    @functools.wraps(function)
    def each(x: Any, *args: Any, **options: Any) -> Any:
        if isinstance(x, (list, tuple)) and any(hasattr(image, "shape") for image in x):
            for i, image in enumerate(x):
                check_array(image, f"x[{i}]")
            return [function(image, *args, **options) for image in x]
        return [] if isinstance(x, (list, tuple)) and not x else function(x, *args, **options)

    return cast(OnImages[Options, Result], each)
