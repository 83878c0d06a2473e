"""The split: a path alone determines the part, shares are close, presets give their size."""

import pytest

from imgkit.dataset.split import BuildOptions, SplitRule, folds, plan, split
from imgkit.folder.scan import Source

SPLIT = split("80/10/10")
CLASSES = ("cat", "dog", "ünïcode", "with space")


def small(**values):
    return BuildOptions(values.pop("split_rule", SPLIT), "imagenet", 16, **values)


def paths(count, label="cat"):
    return [f"{label}/{i}.jpg" for i in range(count)]


def test_shares_are_close_to_those_asked_for():
    """Within four standard deviations of a binomial count, class by class."""
    for label in CLASSES:
        found = [SPLIT.part(path) for path in paths(5000, label)]
        for part, p in zip(("train", "val", "test"), (0.8, 0.1, 0.1), strict=True):
            assert abs(found.count(part) / 5000 - p) < 4 * (p * (1 - p) / 5000) ** 0.5


def test_folds_are_of_one_size():
    split_rule = folds(5)
    found = [split_rule.part(path) for path in paths(10_000)]
    assert sorted(set(found)) == [f"fold-{i}" for i in range(5)]
    assert max(found.count(part) for part in split_rule.names) < 2000 + 4 * 40
    assert split_rule.folds
    assert not SPLIT.folds


def test_a_path_alone_decides():
    before = {path: SPLIT.part(path) for path in paths(500)}
    after = {path: SPLIT.part(path) for path in [*paths(800, "dog"), *paths(900)]}
    assert all(after[path] == part for path, part in before.items())
    # the value is kept for good: another would move everybody's images
    assert SPLIT.split_hash("cat/0.jpg") == 4484456918220278143


def test_a_larger_share_of_train_takes_from_its_neighbour_alone():
    wider = split("90/10")
    for path in paths(500):
        if SPLIT.part(path) == "train":
            assert wider.part(path) == "train"


def test_another_seed_is_another_split():
    other = split("80/10/10", seed=1)
    assert sum(other.part(path) != SPLIT.part(path) for path in paths(500)) > 100


@pytest.mark.parametrize("text", ["", "80/-10", "80/20/0", "a/b", "1/1/1/1", "80,10,10", "0"])
def test_a_split_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="up to three numbers above 0"):
        split(text)


def test_numbers_of_a_split_are_shares():
    assert split("8/1/1").part("cat/7.jpg") == SPLIT.part("cat/7.jpg")
    assert split("1") == SplitRule(("train",), (1,))


def sources(*names):
    return [Source(name, 1, 1) for name in names]


@pytest.mark.parametrize(
    ("names", "build_options", "message"),
    [
        ((), small(), "has no images"),
        (("a/1.jpg", "2.jpg"), small(), "2.jpg is in no class: SRC needs one folder"),
        (("train/1.jpg", "VAL/2.jpg"), small(), "split already"),
        (("a/1.jpg", "a/1.png"), small(), "would both be written to"),
        (
            ("a/1.jpg",),
            BuildOptions(SPLIT, "none", format="npy"),
            "choose a preset other than none",
        ),
    ],
)
def test_what_makes_no_data_set_is_refused_before_the_work(tmp_path, names, build_options, message):
    with pytest.raises(ValueError, match=message):
        plan(sources(*names), str(tmp_path), "dst", build_options)


def test_names_that_would_collide_are_none_in_shards(tmp_path):
    planned = plan(sources("a/1.jpg", "a/1.png"), str(tmp_path), "dst", small(format="webdataset"))
    assert len(planned) == 2


def test_dst_and_src_do_not_lie_in_each_other(tmp_path):
    with pytest.raises(ValueError, match="lies inside SRC"):
        plan(sources("a/1.jpg"), str(tmp_path), str(tmp_path / "dst"), small())
    with pytest.raises(ValueError, match="lies inside DST"):
        plan(sources("a/1.jpg"), str(tmp_path / "src"), str(tmp_path), small())
