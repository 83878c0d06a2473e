"""Decode by content; damaged files are errors."""

import io
import pathlib
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import malformed
import numpy as np
import pytest
from PIL import Image, ImageOps

import imgkit as ik
from imgkit.io.decode import Limits, decode, decode_details, decode_scale
from imgkit.io.encode import WRITABLE, encode
from imgkit.io.header import BadImage

HERE = pathlib.Path(__file__).parent
SAMPLES = HERE.parent.parent / "samples" / "images"
PILLOW = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")


def smooth(dtype=np.uint8, channels=3):
    rng = np.random.default_rng(7)
    image = cv2.GaussianBlur(rng.random((40, 60, 3)), (0, 0), 4)
    image = (image - image.min()) / (image.max() - image.min())
    image = np.concatenate([image, image], axis=2)[..., :channels]
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return np.squeeze((image * top).astype(dtype))


def saved(image, kind, **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


# --- reading ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PILLOW)
def test_the_format_is_told_by_the_content(kind):
    image = smooth()
    decoded = decode(saved(image, kind))
    lossy = {"JPEG": 3, "WEBP": 6, "AVIF": 6, "GIF": 12}  # mean of levels, by their compression
    assert decoded.shape == image.shape
    assert decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - image).mean() <= lossy.get(kind, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_integers_return_as_they_were(dtype, kind, channels):
    image = smooth(dtype, channels)
    assert np.array_equal(decode(encode(image, kind)), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["tiff", "npy"])
def test_tiff_and_npy_keep_every_value_and_channel(dtype, channels, kind):
    image = smooth(dtype, channels)
    decoded = decode(encode(image, kind))
    assert decoded.dtype == dtype
    assert np.array_equal(decoded, image)


def test_sixteen_bit_rgb_from_other_writers_stays_sixteen_bit():
    image = smooth(np.uint16)
    for options in ([cv2.IMWRITE_TIFF_COMPRESSION, 1], [cv2.IMWRITE_TIFF_COMPRESSION, 5]):
        data = cv2.imencode(".tif", image[..., ::-1], options)[1].tobytes()
        assert np.array_equal(decode(data), image)
    assert np.array_equal(decode(cv2.imencode(".png", image[..., ::-1])[1].tobytes()), image)


def test_float_tiff_of_pillow_is_read():
    gray = smooth(np.float32, 1)
    assert np.array_equal(decode(saved(gray, "TIFF")), gray)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once_in_every_format(kind, orientation):
    image = np.zeros((80, 112, 3), np.uint8)
    image[:32] = 255
    image[:, :16] = 100
    exif = Image.Exif()
    exif[0x0112] = orientation
    best = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}, "AVIF": {"quality": 100}}
    data = saved(image, kind, exif=exif, **best.get(kind, {}))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(decode(data), np.asarray(expected))
    assert decode(data).shape[:2] == ((112, 80) if orientation > 4 else (80, 112))


def test_orientation_reaches_sixteen_bits_and_is_gone_in_the_output():
    image = smooth(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn clockwise to see it so
    block = exif.tobytes()[6:]  # PNG holds it without the "Exif\0\0" before it
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + block))
    plain = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    upright = decode(plain[:33] + chunk + plain[33:])
    assert np.array_equal(upright, np.rot90(image, -1))
    assert np.array_equal(decode(encode(upright, "png")), upright)


def test_modes_become_gray_or_rgb():
    picture = Image.fromarray(smooth())
    assert set(np.unique(decode(saved(picture.convert("1"), "PNG")))) == {0, 255}
    assert set(np.unique(decode(saved(picture.convert("1"), "TIFF", compression="group4")))) == {
        0,
        255,
    }
    assert decode(saved(picture.convert("L"), "PNG")).shape == (40, 60)
    assert decode(saved(picture.convert("P"), "PNG")).shape == (40, 60, 3)
    assert decode(saved(picture.convert("CMYK"), "JPEG")).shape == (40, 60, 3)
    assert np.array_equal(decode(saved(picture.convert("RGBA"), "PNG")), smooth())


