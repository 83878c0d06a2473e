"""Convolution as a Toeplitz matrix, and least squares to restore blurred or lost pixels.

python samples/convolution_as_matrix.py [--quick] [--out DIR]
"""

import numpy as np
from data import options, photograph
from pictures import plt, save, sheet
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve

import imgkit as ik

NOISE = 1.0  # levels
BLUR = {"kernel": ik.kernel("gaussian", sigma=1.5), "border": "reflect"}


def psnr(image, truth):
    """Decibels of an image in 0..255 against the true one."""
    return 10 * np.log10(255**2 / np.square(np.float64(image) - truth).mean())


def shown(image):
    """Clip the values to 0..255, as a display does."""
    return ik.to_uint8(np.clip(image / 255, 0, 1))


def toeplitz(path):
    """A signal's matrix is Toeplitz; an image's has Toeplitz blocks, in Toeplitz order."""
    small = ik.convolution_matrix([1, 2, 3], 5, "full").toarray()
    print(f"the matrix of [1 2 3] on 5 samples, full:\n{small.astype(int)}")
    print(f"matrix @ [1 0 2 0 1] = {(small @ [1, 0, 2, 0, 1]).astype(int)}")
    x, kernel = np.random.default_rng(0).random((6, 7)), ik.kernel("gaussian", 3, sigma=1)
    print("a 6x7 image under a 3x3 kernel: A @ x and convolve(x)")
    for mode in ("valid", "same", "full"):
        matrix = ik.convolution_matrix(kernel, x.shape, mode)
        error = np.abs(matrix @ x.ravel() - ik.convolve(x, kernel, mode).ravel()).max()
        assert error < 1e-12
        size = f"{matrix.shape[0]} x {matrix.shape[1]}"
        print(f"  {mode:<5}: A is {size}, {matrix.nnz} nonzeros, they differ by {error:.0e}")

    wide = ik.convolution_matrix(kernel, x.shape)
    figure, axes = plt.subplots(1, 3, figsize=(11, 4))
    for axis, numbers in zip(axes, (small, wide.toarray(), (wide.T @ wide).toarray()), strict=True):
        axis.imshow(numbers, cmap="Blues")
    axes[0].set_title("A for [1 2 3] on 5 samples, full", fontsize=10)
    axes[1].set_title("A for 3x3 on 6x7 pixels, same:\n6 blocks of 7x7, each Toeplitz", fontsize=10)
    axes[2].set_title("$A^T A$ of the normal equations\n$A^T A x = A^T b$", fontsize=10)
    save(figure, path)


def smallest_squares():
    """On a tiny image, `deconvolve` is the solution of the normal equations."""
    b = np.random.default_rng(1).random((5, 6))
    a = ik.convolution_matrix(BLUR["kernel"], b.shape, border="reflect").toarray()
    solved = np.linalg.solve(a.T @ a + 0.01 * np.eye(30), a.T @ b.ravel())
    found = ik.deconvolve(b, **BLUR, regularization=0.01).ravel()
    print(f"deconvolve and (A'A + 0.01 I)^-1 A'b differ by {np.abs(found - solved).max():.0e}")


def deblur(truth, iterations):
    """Blur, add a little noise, and solve min |Ax - b|^2 + r |x|^2 for growing r."""
    exact = ik.convolve(truth, **BLUR)
    noisy = exact + np.random.default_rng(2).normal(0, NOISE, exact.shape)
    images, titles = [truth, noisy], ["truth", f"blurred, noise 1\n{psnr(noisy, truth):.1f} dB"]
    print(f"blurred and noisy: {psnr(noisy, truth):.1f} dB")
    for b, kind, strengths in (
        (exact, "no noise", [0]),
        (noisy, "noise 1", [0, 1e-3, 3e-3, 1e-2, 0.1]),
    ):
        for strength in strengths:
            gray = b.mean()  # r |x|^2 pulls towards 0, which is to be gray, not black
            options = {"regularization": strength, "iterations": iterations}
            x = ik.deconvolve(b - gray, **BLUR, **options) + gray
            residual = np.square(ik.convolve(x, **BLUR) - b).mean()
            quality = psnr(x, truth)
            print(f"  {kind:<8}  r = {strength:<5}  |Ax - b|^2 per pixel {residual:7.3f}  "
                  f"x {quality:5.1f} dB")  # fmt: skip
            images.append(shown(x))
            titles.append(f"deblurred, {kind}, r = {strength}\n{quality:.1f} dB")
    return images, titles


def inpaint(b, known, strength=1e-3):
    """Solve min |Mx - b|^2 + r |Lx|^2: M keeps the known pixels, L is the Laplacian's matrix."""
    smooth = ik.convolution_matrix("laplacian", b.shape, border="symmetric")
    keep = diags_array(known.ravel().astype(np.float64))
    x = spsolve((keep + strength * (smooth.T @ smooth)).tocsc(), keep @ b.ravel())
    return x.reshape(b.shape)


def losses(truth):
    """Remove random pixels and scratches; fill them by least squares."""
    rng = np.random.default_rng(3)
    scratches = np.ones(truth.shape, bool)
    for start in range(0, len(truth), 24):
        rows = np.arange(len(truth))
        columns = (start + rows // 2) % truth.shape[1]
        scratches[rows, columns] = scratches[rows, columns - 1] = False
    masks = {f"{share:.0%} lost": rng.random(truth.shape) >= share for share in (0.5, 0.8)}
    images, titles = [], []
    for name, known in (masks | {"scratches": scratches}).items():
        filled = inpaint(truth * known, known)
        before, after = psnr(truth * known, truth), psnr(filled, truth)
        print(f"  {name:<9}: {1 - known.mean():.1%} missing, {before:4.1f} dB -> {after:4.1f} dB")
        images += [truth * known, shown(filled)]
        titles += [f"{name}\n{before:.1f} dB", f"filled\n{after:.1f} dB"]
    return images, titles


def main(quick, out, data):
    """Matrices, deblurring and inpainting of one photograph."""
    toeplitz(out / "convolution_as_matrix_toeplitz.png")
    smallest_squares()
    size, iterations = (64, 60) if quick else (160, 300)
    truth = ik.resize(ik.crop(photograph("camera"), 40, 120, 256, 256), size)[..., 0] * 1.0
    images, titles = deblur(truth, iterations)
    print("missing pixels, filled by min |Mx - b|^2 + r |Lx|^2")
    more, names = losses(truth)
    sheet(out / "convolution_as_matrix_deblur.png", images, titles)
    sheet(out / "convolution_as_matrix_inpaint.png", more, names, columns=6, edge=1.8)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
