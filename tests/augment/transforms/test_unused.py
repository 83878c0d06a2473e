"""Methods that a pipeline never runs are refused when the class is defined."""

import dataclasses

import numpy as np
import pytest

import imgkit as ik


def nothing(self, *values, **options):
    return None


class Mixin:
    def forward(self, image):
        return image


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("__call__", r"define apply\(self, image, numbers\)"),
        ("forward", r"define apply\(self, image, numbers\)"),
        ("apply_to_mask", "labels follow the map that matrix"),
        ("apply_to_bboxes", "labels follow the map that matrix"),
        ("apply_to_keypoints", "labels follow the map that matrix"),
    ],
)
@pytest.mark.parametrize("given", [{}, {"apply": nothing}, {"matrix": nothing}])
def test_a_method_that_never_runs_is_refused(name, cure, given):
    with pytest.raises(TypeError, match=rf"Port defines {name}, which a pipeline never.*{cure}"):
        type("Port", (ik.Transform,), {name: nothing, **given})


def test_it_is_refused_in_a_parent_and_in_a_subclass_of_a_transform():
    with pytest.raises(TypeError, match="Port defines forward"):
        type("Port", (Mixin, ik.Transform), {"apply": nothing})
    with pytest.raises(TypeError, match="Wider defines __call__"):
        type("Wider", (ik.GaussianBlur,), {"__call__": nothing})


def test_helpers_of_any_other_name_are_a_users_own():
    class Darker(ik.Transform):
        def apply(self, image, numbers):
            return self.apply_level(image)

        def apply_level(self, image):
            return image // 2

    assert Darker()(np.full((2, 2, 3), 8, np.uint8), key=0).max() == 4


def test_a_field_is_no_method():
    @dataclasses.dataclass(frozen=True)
    class Darker(ik.Transform):
        apply_to_gray: bool = True
        apply_to_share: float = 0.5

        def apply(self, image, numbers):
            return (image * self.apply_to_share).astype(image.dtype)

    assert Darker()(np.full((2, 2, 3), 8, np.uint8), key=0).max() == 4


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_method_of_any_kind_is_refused(kind):
    with pytest.raises(TypeError, match="Port defines apply_to_mask"):
        type("Port", (ik.Transform,), {"apply_to_mask": kind(nothing)})
