"""Convolution matrices and deconvolution: SciPy's solvers, on the host alone."""

from __future__ import annotations

from imgkit.backends.tensor.numpy_view import on_host

lsqr = on_host("deconvolve", "lsqr")
wiener = on_host("deconvolve", "wiener")
richardson_lucy = on_host("deconvolve", "richardson_lucy")
