"""Layer two: what a network needs, on torch tensors.

Every function of layer one is a module here under its name in capitals: `Sobel`, `MaxPool`,
`GaussianBlur`. This package imports torch; nothing else in imgkit imports this package.
"""

from imgkit.backends.tensor.views import native
from imgkit.torch import modules
from imgkit.torch.modules import *  # noqa: F403

__all__ = [*modules.__all__, "native"]
