"""Keys: what names a sample, and what calls without a key draw from."""

import multiprocessing
import os
import pickle
import sys
import threading

import numpy as np
import pytest
from by_hand import M32

from imgkit import draws
from imgkit.draws import Calls, Process, parse_key


@pytest.mark.parametrize(
    ("key", "epoch", "indices", "scalar"),
    [
        (5, 0, [5], True),
        (np.int32(5), 0, [5], True),
        (np.array(5), 0, [5], True),
        ((2, 5), 2, [5], True),
        ((np.int64(2), np.uint64(2**64 - 1)), 2, [2**64 - 1], True),
        ((M32, 0), M32, [0], True),
        ((2, np.array([5, 6])), 2, [5, 6], False),
        ((2, [1, 2**63]), 2, [1, 2**63], False),
        ((2, range(3)), 2, [0, 1, 2], False),
        ((2, []), 2, [], False),
        ((2, np.array([7])), 2, [7], False),
        (np.array([5, 6], np.uint8), 0, [5, 6], False),
        (np.array([], np.int64), 0, [], False),
    ],
)
def test_a_key_names_an_epoch_and_samples(key, epoch, indices, scalar):
    got = parse_key(key)
    assert got.epoch == epoch
    assert got.indices.dtype == np.uint64
    assert got.indices.tolist() == indices
    assert got.scalar is scalar


def test_a_tensor_of_indices_is_a_key():
    torch = pytest.importorskip("torch")
    assert parse_key((1, torch.tensor([3, 4]))).indices.tolist() == [3, 4]
    assert parse_key((1, torch.tensor(3))) == (1, np.array([3]), True)


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (-1, ValueError, "key index is -1: it must be at least 0 and below 2"),
        ((0, -1), ValueError, "key index is -1"),
        ((-1, 0), ValueError, "key epoch is -1"),
        ((2**32, 0), ValueError, "key epoch is 4294967296: it must be at least 0 and below 2"),
        ((0, 2**64), ValueError, "key index is 18446744073709551616"),
        ((0, np.array([1, -2])), ValueError, "key index is -2: it must be at least 0"),
        ((0, [1, -2]), ValueError, "key index is -2"),
        (1.0, TypeError, "key is 1.0: it must be an index"),
        (np.array(1.0), TypeError, "key index is .*1.0.*: it must be an integer"),
        ((0, 1.5), TypeError, "key is 1.5: it must be an index"),
        ((0.0, 1), TypeError, "key epoch is 0.0: it must be an integer"),
        (True, TypeError, "key index is True: it must be an integer"),
        ((0, np.array([1.0])), TypeError, "key indices have dtype float64"),
        ((0, np.ones((2, 2), int)), TypeError, r"shape \(2, 2\)"),
        ((0, [1, 2.0]), TypeError, "key index is 2.0"),
        ((1, 2, 3), TypeError, "a tuple is \\(epoch, index\\)"),
        ([1, 2], TypeError, "pass \\(epoch, index\\) as a tuple"),
        ("5", TypeError, "key is '5'"),
        (None, TypeError, "key is None"),
    ],
)
def test_a_bad_key_is_named(key, error, message):
    with pytest.raises(error, match=message):
        parse_key(key)


def identity(key):
    return [(key.epoch, index) for index in key.indices.tolist()]


def test_a_seeded_pipeline_counts_its_calls():
    calls = Calls(seeded=True)
    assert identity(calls.next()) == identity(parse_key(0))
    assert identity(calls.next(3)) == [(0, 1), (0, 2), (0, 3)]
    assert identity(calls.next()) == [(0, 4)]
    assert calls.next().scalar
    assert not calls.next(1).scalar
    assert identity(calls.next(0)) == []
    assert identity(calls.next()) == [(0, 7)]


def test_a_pickled_count_goes_on():
    calls = Calls(seeded=True)
    calls.next(5)
    assert identity(pickle.loads(pickle.dumps(calls)).next()) == [(0, 5)]


def test_without_a_seed_nothing_comes_back():
    calls, other = Calls(seeded=False), Calls(seeded=False)
    seen = identity(calls.next(500)) + identity(other.next(500)) + identity(calls.next())
    assert len(set(seen)) == 1001
    assert calls.next().scalar


def test_threads_share_one_count():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    calls, seen = Calls(seeded=True), []
    threads = [
        threading.Thread(target=lambda: seen.extend(identity(calls.next(2)) for _ in range(2000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert len({pair for call in seen for pair in call}) == 16_000


def test_workers_never_meet():
    """Each worker counts in a range of its own, under the loader's tag."""
    tag = 0xABCD_1234_5678
    seen = set()
    for worker in range(4):
        for call in (0, 1, 2**36 - 3):
            key = draws.counted_key(call, 2, Process(tag, worker))
            assert key.epoch == 0x1234_5678
            seen.update(key.indices.tolist())
    assert len(seen) == 4 * 5  # of three pairs, the first two share a number
    assert all(index >> 48 == 0xABCD for index in seen)
    with pytest.raises(ValueError, match="call is"):
        draws.counted_key(2**36 - 1, 1, Process())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_child_processes_never_repeat_each_other(method):
    calls = Calls(seeded=True)
    with multiprocessing.get_context(method).Pool(2) as pool:
        pending = [pool.apply_async(calls.next, (2,)) for _ in range(6)]
        seen = [pair for result in pending for pair in identity(result.get(60))]
    seen += identity(calls.next(3))
    assert len(set(seen)) == 15


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # forking is what is tested
def test_a_fork_never_repeats_its_parent():
    calls = Calls(seeded=True)
    calls.next()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, pickle.dumps(identity(calls.next(2))))
        os._exit(0)
    theirs = pickle.loads(os.read(reading, 10_000))
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    assert not set(theirs) & {(0, n) for n in range(100)}


class Unkeyed:
    """A data set whose items are the keys that a pipeline without a key would draw from."""

    def __init__(self):
        self.calls = Calls(seeded=True)

    def __len__(self):
        return 24

    def __getitem__(self, item):
        return identity(self.calls.next())[0]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_loader_workers_never_repeat_each_other_nor_an_earlier_epoch():
    torch = pytest.importorskip("torch")

    def epochs():
        torch.manual_seed(5)
        loader = torch.utils.data.DataLoader(
            Unkeyed(), batch_size=4, num_workers=2, collate_fn=list, multiprocessing_context="fork"
        )
        return [pair for _ in range(2) for batch in loader for pair in batch]

    first = epochs()
    assert len(set(first)) == 48
    assert epochs() == first  # and torch's seed makes them reproducible
