"""Layer two: what a network needs, on torch tensors.

Every function of layer one is a module here: `Sobel`, `MaxPool`, `GaussianBlur`. `Augment` runs a
pipeline on batches; `Keyed`, `ImageFolder`, `Loader` and `Transform` run it in datasets, where
`Visits` counts repeated indices; `Preprocess` is for inference; `MixUp`, `CutMix` and `Mosaic` mix
batches. This package imports torch; nothing else in imgkit imports this package.
"""

from imgkit.backends.tensor.numpy_view import native
from imgkit.registry import IMAGE_FUNCTIONS
from imgkit.torch import modules
from imgkit.torch.augment import Augment
from imgkit.torch.data import ImageFolder, Keyed
from imgkit.torch.function import Function
from imgkit.torch.layout import bgr_to_rgb, rgb_to_bgr, to_chw, to_hwc
from imgkit.torch.loader import Loader
from imgkit.torch.mix import CutMix, MixUp, Mosaic
from imgkit.torch.modules import *  # noqa: F403
from imgkit.torch.order import Visits
from imgkit.torch.preprocess import Preprocess
from imgkit.torch.transform import Transform

__all__ = [
    "IMAGE_FUNCTIONS",
    "Augment",
    "CutMix",
    "Function",
    "ImageFolder",
    "Keyed",
    "Loader",
    "MixUp",
    "Mosaic",
    "Preprocess",
    "Transform",
    "Visits",
    "bgr_to_rgb",
    "native",
    "rgb_to_bgr",
    "to_chw",
    "to_hwc",
]
__all__ += modules.__all__
