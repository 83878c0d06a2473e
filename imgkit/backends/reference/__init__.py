"""The oracle: every operation in plain float64, written to be read, not to be fast.

Each module mirrors one of `imgkit.ops`. A function here takes one float64 image ``(H, W, C)``
and the public function's arguments, and returns float64 in the same units, neither rounded nor
clipped unless the operation says so. Where full intensity matters it is the argument `top`.
"""
