"""Functions of one image that also take a list of images, with types for type checkers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

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
    """Type a function that handles lists of images by itself."""
    return cast(OnImages[Options, Result], function)


def ragged(function: Callable[Concatenate[Any, Options], Result]) -> OnImages[Options, Result]:
    """Return a function that also takes a list of images and then returns a list."""

    @functools.wraps(function)
    def each(x: Any, *args: Any, **options: Any) -> Any:
        if isinstance(x, (list, tuple)) and any(hasattr(image, "shape") for image in x):
            for i, image in enumerate(x):
                check_array(image, f"x[{i}]")
            return [function(image, *args, **options) for image in x]
        return [] if isinstance(x, (list, tuple)) and not x else function(x, *args, **options)

    return cast(OnImages[Options, Result], each)
