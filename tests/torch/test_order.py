"""The order of a loader among the ranks of torch.distributed: equal parts, the same keys."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DistributedSampler

import imgkit as ik
from imgkit.torch import Loader
from imgkit.torch.order import share_of

NOISE = ik.Pipeline([ik.GaussianNoise(0.2)], seed=7)


def rows(count):
    return [(np.full((4, 5, 3), 100 + i, np.uint8), i) for i in range(count)]


def indices(loader):
    return [labels.tolist() for _, labels in loader]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 5, 12, 13])
def test_parts_are_those_of_a_distributed_sampler(count, ranks, drop_last):
    for rank in range(ranks):
        sampler = DistributedSampler(range(count), ranks, rank, shuffle=False, drop_last=drop_last)
        fails = drop_last and count < ranks  # torch's sampler, on fewer samples than ranks
        expected = [] if fails else list(sampler)
        assert share_of(np.arange(count), rank, ranks, drop_last).tolist() == expected


@pytest.mark.parametrize(("count", "drop_last"), [(12, False), (13, False), (13, True), (3, False)])
def test_ranks_take_all_samples_by_the_same_keys(count, drop_last):
    options = {"shuffle": True, "seed": 3, "drop_last": drop_last}
    alone = {
        int(label): image
        for images, labels in Loader(rows(count), NOISE, 1, shuffle=True, seed=3)
        for image, label in zip(images, labels, strict=True)
    }
    loaders = [Loader(rows(count), NOISE, 2, rank=(rank, 4), **options) for rank in range(4)]
    assert len({len(loader) for loader in loaders}) == 1
    taken = []
    for loader in loaders:
        batches = list(loader)
        assert len(batches) == len(loader)
        for images, labels in batches:
            taken += labels.tolist()
            for image, label in zip(images, labels.tolist(), strict=True):
                assert torch.equal(image, alone[label])
    if drop_last:  # at most n - 1 of the tail, and what fills no batch on each rank
        assert len(set(taken)) == len(taken) == count // 4 // 2 * 2 * 4
    else:
        assert sorted(set(taken)) == list(range(count))
        assert len(taken) == -(-count // 4) * 4


def test_a_rank_continues_from_the_state_of_another():
    def loader(rank):
        return Loader(rows(9), NOISE, 2, shuffle=True, rank=(rank, 2))

    first, second = loader(0), loader(1)
    whole = indices(loader(1))
    next(iter(first))
    state = first.state_dict()
    second.load_state_dict(state)
    assert indices(second) == whole[1:]
    with pytest.raises(ValueError, match="ranks is 1 here and 2 in the state"):
        Loader(rows(9), NOISE, 2, shuffle=True).load_state_dict(state)


@pytest.mark.parametrize(
    ("rank", "error", "message"),
    [
        (1, TypeError, r"rank is 1: it must be a pair, such as \(0, 2\)"),
        ((0, 0), ValueError, r"rank\[1\] is 0: it must be at least 1"),
        ((2, 2), ValueError, r"rank\[0\] is 2"),
        ((-1, 2), ValueError, r"rank\[0\] is -1"),
        ((0.0, 2), TypeError, r"rank\[0\] is 0.0"),
    ],
)
def test_a_rank_that_is_none_says_why(rank, error, message):
    with pytest.raises(error, match=message):
        Loader(rows(3), NOISE, rank=rank)


PROCESS = """
import json, sys
import numpy as np
import torch.distributed as dist
import imgkit as ik
from imgkit.torch import Loader

rank, store = int(sys.argv[1]), sys.argv[2]
data = [(np.full((4, 5, 3), 100 + i, np.uint8), i) for i in range(7)]
noise = ik.Pipeline([ik.GaussianNoise(0.2)], seed=7)
loader = Loader(data, noise, 2, workers=1, shuffle=True, seed=3)  # before the group is there
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
everything = Loader(data, noise, 2, rank=(0, 1))
found = []
for _ in range(2):
    for images, labels in loader:
        found.append([[int(label), image.sum().item()] for image, label in zip(images, labels)])
print(json.dumps([len(loader), found, len(everything)]))
dist.destroy_process_group()
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_processes_of_gloo_split_an_epoch(tmp_path):
    env = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}  # no network is needed
    command = [sys.executable, "-c", PROCESS]
    started = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    done = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], done
    results = [json.loads(out) for out, _ in done]
    assert [(batches, every) for batches, _, every in results] == [(2, 4), (2, 4)]
    for rank, (_, found, _) in enumerate(results):
        alone = Loader(rows(7), NOISE, 2, shuffle=True, seed=3, rank=(rank, 2))
        expected = [
            [[int(label), image.sum().item()] for image, label in zip(images, labels, strict=True)]
            for _ in range(2)
            for images, labels in alone
        ]
        assert found == expected
    for epoch in (0, 1):
        taken = [label for _, found, _ in results
                 for batch in found[2 * epoch : 2 * epoch + 2] for label, _ in batch]  # fmt: skip
        assert len(taken) == 8
        assert set(taken) == set(range(7))
