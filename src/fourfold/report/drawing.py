"""From a matplotlib figure to SVG that follows the colours of the page it stands in.

Colours are CSS variables (``--training``, ``--holdout``, ``--synthetic``, ``--accent``), lines of the frame are
``currentColor``, so that one drawing serves light, dark and print. A mark's shape or dash says the same as its colour.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.colors import to_hex, to_rgb, to_rgba_array
from matplotlib.figure import Figure

__all__ = ["DASHES", "FAINT", "INK", "MARKS", "SETS", "picture", "svg"]

# Stand-ins that matplotlib accepts as colours; each is replaced by its CSS value in the finished SVG.
INK, FAINT = "#010203", "#010204"
SETS = {"training": "#010205", "holdout": "#010206", "synthetic": "#010207", "accent": "#010208"}
_CSS = {
    INK: "currentColor",
    FAINT: "var(--rule)",
    **{color: f"var(--{role})" for role, color in SETS.items()},
}
DASHES = {"training": (0, (1, 1.4)), "holdout": (0, (5, 2)), "synthetic": "solid", "accent": (0, (1, 1))}
MARKS = {"training": "o", "holdout": "s", "synthetic": "D"}
_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.labelsize": 10,
    "axes.titlesize": 10,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "path.simplify": True,
}


def svg(draw: Callable[[Figure], None], size: tuple[float, float], title: str) -> Markup:
    """One drawing as an ``<svg>`` element; colours, fonts and width are handed over to the page.

    Parameters
    ----------
    draw : callable
        Draws on the figure it is given.
    size : (float, float)
        In inches; 12 is the width of the page, 6 of half of it.
    title : str
        What a reader who cannot see the drawing is told; unlike any other title of the page.
    """
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": title}), warnings.catch_warnings():
        # Labels may be written in scripts that matplotlib has no glyphs for; the browser has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        stream = io.StringIO()
        figure.savefig(
            stream, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    # Only what is referred to keeps its name, since a page holds many drawings.
    named = set(re.findall(r"#([A-Za-z]\w+)", text))
    text = re.sub(r'\sid="([^"]*)"', lambda found: found.group() if found.group(1) in named else "", text)
    text = re.sub(r"font: ([\d.]+)px[^;\"]*", r"font-size: \1px", text)
    text = re.sub(r"; font-family: [^;\"]*", "", text)
    text = re.sub(r"#01020[3-8]", lambda found: _CSS[found.group()], text)
    text = re.sub(r"(\d\.\d{2})\d+", r"\1", text)
    view = re.search(r'viewBox="([^"]+)"', text)
    opening = (
        f'<svg class="plot" viewBox="{view.group(1) if view else "0 0 432 288"}" role="img" '
        f'aria-label="{escape(title)}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    return Markup(re.sub(r">\s+<", "><", text).strip())


# What the stand-ins are where a drawing leaves its page: on white paper.
_PAPER = {
    INK: "#1c1f26",
    FAINT: "#b8bcc6",
    SETS["training"]: "#2b6cb0",
    SETS["holdout"]: "#5a6475",
    SETS["synthetic"]: "#b4451f",
    SETS["accent"]: "#6b46c1",
}


def picture(draw: Callable[[Figure], None], size: tuple[float, float], title: str, ending: str) -> bytes:
    """One drawing as a file of its own, on white, for slides and papers.

    Parameters
    ----------
    draw, size, title
        As for `svg`.
    ending : {"svg", "png"}
        PNG files have 160 points an inch.
    """
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": title, "svg.fonttype": "path"}):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        draw(figure)
        for artist in figure.findobj():
            _repaint(artist)
        stream = io.BytesIO()
        metadata = {"Title": title, "Date": None} if ending == "svg" else {"Title": title, "Software": None}
        figure.savefig(stream, format=ending, dpi=160, metadata=metadata)
    return stream.getvalue()


def _repaint(artist: Artist) -> None:
    """Replace the stand-ins among the colours of an artist."""
    paper = {to_hex(stand_in): colour for stand_in, colour in _PAPER.items()}
    for name in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
        get, put = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
        if get is None or put is None:
            continue
        colours = get()
        if isinstance(colours, str) and colours.lower() in ("none", "auto", "inherit"):
            continue
        several = np.atleast_2d(to_rgba_array(colours))
        if not len(several):
            continue
        painted = [
            (*to_rgb(paper[to_hex(one[:3])]), one[3]) if to_hex(one[:3]) in paper else tuple(one) for one in several
        ]
        if painted != [tuple(one) for one in several]:
            put(painted if len(painted) > 1 else painted[0])
