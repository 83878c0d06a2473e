"""Philox in torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from imgkit.backends.tensor.primitives import philox  # noqa: E402


def test_noise_words_are_numpys():
    keys = np.random.default_rng(0).integers(0, 2**64, (3, 2), dtype=np.uint64)
    words = philox.words(torch.from_numpy(keys.view(np.int64)), 1001).numpy().view(np.uint64)
    shorts = philox.shorts(torch.from_numpy(keys.view(np.int64)), 1001).numpy()
    for key, row, short in zip(keys, words, shorts, strict=True):
        raw = np.random.Philox(key=key).random_raw(1001)
        assert np.array_equal(row, raw)
        assert np.array_equal(short, raw.astype("<u8").view("<u2")[:1001])
