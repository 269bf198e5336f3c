"""What a replicate does to all arms of an element at once: it moves no contrast, and is taken out of the counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import fdtri

from causalgia.mpra.counts.noise_layers import oligo_means
from causalgia.mpra.fits.hierarchical.cells import PSEUDO, Cells
from causalgia.types import Array, Mask

SURE = 0.95


def take_out_shared(cells: Cells) -> tuple[Cells, float]:
    """Take out of each element what its arms have in common in a replicate; return its standard deviation, too.

    The arms' levels in a replicate, about their means, vary between the arms of an element by V_apart, and on average
    over its arms by V_shared / A; the two V are equal where arms vary alone. Where V_shared is larger by more than
    chance, each element's average is drawn towards 0 until it varies as it would alone, so that the layers, which know
    arms that vary alone, take it for no more than that. An element that lacks a cell is left as it is. What chance
    makes of the ratio, its 95 % quantile, is allowed for, so that few elements are drawn too little, never too much.

    Returns
    -------
    tuple
        Cells with other offsets, or the same ones; and the standard deviation of the noise that arms share, natural
        logs, by moments, 0 where it is no more than chance.
    """
    E, R = (len(cells.start) - 1) // cells.n_arms, cells.rna.shape[1]
    of = np.repeat(np.arange(E * cells.n_arms), np.diff(cells.start)).astype(np.int64)
    seen = cells.used & (cells.rna > 0)
    means = oligo_means(np.where(seen, np.log(cells.rna + PSEUDO) - cells.offset, 0.0), seen, of, E * cells.n_arms)
    level = means.activity.reshape(E, cells.n_arms, R)
    whole: Mask = np.min(means.n.reshape(level.shape), axis=(1, 2)) > 0
    moved = np.where(whole[:, None, None], level - level.mean(axis=2, keepdims=True), 0.0)
    average = moved.mean(axis=1)
    df = float(whole.sum() * (R - 1))
    df_apart = df * (cells.n_arms - 1)
    if df_apart == 0:
        return cells, 0.0
    shared = cells.n_arms * float((average**2).sum()) / df
    apart = float(((moved - average[:, None]) ** 2).sum()) / df_apart
    by_chance = apart * float(fdtri(df, df_apart, SURE))
    if shared <= by_chance or by_chance == 0:
        return cells, 0.0
    gone: Array = (1 - np.sqrt(by_chance / shared)) * average
    offset = np.where(cells.used, cells.offset + gone[of // cells.n_arms], 0.0)
    return replace(cells, offset=offset), float(np.sqrt((shared - apart) / cells.n_arms))
