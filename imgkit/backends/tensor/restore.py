"""Convolution matrices and deconvolution: SciPy's solvers, on the host alone."""

from __future__ import annotations

from imgkit.backends.tensor.numpy_view import on_host

lsqr = on_host("restore", "lsqr")
wiener = on_host("restore", "wiener")
richardson_lucy = on_host("restore", "richardson_lucy")
