"""The plots that explain the scores: plain arrays in, one ``<svg>`` element out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fourfold.report.drawing import DASHES, FAINT, INK, MARKS, SETS, svg

__all__ = ["dots", "drift", "histograms", "lines", "map_of_contours", "map_of_points"]


def map_of_points(points: Mapping[str, np.ndarray], axes: tuple[str, str], title: str) -> Markup:
    """One mark an image on a plane.

    Parameters
    ----------
    points : mapping of role to array, shape (n, 2)
    axes : (str, str)
        Labels.
    title : str
        What a reader who cannot see the plot is told.
    """

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        for role, place in points.items():
            hollow = role == "holdout"
            panel.plot(
                place[:, 0],
                place[:, 1],
                linestyle="none",
                marker=MARKS[role],
                markersize=3.4,
                markerfacecolor="none" if hollow else SETS[role],
                markeredgecolor=SETS[role],
                markeredgewidth=0.7 if hollow else 0,
                alpha=0.75,
                label=role,
            )
        _label(panel, *axes)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0, handletextpad=0.1)

    return svg(draw, (6.0, 4.4), title)


def map_of_contours(points: Mapping[str, np.ndarray], axes: tuple[str, str], title: str) -> Markup:
    """The same plane as contours of equal density, so that no mark stands for one patient.

    Each set is drawn by the outlines that hold its densest 50 % and 90 %.
    """

    def draw(figure: Figure) -> None:
        from scipy.ndimage import gaussian_filter

        panel = figure.add_subplot()
        everything = np.concatenate(list(points.values()))
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = 0.15 * np.maximum(high - low, 1e-9)
        edges = [np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], 65) for axis in (0, 1)]
        centres = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
        for role, place in points.items():
            counts, _, _ = np.histogram2d(place[:, 0], place[:, 1], bins=edges)
            density = gaussian_filter(counts, 2.5)
            levels = _levels(density, (0.9, 0.5))
            if levels:
                panel.contour(
                    *centres, density.T, levels=levels, colors=SETS[role], linestyles=[DASHES[role]], linewidths=1.4
                )
            panel.plot([], [], color=SETS[role], linestyle=DASHES[role], label=role)
        _label(panel, *axes)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)

    return svg(draw, (6.0, 4.4), title)


def histograms(
    samples: Mapping[str, np.ndarray],
    label: str,
    title: str,
    *,
    names: Mapping[str, str] | None = None,
    marked: np.ndarray | None = None,
    marked_name: str = "",
    lines_at: Mapping[str, float] | None = None,
) -> Markup:
    """Distributions on common bins, each as the share of its own set.

    Parameters
    ----------
    samples : mapping of role to array, shape (n,)
        Finite values.
    label : str
        Of the horizontal axis.
    names : mapping of role to str
        What the legend calls each distribution.
    marked : array, shape (k,), or None
        Values that get a triangle of their own above the axis.
    lines_at : mapping of str to float, or None
        Values of the null that get a vertical line each, by name.
    """

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        everything = np.concatenate(list(samples.values()))
        low, high = float(everything.min()), float(everything.max())
        edges = np.linspace(low, high if high > low else low + 1.0, 41)
        for role, values in samples.items():
            counts, _ = np.histogram(values, bins=edges)
            shares = 100 * counts / max(len(values), 1)
            color = SETS[role]
            if role == "synthetic":
                panel.stairs(shares, edges, fill=True, facecolor=color, alpha=0.25)
            panel.stairs(
                shares, edges, color=color, linestyle=DASHES[role], linewidth=1.5, label=(names or {}).get(role, role)
            )
        for style, (name, place) in zip(("-", "--", ":"), (lines_at or {}).items(), strict=False):
            panel.axvline(place, color=INK, linewidth=1.2, linestyle=style, label=name)
        if marked is not None and len(marked):
            panel.plot(
                marked,
                np.full(len(marked), 0.03),
                linestyle="none",
                marker="^",
                markersize=6,
                color=SETS["accent"],
                transform=panel.get_xaxis_transform(),
                clip_on=False,
                label=marked_name,
                zorder=5,
            )
        _label(panel, label, "share of the set (%)")
        panel.set_ylim(bottom=0)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)

    return svg(draw, (6.0, 3.6), title)


def lines(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    axes: tuple[str, str],
    title: str,
    names: Mapping[str, str],
) -> Markup:
    """Curves over common positions, one a role; shares run from 0 to 1."""

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        for role, y in curves.items():
            panel.plot(
                x,
                y,
                color=SETS[role],
                linestyle=DASHES[role],
                marker=MARKS[role],
                markersize=4,
                markerfacecolor="none" if role == "holdout" else SETS[role],
                label=names.get(role, role),
            )
        panel.set_ylim(0, 1.02)
        panel.set_xticks(list(x))
        _label(panel, *axes)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)

    return svg(draw, (6.0, 3.6), title)


def drift(
    names: Sequence[str],
    distance: np.ndarray,
    distance_null: np.ndarray,
    effect: np.ndarray,
    effect_null: np.ndarray,
    title: str,
) -> Markup:
    """How far single features moved: Kolmogorov-Smirnov distance and Cohen's d, each beside its null.

    Parameters
    ----------
    names : sequence of str, length n
        Largest distance first.
    distance, distance_null, effect, effect_null : arrays, shape (n,)
        Synthetic against training, and the null: holdout against training. NaN where there is no null.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
        rows = np.arange(len(names))
        for panel, values, null, label in (
            (left, distance, distance_null, "Kolmogorov-Smirnov distance"),
            (right, effect, effect_null, "Cohen's d (synthetic minus training)"),
        ):
            panel.hlines(rows, np.where(np.isnan(null), 0, null), values, color=FAINT, linewidth=1.2)
            panel.plot(
                values, rows, linestyle="none", marker="D", markersize=5, color=SETS["synthetic"], label="synthetic"
            )
            panel.plot(
                null,
                rows,
                linestyle="none",
                marker="s",
                markersize=5,
                markerfacecolor="none",
                color=SETS["holdout"],
                label="null (holdout)",
            )
            panel.set_xlabel(label)
            panel.grid(axis="x", color=FAINT, linewidth=0.4)
            panel.set_axisbelow(True)
        left.set_xlim(left=0)
        right.axvline(0, color=FAINT, linewidth=0.9)
        left.set_yticks(rows, names)
        left.set_ylim(len(names) - 0.5, -0.5)
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handletextpad=0.2)

    return svg(draw, (12.0, 0.8 + 0.26 * len(names)), title)


