"""Every function of layer one that takes an image, as an `nn.Module`.

An option of the function is an option of its module, in the same order and with the same default.
Type checkers and editors read the classes in `modules.pyi`, which docs/build.py writes.
"""

from imgkit.registry import FUNCTIONS, IMAGE_FUNCTIONS
from imgkit.torch.function import module_of

__all__ = []
for _name in IMAGE_FUNCTIONS:
    globals()[FUNCTIONS[_name].class_name] = module_of(_name, __name__)
    __all__ += [FUNCTIONS[_name].class_name]
