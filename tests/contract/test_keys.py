"""Who runs a pipeline never changes what a key means; without a key nobody repeats anybody."""

import functools
import warnings

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

COUNT = 24


class Noisy(data.Dataset):
    """One image, augmented anew for every index; with `keyed`, by (epoch, index)."""

    def __init__(self, aug, keyed=False, epoch=0):
        self.aug, self.keyed, self.epoch = aug, keyed, epoch
        self.image = np.full((8, 8, 3), 128, np.uint8)

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        return self.aug(self.image, key=(self.epoch, index) if self.keyed else None)


def pipeline(seed=None):
    ops = [ik.HorizontalFlip(p=0.5), ik.Brightness((0.8, 1.2)), ik.GaussianNoise(0.1)]
    return ik.Pipeline(ops, seed=seed)


def loaded(dataset, workers=0, context=None, shuffle=None, generator=None, persistent=False):
    return data.DataLoader(
        dataset,
        batch_size=4,
        num_workers=workers,
        multiprocessing_context=context,
        sampler=shuffle,
        generator=generator,
        persistent_workers=persistent,
    )


def images(loader):
    with warnings.catch_warnings():  # fork warns where another test has started threads
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.concatenate([batch.numpy() for batch in loader])


def distinct(results):
    return len({image.tobytes() for image in results})


class AllWays(Noisy):
    """Three draws for every index: without seed and key, with a seed, with both."""

    def __init__(self):
        super().__init__(None)
        self.augs = [pipeline(), pipeline(5), pipeline(5)]

    def __getitem__(self, index):
        free, seeded, keyed = self.augs
        return np.stack([free(self.image), seeded(self.image), keyed(self.image, key=index)])


def test_spawned_workers_do_as_forked_ones():
    """One test for all three, as each spawned worker imports torch for seconds."""
    results = images(loaded(AllWays(), 2, "spawn"))
    assert distinct(results[:, 0]) == distinct(results[:, 1]) == COUNT
    assert np.array_equal(results[:, 2], images(loaded(Noisy(pipeline(5), keyed=True))))


@pytest.mark.parametrize("seed", [None, 5])
def test_workers_without_a_key_never_repeat_each_other_or_an_epoch(seed):
    """The classic bug: each worker inherits the same state and draws the same numbers."""
    loader = loaded(Noisy(pipeline(seed)), 2, "fork")
    results = np.concatenate([images(loader), images(loader)])  # workers are started twice
    assert distinct(results) == 2 * COUNT


def test_persistent_workers_without_a_key_never_repeat():
    loader = loaded(Noisy(pipeline(5)), 2, "fork", persistent=True)
    assert distinct(np.concatenate([images(loader), images(loader)])) == 2 * COUNT


def test_main_process_and_workers_without_a_key_never_repeat_each_other():
    aug = pipeline(5)
    mine = np.stack([aug(np.full((8, 8, 3), 128, np.uint8)) for _ in range(COUNT)])
    theirs = images(loaded(Noisy(aug), 2, "fork"))
    assert distinct(np.concatenate([mine, theirs])) == 2 * COUNT


def test_a_loader_seeded_alike_repeats_itself():
    """With a seed, and torch's own generator seeded, workers without keys are reproducible."""
    runs = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        runs.append(images(loaded(Noisy(pipeline(5)), 2, "fork", generator=generator)))
    assert np.array_equal(*runs)


@pytest.mark.parametrize("workers", [1, 2])
def test_keys_mean_the_same_in_any_number_of_workers(workers):
    alone = images(loaded(Noisy(pipeline(5), keyed=True)))
    assert distinct(alone) == COUNT
    spread = images(loaded(Noisy(pipeline(5), keyed=True), workers, "fork"))
    assert np.array_equal(alone, spread)


def test_keys_mean_the_same_in_any_order():
    alone = images(loaded(Noisy(pipeline(5), keyed=True)))
    order = np.random.default_rng(0).permutation(COUNT).tolist()
    shuffled = images(loaded(Noisy(pipeline(5), keyed=True), 2, "fork", shuffle=order))
    assert np.array_equal(shuffled, alone[order])


def test_another_epoch_is_another_draw():
    first, second = (images(loaded(Noisy(pipeline(5), keyed=True, epoch=e))) for e in (0, 1))
    assert distinct(np.concatenate([first, second])) == 2 * COUNT


# --- without a loader -------------------------------------------------------------------------


def test_a_seeded_pipeline_counts_its_calls():
    """Call n without a key is key (0, n), one image or a batch of them."""
    x = np.full((8, 8, 3), 128, np.uint8)
    aug, keyed = pipeline(9), functools.partial(pipeline(9), x)
    assert np.array_equal(aug(x), keyed(key=(0, 0)))
    assert np.array_equal(aug(np.stack([x, x]))[1], keyed(key=(0, 2)))
    assert np.array_equal(aug([x])[0], keyed(key=(0, 3)))
    assert np.array_equal(aug(x), keyed(key=4))  # the epoch is 0 where it is left out


def test_an_unseeded_pipeline_never_repeats():
    x = np.full((8, 8, 3), 128, np.uint8)
    results = [aug(x) for aug in (pipeline(), pipeline()) for _ in range(16)]
    assert distinct(results) == 32


def test_a_keyed_call_does_not_disturb_the_count():
    x = np.full((8, 8, 3), 128, np.uint8)
    aug, other = pipeline(9), pipeline(9)
    aug(x)
    aug(x, key=(3, 7))
    aug.plan((8, 8), (1, 2))
    other(x)
    assert np.array_equal(aug(x), other(x))


def test_global_random_state_is_neither_used_nor_moved():
    x = np.full((8, 8, 3), 128, np.uint8)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    found = pipeline(9)(x, key=1)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    np.random.seed(0)
    torch.manual_seed(0)
    assert np.array_equal(pipeline(9)(x, key=1), found)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ((0, [1, 2, 3]), "key has 3 indices: a batch of 2 images takes"),
        ((0, -1), "key index is -1"),
        ((-1, 0), "key epoch is -1"),
        ((0, 1, 2), "a tuple is .epoch, index."),
        ("first", "key is 'first'"),
        ((0, 1.5), "key is 1.5"),
    ],
)
def test_bad_keys_are_refused_by_name_value_and_rule(key, message):
    with pytest.raises((TypeError, ValueError), match=message):
        pipeline(1)(np.zeros((2, 8, 8, 3), np.uint8), key=key)