def dots(
    names: Sequence[str],
    roles: Sequence[str],
    values: np.ndarray,
    intervals: np.ndarray,
    null: float | None,
    label: str,
    title: str,
) -> Markup:
    """Values with intervals, one row an arm, marked by the set it was trained on; the axis need not start at 0."""

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        if null is not None:
            panel.axvline(null, color=INK, linewidth=1.2, label="null: as many real images")
            panel.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        for row, role in enumerate(roles):
            color = SETS[role]
            if not np.isnan(intervals[row]).any():
                panel.hlines(row, *intervals[row], color=color, linewidth=2.2)
            panel.plot(values[row], row, marker=MARKS.get(role, "o"), markersize=7, color=color, linestyle="none")
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", color=FAINT, linewidth=0.4)
        panel.set_axisbelow(True)
        panel.set_xlabel(label)

    return svg(draw, (6.0, 0.9 + 0.42 * len(names)), title)


def _label(panel: Axes, horizontal: str, vertical: str) -> None:
    panel.set_xlabel(horizontal)
    panel.set_ylabel(vertical)


def _levels(density: np.ndarray, masses: Sequence[float]) -> list[float]:
    """Densities above which the given shares of the mass lie, ascending and distinct."""
    ordered = np.sort(density.ravel())[::-1]
    total = ordered.sum()
    if total <= 0:
        return []
    mass = np.cumsum(ordered) / total
    return sorted({float(ordered[np.searchsorted(mass, share)]) for share in masses})
