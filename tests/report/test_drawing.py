import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from fourfold.report import plots
from fourfold.report.shares import Bars, shares, shares_side_by_side


def parsed(markup):
    return ElementTree.fromstring(str(markup).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def drawings():
    rng = np.random.default_rng(0)
    points = {role: rng.normal(size=(30, 2)) for role in ("training", "holdout", "synthetic")}
    nothing = np.full(3, np.nan)
    names = ["a & b", "$x$ <i>", "長い名前"]
    return {
        "points": lambda: plots.map_of_points(points, ("x", "y"), "points"),
        "contours": lambda: plots.map_of_contours(points, ("x", "y"), "contours"),
        "histograms": lambda: plots.histograms(
            {"holdout": rng.random(20), "synthetic": rng.random(20)}, "d", "histograms", marked=np.array([0.1])
        ),
        "lines": lambda: plots.lines([1, 2], {"synthetic": [0.1, 0.2]}, ("k", "share"), "lines", {}),
        "drift": lambda: plots.drift(names, rng.random(3), nothing, rng.random(3), nothing, "drift"),
        "shares": lambda: shares(Bars(names, rng.random(3), np.full((3, 2), np.nan)), 0.9, "share", "shares"),
        "side by side": lambda: shares_side_by_side(
            {
                "a": Bars(names, rng.random(3), rng.random((3, 2))),
                "b": Bars(names[:1], rng.random(1), rng.random((1, 2))),
            },
            "share",
            "side by side",
        ),
        "dots": lambda: plots.dots(
            names, ["training", "synthetic", "accent"], rng.random(3), rng.random((3, 2)), 0.5, "auc", "dots"
        ),
    }


@pytest.mark.parametrize("name", list(drawings()))
def test_a_drawing_is_one_svg_whose_colours_follow_the_page(name):
    drawn = drawings()[name]()
    assert parsed(drawn).tag.endswith("svg")
    assert f'role="img" aria-label="{name}"' in drawn
    assert "var(--synthetic)" in drawn
    assert "currentColor" in drawn
    assert not re.search(r"#0102|#000000|fill: black", drawn)


def test_names_are_written_as_they_are():
    text = " ".join(element.text or "" for element in parsed(drawings()["drift"]()).iter())
    for name in ("a & b", "$x$ <i>", "長い名前"):
        assert name in text


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(matplotlib.rcParams)
    drawings()["points"]()
    assert dict(matplotlib.rcParams) == before


def test_equal_inputs_give_equal_drawings():
    assert drawings()["contours"]() == drawings()["contours"]()


def test_values_that_are_all_equal_can_be_drawn():
    drawn = plots.histograms({"synthetic": np.zeros(5)}, "d", "equal values")
    assert parsed(drawn).tag.endswith("svg")
