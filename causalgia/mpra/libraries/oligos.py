"""What is ordered, oligo by oligo before barcodes: which insert, under which names, and how many barcodes it gets."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design, Genomic, assign
from causalgia.design.null_model import gc_content
from causalgia.mpra.libraries.backgrounds import Blocks
from causalgia.mpra.libraries.controls import Given
from causalgia.sequences.random import random_words
from causalgia.streams import derive
from causalgia.types import Ints, Tokens

_LONGEST = 60  # letters of a name that an oligo takes over
_OTHER = re.compile(r"[^A-Za-z0-9+=.:-]+")


@dataclass(frozen=True)
class Listed:
    """Inserts that are ordered, a row each; those of one block differ in their arm alone.

    Attributes
    ----------
    block
        Which stand together, (n,): a unit's arms, or the two names of an A/A pair.
    unit, draw
        Id of the unit, and which draw of it; -1 for what is no unit, (n,).
    element, arm, group, oligo_name, parent
        Names, (n,).
    source_name
        Name of the given sequence that the background is (`Genomic`), else empty, (n,).
    gc
        Share of G and C of the background (of the insert, where there is none), (n,).
    inserts
        (n, length).
    """

    block: Ints
    unit: Ints
    draw: Ints
    element: NDArray[Any]
    arm: NDArray[Any]
    group: NDArray[Any]
    oligo_name: NDArray[Any]
    parent: NDArray[Any]
    source_name: NDArray[Any]
    gc: NDArray[np.float64]
    inserts: Tokens

    def __len__(self) -> int:
        return len(self.unit)

    def and_then(self, other: Listed) -> Listed:
        """Return these rows and the other's after them, whose blocks are new ones."""
        first = int(self.block.max(initial=-1)) + 1
        fields = {name: (getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__}
        fields["block"] = (self.block, other.block + first)
        return Listed(**{name: np.concatenate(pair) for name, pair in fields.items()})

    def taken(self, rows: Ints) -> Listed:
        """Return some of the rows."""
        return Listed(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


def arm_slugs(arms: list[str]) -> list[str]:
    """Return arms as parts of an oligo's name: other letters become '_', with a number where two would be one.

    Examples
    --------
    >>> arm_slugs(["A + B", "A_+_B", "GATA1"])
    ['A_+_B', 'A_+_B.1', 'GATA1']
    """
    found: list[str] = []
    for index, arm in enumerate(arms):
        slug = _OTHER.sub("_", arm)
        found.append(f"{slug}.{index}" if slug in found else slug)
    return found


def unit_oligos(design: Design, blocks: Blocks, *, key: int) -> Listed:
    """Return the units under their arms, unit by unit: under each, in random order; in a parallel trial the one dealt.

    What stands side by side in an order may be made side by side: within a unit, which arm comes first is random.
    """
    arms, n = len(design.named_arms), len(blocks.units)
    dice = random_words(derive(key, "order"), blocks.units.astype(np.uint64), arms)
    unit, arm = np.repeat(np.arange(n), arms), np.argsort(dice, axis=1, kind="stable").ravel()
    if design.assignment == "parallel":
        unit, arm = np.arange(n), _dealt(design, key)[blocks.units]
    names = _source_names(design, blocks, key)
    element = np.array(_element_names(names, blocks), object)[unit]
    slugs = np.array(arm_slugs(design.arm_names), object)
    return Listed(
        block=unit,
        unit=blocks.units[unit],
        draw=blocks.draws[unit],
        element=element,
        arm=np.array(design.arm_names, object)[arm],
        group=_all("test", len(unit)),
        oligo_name=element + "_" + slugs[arm],
        parent=blocks.parents.astype(str).astype(object)[unit],
        source_name=names[unit],
        gc=gc_content(blocks.backgrounds)[unit],
        inserts=blocks.inserts[arm, unit],
    )


def _source_names(design: Design, blocks: Blocks, key: int) -> NDArray[Any]:
    """Return the name of the given sequence that each unit is; empty where it is none, or was given no name."""
    if not isinstance(design.drawn, Genomic) or not isinstance(design.drawn.parents_given.names[0], str):
        return _all("", len(blocks.units))
    ids = blocks.units.astype(np.uint64)
    return design.drawn.names(ids, key=derive(key, "null"), n_units=design.n_units)


def _element_names(names: NDArray[Any], blocks: Blocks) -> list[str]:
    """Return what units are called: ``u0`` or the name of their sequence, and the fingerprint of their inserts.

    So that units of two libraries have one name only where they are the same sequences under the same arms: names are
    all that an order file and a table of counts carry.
    """
    found = []
    for i, (unit, name) in enumerate(zip(blocks.units.tolist(), names.tolist(), strict=True)):
        digest = hashlib.blake2b(np.ascontiguousarray(blocks.inserts[:, i]).tobytes(), digest_size=3).hexdigest()
        slug = _OTHER.sub("_", name) if 0 < len(name) <= _LONGEST else f"u{unit}"
        found.append(f"{slug if slug[0].isalpha() else f'n{slug}'}.{digest}")
    return found


def _dealt(design: Design, key: int) -> Ints:
    """Return the arm of every unit, as `causalgia.run` deals them."""
    labels = design.block_labels(key=derive(key, "null"))
    blocks = np.zeros(design.n_units, np.int64) if labels is None else labels
    return assign(blocks, n_arms=len(design.named_arms), key=key)


def control_oligos(given: Given, *, arm: str, group: str) -> Listed:
    """Return controls as rows: each is an element of its own."""
    n = len(given)
    names = np.array(given.names, object)
    none = np.full(n, -1, np.int64)
    return Listed(
        block=np.arange(n),
        unit=none,
        draw=none,
        element=names,
        arm=_all(arm, n),
        group=_all(group, n),
        oligo_name=names,
        parent=_all("", n),
        source_name=_all("", n),
        gc=gc_content(given.tokens),
        inserts=given.tokens,
    )


def pair_oligos(oligos: Listed, rows: Ints) -> Listed:
    """Return A/A pairs: each of these oligos under two more names, as element ``aa0`` in two arms."""
    twice = oligos.taken(np.repeat(rows, 2))
    pair = np.repeat(np.arange(len(rows)), 2)
    element = np.array([f"aa{i}" for i in pair.tolist()], object)
    copy = np.tile(np.array(["1", "2"], object), len(rows))
    return Listed(
        block=pair,
        unit=twice.unit,
        draw=twice.draw,
        element=element,
        arm="duplicate " + copy,
        group=_all("duplicate", len(pair)),
        oligo_name=element + "_" + copy,
        parent=twice.parent,
        source_name=twice.source_name,
        gc=twice.gc,
        inserts=twice.inserts,
    )


def _all(value: str, n: int) -> NDArray[Any]:
    return np.full(n, value, object)
