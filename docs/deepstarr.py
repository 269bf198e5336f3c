"""What docs/deepstarr.md says of DeepSTARR, a published network of fly enhancers.

``python docs/deepstarr.py`` runs the screen of forty motifs, prints its table and draws
its picture; ``python docs/deepstarr.py audit`` prints the audit, in half an hour on one
core. Both need
``pip install '.[keras,networks,jaspar]'`` and nothing else: `causalgia.networks`
downloads the network once, and the backgrounds are drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg

PICTURE = Path(__file__).parent / "pictures" / "deepstarr.png"
LENGTH, N, N_OTHERS, ROWS, DRAWN = 249, 20, 400, 5, 12
N_SEQUENCES, MINUTES = 600, 240.0
FACTORS = (
    "kay Jra CrebA crc Xbp1 slbo srp GATAe Trl Clamp BEAF-32 Dref Deaf1 su(Hw) ttk hb twi "
    "da sc SREBP Max Eip74EF Ets97D Stat92E grh sd Hsf Mad dl pan usp Hnf4 exd so Abd-B "
    "vvl lz fkh bs ewg"
)
"""Forty fly factors of some thirty families, chosen before any of them was asked."""


def motifs() -> dict[str, cg.sequences.Motif]:
    """Return the motifs of the factors, of JASPAR 2024."""
    return {
        name: cg.motif(name, taxon="insects", release="JASPAR2024")
        for name in FACTORS.split()
    }


def screen(n_units: int, rng: int) -> cg.experiments.Answer:
    """Return the answer of the screen on random backgrounds."""
    network = cg.networks.load("deepstarr")
    null = cg.Uniform(length=LENGTH)
    asked = cg.experiments.motif_screen(null, motifs(), n_units=n_units)
    return asked.analyze(cg.run(asked, network, rng=rng))


def better_strands(decisions: xr.Dataset) -> xr.Dataset:
    """Return each motif on the strand that has its largest effect."""
    asked = decisions.isel(contrast=~decisions["is_placebo"].to_numpy())
    sizes = np.abs(asked["ace"]).max("task").to_series()
    best = sizes.groupby(asked["motif"].to_numpy()).idxmax()
    return asked.sel(contrast=best.to_numpy())


def largest(decisions: xr.Dataset, others: xr.DataArray | None = None) -> pd.DataFrame:
    """Return the rows of the largest raw effects of each task."""
    rows = cg.tidy(decisions).rename(columns={"term": "motif", "estimate": "raw"})
    shown = ["motif", "task", "raw", "shrunken", "q", "verdict"]
    if others is not None:
        of = others.to_series()
        names = pd.MultiIndex.from_frame(rows[["motif", "task"]])
        rows[f"{N_OTHERS} others"] = of.reindex(names).to_numpy()
        shown.append(f"{N_OTHERS} others")
    return rows.sort_values("raw", ascending=False).groupby("task").head(ROWS)[shown]


def printed(table: pd.DataFrame) -> str:
    """Return the table as README has it."""
    return table.sort_values("task", kind="stable").round(2).to_string(index=False)


def main() -> None:
    """Print the table of the screen, and draw it."""
    answer = screen(N, rng=0)
    print(answer.sentences[0], "\n")
    few = better_strands(answer.decisions)
    more = screen(N_OTHERS, rng=1)
    others = more.decisions["ace"].sel(contrast=few["contrast"].to_numpy())
    print(printed(largest(few, others)), "\n")
    for task in few["task"].to_numpy():
        for name in ("ace", "shrunken"):
            off = few[name].sel(task=task) - others.sel(task=task)
            print(task, name, f"off by {np.sqrt((off.values**2).mean()):.3f}")
    print(*more.sentences, sep="\n")
    order = np.argsort(-np.abs(few["ace"]).max("task").to_numpy())[:DRAWN]
    axes = cg.plot.forest(few.isel(contrast=order), truth=others)
    (legend,) = axes.figure.legends
    for said in legend.get_texts():
        said.set_text(said.get_text().replace("truth", f"{N_OTHERS} others"))
    axes.figure.savefig(PICTURE, dpi=150, facecolor="white", bbox_inches="tight")


def with_sites() -> list[str]:
    """Return random sequences, each with sites of four of the factors, drawn from their
    matrices, at places and on strands drawn at random.
    """
    rng = np.random.default_rng(0)
    known = list(motifs().values())
    tokens = cg.Uniform(length=LENGTH).sample(N_SEQUENCES, rng=0)["sequence"].to_numpy()
    part = LENGTH // 4
    for row in tokens:
        for quarter, k in enumerate(rng.choice(len(known), 4, replace=False)):
            matrix = np.cumsum(known[k].probabilities, axis=1)
            site = (rng.random((len(matrix), 1)) > matrix[:, :3]).sum(axis=1)
            start = quarter * part + rng.integers(0, part - len(site))
            turned = 3 - site[::-1] if rng.random() < 0.5 else site
            row[start : start + len(site)] = turned
    return cg.sequences.decode(tokens)


def audit() -> None:
    """Print the audit, which knows the forty motifs, and not where their sites are."""
    network = cg.networks.load("deepstarr")
    print(cg.audit(network, with_sites(), motifs=motifs(), minutes=MINUTES, rng=0))


if __name__ == "__main__":
    audit() if sys.argv[1:] == ["audit"] else main()