def test_transparency_is_laid_over_white():
    color = np.zeros((1, 3, 4), np.uint8)
    color[0, :, 0] = 200
    color[0, :, 3] = 0, 128, 255
    # 200 * 128/255 + 255 * 127/255 = 227.39
    expected = [[[255, 255, 255], [227, 127, 127], [200, 0, 0]]]
    assert decode(saved(color, "PNG")).tolist() == expected
    assert decode(saved(Image.fromarray(color).convert("LA"), "PNG")).shape == (1, 3)
    deep = color[..., [2, 1, 0, 3]].astype(np.uint16) * 257
    levels = decode(cv2.imencode(".png", deep)[1].tobytes())
    assert levels.dtype == np.uint16
    assert np.abs(levels / 257 - np.array(expected)).max() <= 0.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_file_that_ends_early_is_a_failure(kind, share):
    data = saved(smooth(), kind)
    with pytest.raises(BadImage) as caught:
        decode(data[: int(len(data) * share)])
    assert caught.value.kind in ("truncated", "corrupt")


def test_a_jpeg_without_its_end_is_truncated():
    with pytest.raises(BadImage, match="ends early") as caught:
        decode(saved(smooth(), "JPEG")[:-2])
    assert caught.value.kind == "truncated"


def test_a_wrong_checksum_is_a_failure():
    data = bytearray(saved(smooth(), "PNG"))
    data[60] ^= 1
    with pytest.raises(BadImage, match="checksum of b'IDAT'"):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"\0" * 100, "unknown"),
        (b"<html>404</html>", "unknown"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "corrupt"),
        (npy(np.zeros((2, 3, 4, 5), np.uint8)), "unsupported"),
        (npy(np.zeros((4, 5), np.int64)), "unsupported"),
        (npy(np.zeros((0, 5), np.uint8)), "unsupported"),
        (npy(np.zeros((40, 50), np.uint8))[:200], "truncated"),
        (npy(np.zeros((40, 50), np.uint8)).replace(b"descr", b"desc "), "corrupt"),
        (npy(np.array([{}])), "unsupported"),
        (npy(np.array([[{}]])), "corrupt"),
    ],
)
def test_what_is_no_image_says_so(data, kind):
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert caught.value.kind == kind
    assert "BytesIO" not in str(caught.value)


def test_too_many_pixels_are_refused_by_the_header_alone():
    for data in (saved(smooth(), kind) for kind in PILLOW):
        with pytest.raises(BadImage, match="60 x 40 is 2400 pixels: the limit is 2399") as caught:
            decode(data, max_pixels=2399)
        assert caught.value.kind == "too_large"
        assert decode(data, max_pixels=2400).shape == (40, 60, 3)
    for data in (encode(smooth(np.float32), "tiff"), npy(smooth())):
        with pytest.raises(BadImage, match="2400 pixels"):
            decode(data, max_pixels=2399)


def test_a_bomb_is_refused():
    data = saved(Image.new("1", (15000, 15000)), "PNG")
    assert len(data) < 40_000
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert caught.value.kind == "too_large"


