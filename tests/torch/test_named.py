"""Contract of targets by name on tensors: one draw for all, the results of arrays."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")

AUG = ik.Pipeline(
    [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15)),
        ik.ColorJitter(0.2, 0.2, 0.2, 0.05),
        ik.Normalize("imagenet"),
        ik.ToCHW(),
    ],
    seed=7,
)
KEY = (1, 2)
KEYS = (1, [2, 3, 4])


def image(seed=0, size=(40, 50)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def mask(seed=0, size=(40, 50), dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, 2, size).astype(dtype)


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, -3)))


BOXES = np.array([[2.0, 3, 20, 30], [10, 10, 45, 39], [0, 0, 3, 3]])
POINTS = np.array([[5.0, 6], [30, 20]])
LABELS = np.array([1, 2, 3])


def targets(**others):
    return {"mask": mask(), "boxes": BOXES, "labels": LABELS, "keypoints": POINTS, **others}


def test_each_tensor_is_what_the_array_is():
    wanted = AUG(image=image(), **targets(), key=KEY)
    given = {name: torch.from_numpy(value) for name, value in targets().items()}
    made = AUG(image=tensor(image()), **given, key=KEY)
    assert list(made) == list(wanted)
    for name, value in wanted.items():
        assert isinstance(made[name], torch.Tensor)
        assert made[name].numpy().dtype == value.dtype
        # the same code on the same memory
        np.testing.assert_array_equal(made[name].numpy(), value, err_msg=name)
    assert len(made["labels"]) == len(made["boxes"])


def test_tensors_and_arrays_stand_side_by_side():
    wanted = AUG(image=image(), **targets(), key=KEY)
    made = AUG(image=tensor(image()), **targets(), key=KEY)
    assert isinstance(made["image"], torch.Tensor)
    assert isinstance(made["mask"], np.ndarray)
    np.testing.assert_array_equal(made["boxes"], wanted["boxes"])
    made = AUG(image=image(), **targets(mask=torch.from_numpy(mask())), key=KEY)
    assert isinstance(made["image"], np.ndarray)
    assert torch.equal(made["mask"], torch.from_numpy(wanted["mask"]))


def test_a_batch_is_its_images_one_by_one():
    images, masks = np.stack([image(i) for i in range(3)]), np.stack([mask(i) for i in range(3)])
    made = AUG(
        image=tensor(images),
        mask=torch.from_numpy(masks),
        boxes=[torch.from_numpy(BOXES)] * 3,
        labels=[LABELS] * 3,
        key=KEYS,
    )
    assert made["image"].shape == (3, 3, 24, 24)
    assert made["mask"].shape == (3, 24, 24)
    for row, index in enumerate(KEYS[1]):
        one = AUG(
            image=images[row], mask=masks[row], boxes=BOXES, labels=LABELS, key=(KEYS[0], index)
        )
        np.testing.assert_array_equal(made["image"][row].numpy(), one["image"])
        np.testing.assert_array_equal(made["mask"][row].numpy(), one["mask"])
        np.testing.assert_array_equal(made["boxes"][row].numpy(), one["boxes"])
        assert isinstance(made["labels"][row], np.ndarray)


def test_an_empty_batch_stays_empty():
    for masks in (torch.zeros(0, 40, 50), torch.zeros(0, 2, 40, 50)):
        made = AUG(image=torch.zeros(0, 3, 40, 50), mask=masks, boxes=[], labels=[], key=(0, []))
        assert made["image"].shape == (0, 3, 24, 24)
        assert made["mask"].shape == (*masks.shape[:-2], 24, 24)
        assert made["boxes"] == made["labels"] == []


def test_images_of_several_sizes_are_a_list():
    sizes = [(40, 50), (30, 44), (28, 33)]
    images = [tensor(image(i, size)) for i, size in enumerate(sizes)]
    masks = [torch.from_numpy(mask(i, size)) for i, size in enumerate(sizes)]
    made = AUG(image=images, mask=masks, key=KEYS)
    for row, index in enumerate(KEYS[1]):
        one = AUG(image=images[row], mask=masks[row], key=(KEYS[0], index))
        assert torch.equal(made["image"][row], one["image"])
        assert torch.equal(made["mask"][row], one["mask"])


@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float32", "float16"])
def test_masks_keep_their_dtype_and_layout(kind):
    dtype = getattr(torch, kind)
    flat = torch.from_numpy(mask()).to(dtype)
    wanted = AUG(image=image(), mask=mask(), key=KEY)["mask"]
    for given in (flat, flat[None], flat[None].repeat(2, 1, 1)):
        made = AUG(image=tensor(image()), mask=given, key=KEY)["mask"]
        assert made.dtype == dtype
        assert made.shape == (*given.shape[:-2], 24, 24)
        assert torch.equal(made.reshape(-1, 24, 24)[-1].float(), torch.from_numpy(wanted).float())
    stack = AUG(image=tensor(image()), masks=flat[None].repeat(3, 1, 1), key=KEY)["masks"]
    assert stack.shape == (3, 24, 24)
    listed = AUG(image=tensor(image()), masks=[flat, mask()], key=KEY)["masks"]
    assert [type(m) for m in listed] == [torch.Tensor, np.ndarray]


def test_frames_share_one_draw():
    video = np.stack([image(i) for i in range(4)])
    made = AUG(images=tensor(video), boxes=torch.from_numpy(BOXES), key=KEY)
    assert made["images"].shape == (4, 3, 24, 24)
    for frame, one in zip(video, made["images"], strict=True):
        np.testing.assert_array_equal(one.numpy(), AUG(frame, key=KEY))
    listed = AUG(images=[tensor(frame) for frame in video], key=KEY)["images"]
    assert all(torch.equal(a, b) for a, b in zip(listed, made["images"], strict=True))
    videos = AUG(images=torch.stack([tensor(video)] * 2), key=(1, [2, 3]))["images"]
    assert torch.equal(videos[0], made["images"])


def test_without_a_key_image_and_mask_have_one_draw():
    aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.RandomCrop(16)])
    for _ in range(6):
        picture = image()
        made = aug(image=tensor(picture), mask=torch.from_numpy(picture[..., 0]))
        assert torch.equal(made["image"][0], made["mask"])


def test_gradients_flow_through_the_image():
    x = (tensor(image()).double() / 255).requires_grad_()
    made = AUG(image=x, mask=torch.from_numpy(mask()), key=KEY)
    made["image"].sum().backward()
    assert x.grad.abs().max() > 0
    assert not made["mask"].requires_grad


def test_whole_numbers_of_boxes_become_floats():
    made = AUG(image=tensor(image()), boxes=torch.from_numpy(BOXES).long(), key=KEY)
    assert made["boxes"].dtype == torch.float32


def test_sizes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"mask is 20 x 50 \(H x W\) but image is 40 x 50"):
        AUG(image=tensor(image()), mask=torch.from_numpy(mask(size=(20, 50))), key=KEY)
    with pytest.raises(ValueError, match=r"it must be \(H, W\) or \(C, H, W\)"):
        AUG(image=torch.zeros(40), mask=torch.from_numpy(mask()), key=KEY)
    with pytest.raises(ValueError, match="mask has 2 entries: a batch of 3 images"):
        AUG(image=torch.zeros(3, 3, 9, 9), mask=torch.zeros(2, 9, 9), key=KEYS)


# --- the oracle -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "last", [(), (ik.Normalize("imagenet"),), (ik.Normalize(0.5, 0.5), ik.ToCHW())]
)
def test_the_oracle_takes_tensors(last):
    aug = ik.Pipeline([ik.Rotate((-15, 15)), ik.Brightness((0.5, 1.5)), *last], seed=3)
    batch = np.stack([image(i) for i in range(3)])
    made = aug.reference(tensor(batch), key=KEYS)
    wanted = aug.reference(batch, key=KEYS)
    first = wanted if wanted.shape[1] == 3 else np.moveaxis(wanted, -1, 1)
    np.testing.assert_array_equal(made.numpy(), first)
    assert torch.equal(aug.reference(tensor(batch[0]), key=(1, 2)), made[0])
    tolerance = 1 if made.dtype == torch.uint8 else 1e-4  # the contract between backends
    ours = aug(tensor(batch), key=KEYS)
    torch.testing.assert_close(ours.double(), made.double(), rtol=0, atol=tolerance)


def test_the_oracle_keeps_gray_tensors_and_half_types():
    aug = ik.Pipeline([ik.Rotate((-15, 15))], seed=3)
    gray = torch.from_numpy(image()[..., 0].copy())
    assert aug.reference(gray, key=KEY).shape == gray.shape
    half = tensor(image()).to(torch.bfloat16) / 255
    made = aug.reference(half, key=KEY)
    assert made.dtype == torch.bfloat16
    # half a unit in the last place of 1
    torch.testing.assert_close(made, aug(half, key=KEY), rtol=0, atol=2**-8)


def test_the_oracle_gives_a_list_where_sizes_differ():
    aug = ik.Pipeline([ik.Rotate90(ik.Choice([0, 1]))], seed=3)
    x = torch.stack([tensor(image(i)) for i in range(6)])
    made = aug.reference(x, key=(0, range(6)))
    assert {tuple(one.shape) for one in made} == {(3, 40, 50), (3, 50, 40)}
    for one, ours in zip(made, aug(x, key=(0, range(6))), strict=True):
        assert torch.equal(one, ours)
