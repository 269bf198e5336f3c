"""The pictures of README and of the pages, each drawn by what its examples run:
``python docs/pictures.py``, or with names of pages, ``howto/own_table``.
"""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from PIL import Image, ImageDraw

import causalgia as cg

FOLDER = Path(__file__).parent / "pictures"
PAGES = {
    "tutorial": ("cg.plot.forest",),
    "howto/defend_a_claim": ("cg.plot.curve",),
    "howto/for_a_paper": ("cg.plot.distribution",),
    "howto/many_tasks": ("axes = cg.plot.forest",),
    "howto/mpra_counts": ("cg.plot.scatter",),
    "howto/mpra_virtual_and_measured": ("cg.plot.scatter",),
    "howto/own_network": ("cg.plot.curve",),
    "howto/own_table": ("axes = cg.plot.forest",),
    "howto/what_a_network_reads": ("cg.plot.logo",),
}
"""Pages whose result is a picture, and the calls in their examples that draw one."""
BASES = {"A": "#3d8c40", "C": "#2c5fa8", "G": "#d08b1c", "T": "#c0392b"}
INK, PAPER, TREATED = "#333333", "#f5f4f0", "#fbe3d6"


def letters(axes: Axes, x: float, y: float, text: str, boxed: range = range(0)) -> None:
    """Write a sequence, a letter a step; those of `boxed` on a colored ground."""
    step = 0.021
    if len(boxed):
        ground = (x + (boxed[0] - 0.5) * step, y - 0.042)
        patch = FancyBboxPatch(
            ground, len(boxed) * step, 0.084, boxstyle="round,pad=0.002", lw=0
        )
        patch.set_facecolor(TREATED)
        axes.add_patch(patch)
    for i, letter in enumerate(text):
        axes.text(
            x + i * step, y, letter, color=BASES[letter], family="monospace",
            ha="center", va="center", size=9, weight="bold" if i in boxed else "normal",
        )  # fmt: skip


def box(axes: Axes, left: float, right: float, title: str, foot: str) -> None:
    """Draw a box with a title above and a line below what it holds."""
    axes.add_patch(
        FancyBboxPatch(
            (left, 0.06), right - left, 0.86, boxstyle="round,pad=0.004",
            facecolor=PAPER, edgecolor="#cccccc",
        )
    )  # fmt: skip
    middle = (left + right) / 2
    axes.text(middle, 0.84, title, ha="center", size=11, weight="bold", color=INK)
    axes.text(middle, 0.12, foot, ha="center", size=8.5, color=INK)


def trial(estimates: Any, words: list[str]) -> plt.Figure:
    """Return the picture of a trial: null model, arms, effect."""
    figure = plt.figure(figsize=(10, 3), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    box(axes, 0.01, 0.26, "null model", "backgrounds drawn at random")
    box(axes, 0.34, 0.64, "arms", "every background under every arm")
    box(axes, 0.72, 0.99, "effect on the network", "ACE with its 95 % interval")
    for arrow in (0.27, 0.65):
        axes.annotate(
            "", (arrow + 0.06, 0.5), (arrow, 0.5),
            arrowprops={"arrowstyle": "-|>", "lw": 2, "color": INK},
        )  # fmt: skip
    for i, background in enumerate(words):
        letters(axes, 0.06, 0.70 - 0.15 * i, background)
    for y, name, motif in ((0.60, "placebo", "GAATAGA"), (0.36, "GATA1", "AGATAAG")):
        inside = words[0][:1] + motif + words[0][-1:]
        axes.text(0.355, y, name, size=9, va="center", color=INK)
        letters(axes, 0.44, y, inside, range(1, 8))
    inset = figure.add_axes((0.765, 0.27, 0.205, 0.48), facecolor=PAPER)
    names = estimates["task"].values.tolist()
    ace, low, high = (
        estimates[name].isel(contrast=0).values for name in ("ace", "lower", "upper")
    )
    y = np.arange(len(names))[::-1]
    inset.errorbar(
        ace, y, xerr=(ace - low, high - ace), fmt="o", color="#b5502b", capsize=3
    )
    inset.axvline(0, color="#999999", lw=1)
    inset.axvspan(-0.1, 0.1, color="#e3e1da")
    inset.set(ylim=(-0.6, len(names) - 0.4), xlim=(-0.25, 1.3), yticks=y)
    inset.set_yticklabels(names, size=9)
    inset.tick_params(labelsize=8, length=2)
    inset.spines[["top", "right", "left"]].set_visible(False)
    return figure


def stacked(picture: Path) -> Image.Image:
    """Return the boxes of the picture of a trial one below the other, with arrows, for
    a narrow page.
    """
    with Image.open(picture) as wide:
        width, height = wide.size
        boxes = [
            wide.convert("RGB").crop((int(a * width), 15, int(b * width), height - 15))
            for a, b in ((0.002, 0.268), (0.332, 0.648), (0.712, 0.998))
        ]
    across, gap = max(box.width for box in boxes), 50
    tall = Image.new("RGB", (across, sum(box.height + gap for box in boxes)), "white")
    drawn, top, middle = ImageDraw.Draw(tall), 0, across // 2
    for box in boxes:
        tall.paste(box, ((across - box.width) // 2, top))
        top += box.height + gap
        if box is not boxes[-1]:
            drawn.line((middle, top - 44, middle, top - 18), fill=INK, width=4)
            head = ((middle - 9, top - 20), (middle + 9, top - 20), (middle, top - 5))
            drawn.polygon(head, fill=INK)
    return tall.crop((0, 0, across, top - gap))


def of_page(page: str) -> dict[str, plt.Figure]:
    """Return the pictures that the examples of a page draw, by the names of their files."""
    text = (FOLDER.parent / f"{page}.md").read_text(encoding="utf-8")
    calls, stem = PAGES[page], Path(page).name
    names: dict[str, Any] = {}
    drawn: dict[str, plt.Figure] = {}
    for example in doctest.DocTestParser().get_examples(text):
        if len(drawn) == len(calls):
            break
        if example.exc_msg is None:
            exec(compile(example.source, page, "exec"), names)  # the page's own
        for call in calls:
            if f"{call}(" in example.source:
                name = f"{stem}_{call.rpartition('.')[2]}" if len(calls) > 1 else stem
                drawn[name] = np.ravel(names["axes"])[0].figure
    if len(drawn) < len(calls):
        raise LookupError(f"docs/{page}.md draws {sorted(drawn)} of {calls}")
    return drawn


def main(pages: list[str]) -> None:
    """Draw those of the pages named, or all."""
    mpl.rcParams["savefig.dpi"] = 150
    FOLDER.mkdir(exist_ok=True)
    for page in pages or PAGES:
        for name, figure in of_page(page).items():
            figure.savefig(
                FOLDER / f"{name}.png", facecolor="white", bbox_inches="tight"
            )
        plt.close("all")
    if not pages:
        of_readme()


def of_readme() -> None:
    """Draw the trial of README, wide and narrow."""
    peaks = cg.Uniform(length=200).sample(100, rng=1)["sequence"]
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=96),
        "GATA1": cg.Embed("AGATAAG", at=96),
    }
    design = cg.Design(null=cg.DinucleotideShuffle(of=peaks), arms=arms, n_units=1_000)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=7)
    estimates = cg.estimate(cg.contrast(outcomes, control="placebo"))
    few = cg.Uniform(length=9).sample(4, rng=5)["sequence"].values
    words = ["".join("ACGT"[i] for i in row) for row in few]
    trial(estimates, words).savefig(FOLDER / "trial.png")
    stacked(FOLDER / "trial.png").save(FOLDER / "trial_stacked.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
