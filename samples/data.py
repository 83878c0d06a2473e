"""The data of the samples, and the three options that every sample takes.

Images are uint8 in ``(N, H, W, C)``, labels are int64 in ``(N,)``. Nothing is downloaded: missing
data is an error that names the command to install it, with exit code 2.
"""

import argparse
import gzip
import pathlib
import sys
from typing import NamedTuple

import numpy as np

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
GET_FASHION = "apt-get install -y dataset-fashion-mnist"
GET_MNIST = (
    "for f in {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz; do"
    " curl -fLO --output-dir DIR https://ossci-datasets.s3.amazonaws.com/mnist/$f; done"
)
GET_CIFAR = (
    "curl -fL https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    " | tar xz --strip-components=1 -C DIR"
)
GET_PETS = (
    "curl -fLO https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F"
    "/kagglecatsanddogs_5340.zip && unzip -q kagglecatsanddogs_5340.zip  # gives PetImages"
)
CLOTHES = [
    *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
]
THINGS = [
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
]
SQUARE = 32  # edge length of a CIFAR-10 image
COLORED = [  # the color photographs that come with scikit-image itself
    *("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field"),
    *("retina", "immunohistochemistry", "stereo_motorcycle"),
]


class Split(NamedTuple):
    """Images and labels to train with, and others to test with."""

    x: np.ndarray  # (N, H, W, C) uint8
    y: np.ndarray  # (N,) int64
    test_x: np.ndarray
    test_y: np.ndarray

    def head(self, train: int, test: int) -> "Split":
        """Only the first images of both parts."""
        return Split(self.x[:train], self.y[:train], self.test_x[:test], self.test_y[:test])


def options(doc: str) -> argparse.Namespace:
    """``--quick``, ``--out DIR`` and ``--data DIR``; DIR of ``--out`` is created."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small run of a few seconds")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out"), metavar="DIR")
    parser.add_argument("--data", type=pathlib.Path, metavar="DIR", help="where the data set lies")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen


def missing(path: pathlib.Path, command: str) -> None:
    """Exit with code 2; the message names the missing data and the command to install it."""
    print(f"missing data: {path}\nget it with:  {command}", file=sys.stderr)
    raise SystemExit(2)


def read_idx(path: pathlib.Path) -> np.ndarray:
    """One file of the IDX format of MNIST, gzipped or not."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if raw[:3] != b"\x00\x00\x08":
        raise SystemExit(f"{path}: not an IDX file of bytes")
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def idx_split(folder: pathlib.Path, command: str) -> Split:
    """The four files of MNIST's layout."""
    parts = []
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            names = (f"{part}-{kind}-ubyte.gz", f"{part}-{kind}-ubyte")
            found = [folder / name for name in names if (folder / name).is_file()]
            parts.append(read_idx(found[0]) if found else missing(folder / names[0], command))
    x, y, test_x, test_y = parts
    return Split(x[..., None], y.astype(np.int64), test_x[..., None], test_y.astype(np.int64))


def fashion_mnist(folder: pathlib.Path | None = None) -> Split:
    """70,000 pictures of clothes, 28x28 gray, ten classes (``CLOTHES``)."""
    return idx_split(folder or FASHION, GET_FASHION)


def digits(folder: pathlib.Path | None = None) -> Split:
    """Handwritten digits, 28x28 gray: MNIST from a folder, or scikit-learn's 1,797 of 8x8."""
    if folder:
        return idx_split(folder, GET_MNIST.replace("DIR", str(folder)))
    from sklearn.datasets import load_digits

    import imgkit as ik

    x, y = load_digits(return_X_y=True)
    small = np.uint8(x.reshape(-1, 8, 8, 1) * (255 / 16))
    x = np.pad(ik.resize(small, 20), ((0, 0), (4, 4), (4, 4), (0, 0)))  # MNIST's margins
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1400], order[1400:]
    return Split(x[train], y[train], x[test], y[test])


def cifar10(folder: pathlib.Path) -> Split:
    """60,000 color pictures of 32x32, ten classes (``THINGS``), from the binary version's files."""
    files = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    rows = []
    for file in files:
        if not (folder / file).is_file():
            missing(folder / file, GET_CIFAR.replace("DIR", str(folder)))
        raw = np.frombuffer((folder / file).read_bytes(), np.uint8)
        rows.append(raw.reshape(-1, 1 + 3 * SQUARE * SQUARE))
    parts = []
    for part in (np.concatenate(rows[:5]), rows[5]):
        parts.append(part[:, 1:].reshape(-1, 3, SQUARE, SQUARE).transpose(0, 2, 3, 1))
        parts.append(part[:, 0].astype(np.int64))
    return Split(*parts)


def photograph(name: str) -> np.ndarray:
    """One of scikit-image's photographs, as ``skimage.data`` names them: (H, W, C) uint8."""
    from skimage import data

    image = getattr(data, name)()
    image = image[0] if isinstance(image, tuple) else image  # a stereo pair: its left half
    return image if image.ndim == 3 else image[..., None]


def patches(names: list[str], edge: int, train: int, test: int) -> Split:
    """Random windows of each photograph, halved to edge x edge; the label is the photograph.

    Training windows are in its left three fifths, test windows in the rest.
    """
    import imgkit as ik

    aug = ik.Pipeline([ik.RandomCrop(2 * edge), ik.Resize(edge)], seed=0)
    found: list[list[np.ndarray]] = [[], []]
    for label, name in enumerate(names):
        image = photograph(name)
        border = image.shape[1] * 3 // 5
        for part, side in enumerate((image[:, :border], image[:, border:])):
            rows = np.arange((train, test)[part])
            views = np.broadcast_to(side, (len(rows), *side.shape))  # one image in memory
            found[part].append(aug(views, key=(label, 2 * rows + part)))
    labels = (np.repeat(np.arange(len(names)), count) for count in (train, test))
    x, test_x = (np.concatenate(images) for images in found)
    y, test_y = labels
    return Split(x, y, test_x, test_y)


def texture_tiles(
    folder: pathlib.Path, sources: dict[str, list[str]], edge: int, count: int
) -> None:
    """Write `count` JPEG files for each class, cut from its photographs; no two overlap.

    A tile is 1/100 of a photograph, enlarged to edge x edge, rotated and with its own brightness.
    """
    from PIL import Image

    import imgkit as ik

    noise = ik.GaussianNoise((0.01, 0.04))
    light = ik.Pipeline([ik.Rotate90(), ik.ColorJitter(0.3, 0.3), noise], seed=0)
    for label, names in sources.items():
        (folder / label).mkdir(parents=True)
        for name in names:
            large = ik.resize(photograph(name), 10 * edge)
            for place in np.random.default_rng(0).permutation(100)[: count // len(names)].tolist():
                top, left = (edge * n for n in divmod(place, 10))
                tile = light(ik.crop(large, top, left, edge, edge), key=(0, place))
                Image.fromarray(tile[..., 0]).save(folder / label / f"{name}_{place:02}.jpg")
