"""The hierarchical model of barcode counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from causalgia.mpra.fitting.fitted import Fitted
from causalgia.mpra.fitting.hierarchical.cells import Array, Cells, cells_of
from causalgia.mpra.fitting.hierarchical.layers import densities, moments
from causalgia.mpra.fitting.hierarchical.noise import LOG2, Grid, Noise, learn
from causalgia.mpra.fitting.hierarchical.responses import Responses, first_responses, respond
from causalgia.mpra.fitting.question import Asked

N_PILOT = 300


def hierarchical(counts: xr.Dataset, asked: Asked) -> Fitted:
    cells = cells_of(counts, asked)
    E = len(asked.elements)
    now = respond(cells, first_responses(cells), np.full(E, (0.5 * LOG2) ** 2), np.full(E, (0.2 * LOG2) ** 2))
    grid = _grid(cells, 0.25, 0.35)
    for final in (False, True):
        noise = _noise(cells, now, grid)
        if not final:
            tb, tr = _variances(noise, grid)
            now = respond(cells, now, tb, tr)
            grid = _narrowed(noise, grid)
    return _answer(cells, now, noise, grid, asked)


def _grid(cells: Cells, barcode, replicate) -> Grid:
    many = np.diff(cells.start).max() > 1
    b = np.log(LOG2) + np.arange(np.log(0.03), np.log(8.0), barcode) if many else np.array([-np.inf])
    r = np.log(LOG2) + np.arange(np.log(0.015), np.log(4.0), replicate) if cells.rna.shape[1] > 1 else np.array([-np.inf])
    return Grid(b, r)


def _narrowed(noise, grid):
    found = []
    for axis, nodes, n in ((2, grid.barcode, 33), (1, grid.replicate, 21)):
        if len(nodes) == 1:
            found.append(nodes); continue
        mass = noise.of_elements.sum(axis).max(0)
        keep = np.flatnonzero(mass > 1e-4)
        lo, hi = max(keep[0] - 1, 0), min(keep[-1] + 1, len(nodes) - 1)
        found.append(np.linspace(nodes[lo], nodes[hi], n))
    return Grid(*found)


def _noise(cells, now, grid):
    E = (len(cells.start) - 1) // cells.n_arms
    z = now.z
    d = densities(z, now.precision, cells.shared, cells.start, np.arange(E), cells.n_arms, np.exp(2 * grid.barcode), np.exp(2 * grid.replicate))
    return learn(d, grid)


def _variances(noise, grid):
    b = noise.of_elements.sum(2) @ np.exp(2 * grid.barcode)
    r = noise.of_elements.sum(1) @ np.exp(2 * grid.replicate)
    return b, r


def _answer(cells, now, noise, grid, asked):
    mean, second, fourth = moments(now.z, now.precision, cells.shared, cells.start, asked.weights, np.exp(2 * grid.barcode), np.exp(2 * grid.replicate), noise.of_elements)
    k = np.maximum(fourth / second**2 - 3, 6e-4)
    df = 4 + 6 / k
    se = np.sqrt(second * (df - 2) / df)
    attrs = dict(sd_barcode=noise.sd_barcode / LOG2, sd_replicate=noise.sd_replicate / LOG2, spread_barcode=noise.spread_barcode,
        spread_replicate=noise.spread_replicate, correlation=noise.correlation, sd_cell=np.sqrt(now.cell_variance) / LOG2, silent_cell=now.silent_cell, silent_barcode=now.silent_barcode, share_paired=cells.share_paired)
    return Fitted(mean / LOG2, se / LOG2, df, {}, attrs)
