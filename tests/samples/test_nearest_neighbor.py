"""Votes and folds by hand."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


def test_vote_for_every_k(sample):
    votes = sample("nearest_neighbor").vote(np.array([[3, 5, 5, 3, 3]]))
    assert votes.tolist() == [[3, 3, 5, 3, 3]]  # ties go to the smaller class


@pytest.mark.parametrize("folds", [5, 6, 7])
def test_cross_validation_is_scikit_learns(sample, folds):
    from sklearn.neighbors import KNeighborsClassifier

    module = sample("nearest_neighbor")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(140, 6)).astype(np.float32), rng.integers(0, 3, 140)
    x[:, 0] += 2 * y
    scores = module.cross_validate(module.search(x, x, "L1", 100), y, folds)
    fold, right = np.arange(140) % folds, 0
    for part in range(folds):
        model = KNeighborsClassifier(4, metric="manhattan").fit(x[fold != part], y[fold != part])
        right += (model.predict(x[fold == part]) == y[fold == part]).sum()
    assert scores[3] == pytest.approx(right / 140)


def test_brightened_images_keep_their_edges(sample):
    module = sample("nearest_neighbor")
    x = np.random.default_rng(0).integers(0, 175, (3, 28, 28, 1), dtype=np.uint8)
    for feature, same in ((module.pixels, False), (module.edges, True)):
        bright = module.changes(x)["+80"]
        assert np.allclose(feature(x), feature(bright), rtol=0, atol=1e-6) == same
