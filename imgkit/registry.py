"""Every public operation, one line each.

The public names of `imgkit`, the command line, the generated docs, the contract tests and the
benchmarks read this table. A new operation needs a function or class in its family's file, its
implementation in each backend, one line here and one test.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Op(NamedTuple):
    """One public function of layer one.

    `result` is the type of the result: "input" (an image of the input's dtype), "float" (float32,
    or float64 for float64), "fixed" (an image of a fixed dtype), or "other" (not an image).
    `example` holds the arguments of a valid call; `size` is True if H and W may change, `colors`
    if the function takes only 1 or 3 channels.
    """

    name: str
    family: str
    result: str = "input"
    example: Mapping[str, Any] = NOTHING
    size: bool = False
    colors: bool = False

    @property
    def class_name(self) -> str:
        """The name as a module of `imgkit.torch`: `max_pool` becomes `MaxPool`."""
        words = (word.capitalize() for word in self.name.split("_"))
        return CLASS_NAMES.get(self.name, "".join(words))


CLASS_NAMES = {"clahe": "CLAHE", "autocontrast": "AutoContrast"}  # spelled as the transforms are

FUNCTIONS: dict[str, Op] = {
    op.name: op
    for op in (
        Op("convolve", "conv", "float", {"kernel": "sobel_x"}, size=True),
        Op("correlate", "conv", "float", {"kernel": "emboss"}, size=True),
        Op("gradient", "edges", "other"),
        Op("sobel", "edges", "float"),
        Op("prewitt", "edges", "float"),
        Op("scharr", "edges", "float"),
        Op("laplacian", "edges", "float"),
        Op("laplacian_of_gaussian", "edges", "float", {"sigma": 1.5}),
        Op("canny", "edges", "fixed", {"low": 0.1, "high": 0.2}),
        Op("corners", "edges", "float"),
        Op("gaussian_blur", "blur", example={"sigma": 1.5}),
        Op("box_blur", "blur", example={"size": 3}),
        Op("median_blur", "blur", example={"size": 3}),
        Op("bilateral_blur", "blur", example={"sigma_color": 20.0, "sigma_space": 2.0}),
        Op("sharpen", "blur"),
        Op("max_pool", "pool", example={"size": 2, "ceil": True}, size=True),
        Op("min_pool", "pool", example={"size": 2, "ceil": True}, size=True),
        Op("avg_pool", "pool", example={"size": 2, "ceil": True}, size=True),
        Op("median_pool", "pool", example={"size": 3, "padding": 1}, size=True),
        Op("global_pool", "pool", example={"kind": "avg"}, size=True),
        Op("adaptive_pool", "pool", example={"output_size": 1, "kind": "max"}, size=True),
        Op("resize", "resample", example={"size": (12, 9)}, size=True),
        Op("warp", "resample", example={"matrix_or_field": ((1, 0.2, 0), (0, 1, 3), (0, 0, 1))}),
        Op("rotate", "resample", example={"degrees": 30}),
        Op("flip", "resample", example={"axis": "horizontal"}),
        Op("crop", "resample", example={"top": 0, "left": 0, "height": 1, "width": 1}, size=True),
        Op("pad", "resample", example={"padding": 2}, size=True),
        Op("letterbox", "resample", example={"size": 16}, size=True),
        Op("adjust_brightness", "color", example={"factor": 1.3}, colors=True),
        Op("adjust_contrast", "color", example={"factor": 1.3}, colors=True),
        Op("adjust_saturation", "color", example={"factor": 1.3}, colors=True),
        Op("adjust_hue", "color", example={"shift": 0.1}, colors=True),
        Op("adjust_gamma", "tone", example={"gamma": 1.5}),
        Op("grayscale", "color", example={"keep_channels": True}, colors=True),
        Op("invert", "tone"),
        Op("posterize", "tone", example={"bits": 3}),
        Op("solarize", "tone"),
        Op("equalize", "tone"),
        Op("autocontrast", "tone"),
        Op("clahe", "tone", colors=True),
        Op("normalize", "tone", "float", {"mean": 0.5, "std": 0.25}),
        Op("to_float", "tone", "float"),
        Op("to_uint8", "tone", "fixed"),
        Op("conv2d", "conv2d", "other"),
        Op("explain_convolve", "conv", "other"),
        Op("conv_output_size", "arithmetic", "other"),
        Op("receptive_field", "arithmetic", "other"),
        Op("convolution_matrix", "conv_matrix", "other"),
        Op("deconvolve", "deconvolve", "float", {"kernel": "gaussian", "regularization": 0.1}),
    )
}

# Functions of an image, which are modules of `imgkit.torch`; the others work on shapes and kernels.
IMAGE_FUNCTIONS = tuple(
    name for name, op in FUNCTIONS.items() if op.result != "other" or name in ("gradient", "conv2d")
)

# Functions that run on the host for tensors of any device, and the reason; the tensor is moved to
# the host and back.
HOST_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "canny": "following edges is a walk from pixel to pixel",
        "clahe": "its tiles are OpenCV's",
        "convolution_matrix": "the matrix is SciPy's",
        "deconvolve": "its solvers are SciPy's",
    }
)


class Augmentation(NamedTuple):
    """One transform: its module in `imgkit.augment.transforms`, and a valid call."""

    name: str
    family: str
    example: Mapping[str, Any] = NOTHING

    @property
    def is_geometric(self) -> bool:
        """Whether the transform moves pixels."""
        return self.family in ("exact", "warps", "resizes")


TRANSFORMS: dict[str, Augmentation] = {
    op.name: op
    for op in (
        Augmentation("HorizontalFlip", "exact"),
        Augmentation("VerticalFlip", "exact"),
        Augmentation("Rotate90", "exact"),
        Augmentation("Transpose", "exact"),
        Augmentation("Rotate", "warps", {"degrees": (-30, 30)}),
        Augmentation("Translate", "warps", {"x": (-0.1, 0.1), "y": 0.05}),
        Augmentation("Scale", "warps", {"factor": (0.8, 1.25)}),
        Augmentation("Shear", "warps", {"x": (-15, 15)}),
        Augmentation("Affine", "warps", {"rotate": (-20, 20), "scale": (0.9, 1.2)}),
        Augmentation("Perspective", "warps", {"distortion": 0.3}),
        Augmentation("Elastic", "warps", {"alpha": (1, 3), "sigma": 4}),
        Augmentation("GridDistortion", "warps"),
        Augmentation("RandomCrop", "exact", {"size": (12, 10), "padding": 8}),
        Augmentation("CenterCrop", "exact", {"size": (12, 10)}),
        Augmentation("RandomResizedCrop", "resizes", {"size": (20, 16)}),
        Augmentation("Resize", "resizes", {"size": (20, 16)}),
        Augmentation("Pad", "exact", {"padding": 2}),
        Augmentation("Letterbox", "resizes", {"size": (24, 24)}),
        Augmentation("Brightness", "color", {"factor": (0.5, 1.5)}),
        Augmentation("Contrast", "color", {"factor": (0.5, 1.5)}),
        Augmentation("Saturation", "color", {"factor": (0.5, 1.5)}),
        Augmentation("Hue", "color", {"shift": (-0.2, 0.2)}),
        Augmentation("ColorJitter", "color", {"brightness": 0.3, "contrast": 0.3, "hue": 0.1}),
        Augmentation("Gamma", "color", {"gamma": (0.7, 1.5)}),
        Augmentation("Grayscale", "color"),
        Augmentation("Invert", "color"),
        Augmentation("Posterize", "color", {"bits": (3, 6)}),
        Augmentation("Solarize", "color"),
        Augmentation("Equalize", "color"),
        Augmentation("AutoContrast", "color"),
        Augmentation("CLAHE", "filters"),
        Augmentation("ChannelShuffle", "color"),
        Augmentation("GaussianBlur", "filters", {"sigma": (0.5, 2)}),
        Augmentation("BoxBlur", "filters"),
        Augmentation("MedianBlur", "filters"),
        Augmentation("MotionBlur", "filters"),
        Augmentation("Sharpen", "filters"),
        Augmentation("Sharpness", "filters", {"factor": (0.1, 1.9)}),
        Augmentation("Emboss", "filters"),
        Augmentation("Sobel", "filters"),
        Augmentation("Laplacian", "filters"),
        Augmentation("JpegCompression", "filters"),
        Augmentation("GaussianNoise", "noise", {"std": (0.01, 0.1)}),
        Augmentation("SaltPepper", "noise", {"amount": (0.01, 0.1)}),
        Augmentation("Erase", "erase"),
        Augmentation("GridMask", "erase"),
        Augmentation("RandAugment", "policy"),
        Augmentation("TrivialAugment", "policy"),
        Augmentation("AutoAugment", "policy"),
        Augmentation("AugMix", "policy"),
        Augmentation("Normalize", "output"),
        Augmentation("ToFloat", "output"),
        Augmentation("ToCHW", "output"),
    )
}

CONTROLS = ("OneOf", "SomeOf")
MIXERS = ("MixUp", "CutMix", "Mosaic")
FILES = ("read", "write")


def public(name: str) -> Any:
    """Return what a public name stands for; its module is imported when first asked for."""
    return getattr(importlib.import_module(PUBLIC[name]), name)


PUBLIC: dict[str, str] = {
    **{name: f"imgkit.ops.{op.family}" for name, op in FUNCTIONS.items()},
    **{name: f"imgkit.augment.transforms.{op.family}" for name, op in TRANSFORMS.items()},
    **{name: "imgkit.augment.transforms.control" for name in CONTROLS},
    **{name: "imgkit.augment.mixing.mix" for name in MIXERS},
    "rotation": "imgkit.geometry.matrix",
    "scaling": "imgkit.geometry.matrix",
    "translation": "imgkit.geometry.matrix",
    "shear": "imgkit.geometry.matrix",
    "perspective": "imgkit.geometry.matrix",
    "about": "imgkit.geometry.matrix",
    **{name: "imgkit.io.image_file" for name in FILES},
    "kernel": "imgkit.kernels",
    "Choice": "imgkit.augment.transforms.parameters",
    "Transform": "imgkit.augment.transforms.base",
    "Call": "imgkit.augment.transforms.custom",
    "register": "imgkit.augment.transforms.custom",
    "Pipeline": "imgkit.augment.pipeline",
    "Plan": "imgkit.augment.plan.plan",
}

# Other libraries' names: what to write here, and the names, in small letters and digits alone;
# `checks.suggest` drops other characters and a leading "random".
_OTHER_NAMES = (
    ("resize | Resize", "thumbnail imresize rescale zoom interpolate downsample upsample"),
    ("Resize edge=longer", "longestmaxsize"),
    ("Resize edge=shorter", "smallestmaxsize"),
    ("letterbox | Letterbox", "resizewithpad padresize"),
    ("pad | Pad", "padifneeded copymakeborder zeropad2d"),
    ("RandomResizedCrop", "sizedcrop resizecrop"),
    ("flip axis=horizontal | HorizontalFlip", "hflip fliplr fliphorizontal mirror"),
    ("flip axis=vertical | VerticalFlip", "vflip flipud flipvertical"),
    ("Rotate90", "rot90"),
    ("rotate | Rotate", "rotation imrotate saferotate"),
    ("warp | Affine", "warpaffine affinetransform"),
    ("Affine", "shiftscalerotate"),
    ("warp | Perspective", "warpperspective homography"),
    ("warp", "remap mapcoordinates gridsample"),
    ("Translate", "shift translation"),
    ("Elastic", "elastictransform thinplatespline"),
    ("GridDistortion", "gridelasticdeform piecewiseaffine opticaldistortion"),
    (
        "ColorJitter",
        "brightnesscontrast huesaturationvalue colorjiggle photometricdistort",
    ),
    ("adjust_saturation | Saturation", "saturate color"),
    ("adjust_hue | Hue", "hueshift"),
    ("adjust_gamma | Gamma", "gammacorrection"),
    ("grayscale | Grayscale", "togray tograyscale rgb2gray rgbtogray gray greyscale"),
    ("invert | Invert", "negative invertimg bitwisenot"),
    ("posterize | Posterize", "quantize"),
    ("equalize | Equalize", "equalizehist histogramequalization"),
    ("autocontrast | AutoContrast", "rescaleintensity contraststretch"),
    ("clahe | CLAHE", "equalizeadapthist"),
    ("normalize | Normalize", "standardize normalise"),
    ("to_float | ToFloat", "imgasfloat convertimagedtype todtype"),
    ("to_uint8", "imgasubyte fromfloat"),
    ("ToCHW", "totensorv2"),
    ("ToFloat | ToCHW", "totensor"),
    ("gaussian_blur | box_blur | GaussianBlur | BoxBlur", "blur smooth"),
    ("gaussian_blur | GaussianBlur", "gaussian gaussianfilter gaussianblur2d"),
    ("box_blur | BoxBlur", "boxfilter uniformfilter meanfilter averageblur"),
    ("median_blur | MedianBlur", "median medianfilter"),
    ("bilateral_blur", "bilateral bilateralfilter denoisebilateral"),
    ("sharpen | Sharpen", "unsharp unsharpmask"),
    ("Sharpness", "adjustsharpness"),
    ("gradient", "spatialgradient"),
    ("laplacian | Laplacian", "laplace"),
    ("laplacian_of_gaussian", "log gaussianlaplace"),
    ("corners", "harris cornerharris goodfeaturestotrack"),
    ("convolve", "conv convolve2d fftconvolve convolution"),
    ("correlate", "filter2d correlate2d"),
    ("max_pool", "maxpool2d maxpooling blockreduce"),
    ("avg_pool", "avgpool2d meanpool averagepooling"),
    ("median_pool", "medianpooling"),
    ("global_pool", "globalaveragepool globalmaxpool"),
    ("adaptive_pool", "adaptiveavgpool2d adaptivemaxpool2d"),
    ("GaussianNoise", "gaussnoise noise"),
    ("SaltPepper", "saltandpepper saltandpeppernoise impulsenoise"),
    ("Erase", "cutout coarsedropout erasing"),
    ("GridMask", "griddropout"),
    ("JpegCompression", "imagecompression jpeg"),
    ("TrivialAugment", "trivialaugmentwide"),
    ("OneOf", "randomchoice"),
    ("deconvolve", "wiener richardsonlucy deconvolution"),
    ("Pipeline", "compose sequential"),
    ("read", "imread loadimage"),
    ("write", "imwrite imsave saveimage"),
)
SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {word: tuple(ours.split(" | ")) for ours, words in _OTHER_NAMES for word in words.split()}
)