@pytest.mark.filterwarnings("ignore:the .* file has")  # damage may make it an animation
@pytest.mark.parametrize("kind", [*PILLOW, "LZW", "float", "deep", "npy"])
def test_damage_of_any_kind_raises_bad_image_alone(kind):
    image = smooth()
    make = {
        "LZW": lambda: saved(image, "TIFF", compression="tiff_lzw"),
        "float": lambda: encode(smooth(np.float32), "tiff"),
        "deep": lambda: encode(smooth(np.uint16), "png"),
        "npy": lambda: npy(image),
    }
    whole = make.get(kind, lambda: saved(image, kind))()
    rng = np.random.default_rng(11)
    bad = 0
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), 300), 3):
            data[at] = rng.integers(256)
        try:
            decode(bytes(data[: rng.integers(len(data) // 2, 2 * len(data))]), 10**6)
        except BadImage:
            bad += 1
    assert bad > 0


# --- malformed files --------------------------------------------------------------------


MALFORMED = malformed.files()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_has_one_clear_outcome(name):
    data, kinds = MALFORMED[name]
    try:
        decode_details(data)
        kind, message = "ok", "the image"
    except BadImage as error:
        kind, message = error.kind, str(error)
    assert kind in kinds
    assert 8 < len(message) < 200
    assert "\n" not in message


@pytest.mark.parametrize("name", [n for n, (_, kinds) in MALFORMED.items() if "too_large" in kinds])
def test_a_bomb_costs_neither_memory_nor_time(name, tmp_path):
    """In a process of its own, as memory that was used once stays with a process."""
    (tmp_path / "bomb").write_bytes(MALFORMED[name][0])
    code = """
import resource, sys, time, cv2, tifffile, PIL.Image
from imgkit.io.decode import decode
from imgkit.io.header import BadImage
from imgkit.io.encode import encode
import numpy as np
data = open(sys.argv[1], "rb").read()
for kind in ("png", "tiff", "jpg", "webp"):
    decode(encode(np.zeros((64, 64, 3), np.uint8), kind))
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    decode(data)
except BadImage as error:
    seconds = time.perf_counter() - start
    print(error.kind, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, seconds)
"""
    script = [sys.executable, "-c", code, str(tmp_path / "bomb")]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60)
    kind, kilobytes, seconds = done.stdout.split()
    assert kind == "too_large"
    assert int(kilobytes) < 50_000
    assert float(seconds) < 1


@pytest.mark.parametrize("name", ["most.jpg", "no_eoi.jpg", "half.png", "most.png",
                                  "no_iend.png", "most.bmp", "most.gif", "most.tif"])  # fmt: skip
def test_a_file_that_ends_early_is_read_as_far_as_it_goes_if_that_is_allowed(name):
    from PIL import ImageFile

    data = MALFORMED[name][0]
    found = decode_details(data, Limits(allow_truncated=True))
    assert found.image.shape == (64, 96, 3)
    assert "ends early" in found.notes[0]
    assert found.notes[0].endswith("it is read up to its end")
    original = malformed.picture().astype(int)
    rows = slice(40, 56) if name == "most.bmp" else slice(16)  # BMP begins at the bottom
    assert np.abs(found.image[rows] - original[rows]).mean() < 12  # JPEG and 256 colors of grain
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.warns(UserWarning, match="ends early"):
        assert np.array_equal(decode(data, allow_truncated=True), found.image)


def test_half_a_photograph_is_half_gray():
    data = (SAMPLES / "astronaut.jpg").read_bytes()
    with pytest.raises(BadImage, match="ends early"):
        decode(data[: len(data) // 2])
    whole, half = (
        decode(data),
        decode_details(data[: len(data) // 2], Limits(allow_truncated=True)).image,
    )
    assert np.array_equal(half[:100], whole[:100])
    assert np.ptp(half[-50:]) == 0


def test_leave_to_read_truncated_files_is_none_for_damaged_ones():
    for name in ("crc.png", "rotten.png", "html.jpg", "half.webp", "half.avif", "short.npy"):
        with pytest.raises(BadImage):
            decode_details(MALFORMED[name][0], Limits(allow_truncated=True))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_is_read_and_it_is_said(kind):
    data = malformed.animation(kind, 5)
    found = decode_details(data)
    assert found.frames == 5
    assert found.notes == (f"the {found.kind} file has 5 frames: the first is read",)
    assert found.image.shape[:2] == (4, 4)
    assert found.image.max() <= 2  # the first frame is black
    with pytest.warns(UserWarning, match="5 frames"):
        decode(data)
    with pytest.raises(BadImage, match="more than 4 frames") as caught:
        decode(data, max_frames=4)
    assert caught.value.kind == "too_large"
    assert decode_details(saved(smooth(), kind)).frames == 1
    assert decode_details(saved(smooth(), kind)).notes == ()


def test_ten_thousand_frames_are_counted_without_decoding():
    data = malformed.gif(4, 4, 900)
    assert decode_details(data).frames == 900


def test_other_formats_are_refused_by_name_and_read_where_allowed():
    files = {kind: saved(smooth(), kind) for kind in ("ICO", "PPM", "JPEG2000", "DDS", "SGI")}
    for kind, data in files.items():
        name = {"JPEG2000": "jp2"}.get(kind, kind.lower())
        with pytest.raises(BadImage, match=f"--allow-format {name}") as caught:
            decode(data)
        assert caught.value.kind == "unsupported"
        assert decode(data, allow=[name]).shape[2] == 3
    with pytest.raises(BadImage, match="eps files are not read: convert"):
        decode(MALFORMED["program.eps"][0], allow=["eps"])
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)
    with pytest.raises(BadImage, match="heic files are not read"):
        decode(heic)


def test_a_picture_named_otherwise_is_what_its_bytes_say():
    assert np.array_equal(decode(saved(smooth(), "PNG")), smooth())
    assert decode_details(saved(smooth(), "PNG")).kind == "png"


def test_threads_may_decode_at_once():
    data, failures = encode(smooth(), "png"), []

    def work():
        for _ in range(20):
            if not np.array_equal(decode(data), smooth()):
                failures.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# --- orientation, depth -----------------------------------------------------------------


def oriented(kind, orientation, image):
    exif = Image.Exif()
    exif[0x0112] = orientation
    best = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
    best |= {"JPEG": {"quality": 100, "subsampling": 0}}
    return saved(image, kind, exif=exif, **best.get(kind, {}))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_comes_out_alike_and_upright(orientation):
    """The picture as stored is turned so that all eight, undone, show one scene."""
    scene = np.kron(np.arange(12, dtype=np.uint8).reshape(3, 4, 1) * 20, np.ones((32, 32, 3)))
    scene = scene.astype(np.uint8)
    store = {1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1],
             4: lambda x: x[::-1], 5: lambda x: x.swapaxes(0, 1),
             6: lambda x: np.rot90(x), 7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
             8: lambda x: np.rot90(x, -1)}  # fmt: skip
    stored = np.ascontiguousarray(store[orientation](scene))
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        upright = decode(oriented(kind, orientation, stored))
        assert upright.shape == scene.shape, kind
        assert np.abs(upright.astype(int) - scene).max() <= 3, kind
        for output in WRITABLE:
            if output != "npy":
                with Image.open(io.BytesIO(encode(upright, output))) as again:
                    assert again.getexif().get(0x0112, 1) == 1


def test_orientation_of_a_png_that_imagemagick_wrote():
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes()
    profile = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    text = b"tEXtRaw profile type exif\0" + profile
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    plain = saved(smooth(), "PNG")
    assert np.array_equal(decode(plain[:33] + chunk + plain[33:]), np.rot90(smooth(), -1))


def test_sixteen_bits_survive_where_pillow_would_drop_them():
    deep = smooth(np.uint16)
    data = encode(deep, "png")
    assert np.asarray(Image.open(io.BytesIO(data))).dtype == np.uint8  # what must not happen
    assert decode(data).dtype == np.uint16
    assert np.array_equal(decode(data), deep)
    assert np.array_equal(decode(encode(deep[..., 0], "png")), deep[..., 0])


# --- decoding smaller -------------------------------------------------------------------

PHOTOGRAPHS = ("astronaut.jpg", "hubble.jpg", "rocket.jpg", "coffee.webp", "chelsea.png")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_smaller_decode_stays_within_two_levels(name, scale, interpolation):
    image = decode((SAMPLES / name).read_bytes())
    height, width = (side // 16 * 16 for side in image.shape[:2])
    data = encode(image[:height, :width], "jpg", quality=90)
    target = height // scale // 2, width // scale // 2
    small = decode(data, shrink_to=target)
    assert small.shape[:2] == (height // scale, width // scale)
    full = ik.resize(decode(data), target, interpolation).astype(int)
    assert np.abs(ik.resize(small, target, interpolation) - full).mean() <= 2


def test_the_scale_leaves_twice_the_target_and_divides_the_size():
    assert decode_scale((1600, 1600), (100, 100)) == 8
    assert decode_scale((1600, 1600), (101, 100)) == 4
    assert decode_scale((1600, 1604), (100, 100)) == 4
    assert decode_scale((1600, 1601), (100, 100)) == 1
    assert decode_scale((100, 100), (100, 100)) == 1


def test_a_smaller_decode_knows_which_side_is_up_and_leaves_other_formats_alone():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = np.zeros((160, 320, 3), np.uint8)
    data = saved(image, "JPEG", exif=exif)  # upright: 320 high, 160 wide
    assert decode(data, shrink_to=(160, 40)).shape == (320, 160, 3)
    assert decode(data, shrink_to=(80, 40)).shape == (160, 80, 3)
    assert decode(saved(image, "PNG"), shrink_to=(8, 8)).shape == (160, 320, 3)


def test_bad_image_survives_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(BadImage("empty", "the file is empty")))
    assert (error.kind, str(error)) == ("empty", "the file is empty")
