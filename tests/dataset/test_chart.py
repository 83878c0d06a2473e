"""The figures as a picture and as a page of one file."""

import numpy as np

from imgkit.dataset import chart
from imgkit.dataset.stats import Figures, measure, summary


def total(*images):
    figures = Figures()
    for image in images:
        figures.add(measure(image))
    return figures


def image(rng, shape, dtype=np.uint8):
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def test_the_picture_shows_something_for_any_figures():
    for figures in (Figures(), total(np.zeros((2, 2, 5), np.uint8), np.zeros((2, 2), np.uint8))):
        drawn = chart.draw(figures, "title")
        assert drawn.shape[1:] == (1200, 3)
    figures = total(np.zeros((4, 4), np.uint8))
    figures.classes.update({f"class {i}": i + 1 for i in range(40)})
    drawn = chart.draw(figures, "title")
    assert np.ptp(drawn) == 255 - 34  # ink on paper


def test_the_page_needs_nothing_else():
    figures = total(np.zeros((4, 4, 3), np.uint8))
    page = chart.chart_page(figures, "<b>", summary(figures))
    assert "http" not in page
    assert "&lt;b&gt;" in page
    assert "data:image/png;base64," in page
    assert "&quot;mean&quot;" not in page.partition("<table>")[0]
