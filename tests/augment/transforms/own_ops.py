"""Transforms as a user writes them, in a module that workers and the command line can import."""

import numpy as np

import imgkit as ik


@ik.register
class Shade(ik.Transform):
    """Darken."""

    share: float = 0.5

    def apply(self, image, numbers):
        return (image * numbers["share"]).astype(image.dtype)


@ik.register
class Slant(ik.Transform):
    """Lean rows sideways."""

    lean: float = (-0.3, 0.3)

    def matrix(self, numbers, size):
        return np.array([[1, numbers["lean"], 0], [0, 1, 0], [0, 0, 1]])


@ik.register
class Tint(ik.Transform):
    """Scale the red channel."""

    red: float = (0.5, 1.0)

    def color(self, numbers):
        matrix = np.eye(3, 4)
        matrix[0, 0] = numbers["red"]
        return matrix


@ik.register
class Speckle(ik.Transform):
    """Draw more numbers than the fields."""

    value: str = "white"

    def draw(self, rng, size):
        return {
            "row": rng.integers(0, size[0]),
            "strength": rng.uniform(0.0, 1.0),
            "normal": rng.normal(0.0, 1.0),
            "choice": rng.choice(["a", "b"], [1, 3]),
        }

    def apply(self, image, numbers):
        image = image.copy()
        image[numbers["row"]] = 255 if numbers["value"] == "white" else 0
        return image
