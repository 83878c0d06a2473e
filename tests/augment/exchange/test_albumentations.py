"""Objects of other releases are refused with what is missing, and advice can be taken.

albumentations is not needed: a translation reads the class name and the attributes of an object.
"""

import sys
import types

import pytest

import imgkit as ik

V2 = {"p": 0.5, "interpolation": 1, "border_mode": 0, "fill": 0}  # what 2.0.8 keeps


def fake(name, **attributes):
    """An object as albumentations would make it, of any release."""
    kind = type(name, (), {"__module__": "albumentations.augmentations.fake"})
    found = kind()
    vars(found).update(attributes)
    return found


def rotate(**changes):
    return fake("Rotate", **{**V2, "limit": (-20, 20), "crop_border": False, **changes})


def affine(name="Affine", **changes):
    attributes = {
        **V2,
        "scale": {"x": (0.9, 1.1), "y": (0.9, 1.1)},
        "translate_percent": {"x": (-0.0625, 0.0625), "y": (-0.0625, 0.0625)},
        "translate_px": None,
        "rotate": (-45, 45),
        "shear": {"x": (0.0, 0.0), "y": (0.0, 0.0)},
        "keep_ratio": False,
        "fit_output": False,
        "balanced_scale": False,
    }
    return fake(name, **{**attributes, **changes})


def without(transform, name):
    del vars(transform)[name]
    return transform


def read(*transforms):
    return ik.Pipeline.from_albumentations(list(transforms)).ops


# --- other releases -------------------------------------------------------------------------


def test_what_a_fake_of_the_known_release_gives():
    assert read(rotate()) == (ik.Rotate((-20, 20), antialias=False, p=0.5),)


@pytest.mark.parametrize("name", ["limit", "crop_border", "interpolation", "fill", "p"])
def test_a_missing_attribute_is_named(name):
    message = rf"transforms\[1\]: Rotate: it has no attribute '{name}', which albumentations 2.0.8 "
    with pytest.raises(ValueError, match=message + "has: it is of another release"):
        read(fake("NoOp"), without(rotate(), name))


@pytest.mark.parametrize(
    "changed",
    [
        affine(scale=(0.9, 1.1)),  # a pair, where 2.0.8 has a dict
        affine(scale={"width": (0.9, 1.1)}),
        affine(translate_percent=(0, 0.1), keep_ratio=True),
        rotate(limit=20),
        rotate(limit=(1, 2, 3)),
        rotate(border_mode="reflect"),
        fake("RandomGamma", p=1, gamma_limit=80),
        fake("Normalize", p=1, normalization="standard", max_pixel_value=255, mean=None, std=None),
    ],
    ids=["pair", "keys", "shift", "number", "three", "border", "gamma", "mean"],
)
def test_another_form_is_not_an_error_of_python(changed):
    name = type(changed).__name__
    with pytest.raises(ValueError, match=rf"transforms\[0\]: {name}: ") as found:
        read(changed)
    assert found.type is ValueError


def test_what_stands_in_a_container_is_named_too():
    inner = fake("OneOf", p=0.5, transforms=[without(rotate(p=1), "limit")])
    with pytest.raises(ValueError, match=r"transforms\[0\]: OneOf: Rotate: it has no attribute"):
        read(inner)
    with pytest.raises(ValueError, match="Compose: it has no attribute 'transforms'"):
        ik.Pipeline.from_albumentations(fake("Compose", p=1))


def test_the_release_that_is_there_is_named(monkeypatch):
    module = types.ModuleType("albumentations")
    module.__version__ = "9.9"
    monkeypatch.setitem(sys.modules, "albumentations", module)
    message = r"another release \(this is 9.9\), .* install albumentations==2.0.8, or write"
    with pytest.raises(ValueError, match=message):
        read(without(rotate(), "limit"))


def test_a_value_that_imgkit_refuses_keeps_its_message():
    with pytest.raises(ValueError, match=r"transforms\[0\]: Rotate: p is 3"):
        read(rotate(p=3))
    with pytest.raises(ValueError, match="Rotate: interpolation 4: use nearest, linear or cubic"):
        read(rotate(interpolation=4))


def test_torchvision_of_another_release_is_refused_alike():
    kind = type("RandomRotation", (), {"__module__": "torchvision.transforms.fake"})
    message = r"transforms\[0\]: RandomRotation: it has no attribute .*, which torchvision 0.29.1"
    with pytest.raises(ValueError, match=message):
        ik.Pipeline.from_torchvision(kind())


# --- advice that can be taken ---------------------------------------------------------------


def test_the_advice_for_shift_scale_rotate_has_a_translation():
    with pytest.raises(ValueError, match="it draws its scale for x and y apart") as found:
        read(affine("ShiftScaleRotate"))
    advice = str(found.value)
    call = advice[advice.index("Affine(") : advice.index(", or scale_limit=0")]
    assert call == (
        "Affine(scale=(0.9, 1.1), translate_percent=(-0.0625, 0.0625), rotate=(-45, 45), "
        "keep_ratio=True, p=0.5)"
    )
    (advised,) = read(affine(keep_ratio=True))  # as 2.0.8 makes of that call
    assert advised == ik.Affine((-45, 45), (-0.0625, 0.0625), (0.9, 1.1), antialias=False, p=0.5)
    still = {"x": (1.0, 1.0), "y": (1.0, 1.0)}  # scale_limit=0
    (fixed,) = read(affine("ShiftScaleRotate", scale=still))
    assert fixed == ik.Affine((-45, 45), (-0.0625, 0.0625), 1.0, antialias=False, p=0.5)


def test_shifts_that_differ_are_refused_before_that_advice():
    shift = {"x": (-0.1, 0.1), "y": (0.0, 0.0)}
    for name in ("ShiftScaleRotate", "Affine"):
        with pytest.raises(ValueError, match="translate differs in x and y"):
            read(affine(name, translate_percent=shift, keep_ratio=True))


def test_an_affine_is_told_of_keep_ratio():
    with pytest.raises(ValueError, match=r"Affine: scale is drawn .*keep_ratio=True has a transla"):
        read(affine())
