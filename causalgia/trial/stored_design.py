"""The design of a trial, kept with its outcomes so that it can be carried out again."""

from __future__ import annotations

import json

import xarray as xr

from causalgia.design import Design
from causalgia.errors import CausalgiaError, OutcomesError
from causalgia.long_text import pack, unpack


def store_design(outcomes: xr.Dataset, design: Design) -> xr.Dataset:
    """Return outcomes with their design as JSON, packed where it is long.

    A design with an intervention that is not written in JSON is not kept.
    """
    try:
        return pack(outcomes, "design", json.dumps(design.to_dict()))
    except TypeError:
        return outcomes


def load_design(outcomes: xr.Dataset) -> Design:
    """Return the design that outcomes carry.

    Raises
    ------
    OutcomesError
        If they carry none, or one that cannot be read any more, or is not the one that was run.
    """
    text = unpack(outcomes, "design")
    if text is None:
        raise OutcomesError("these outcomes carry no design; give the design of the screen as design=")
    try:
        design = Design.from_json(text)
    except CausalgiaError as error:
        raise OutcomesError(
            f"the design kept with the outcomes cannot be read ({error}); give it as design="
        ) from error
    if design.fingerprint != outcomes.attrs.get("design_fingerprint", design.fingerprint):
        raise OutcomesError(
            "the design kept with the outcomes is not the one that was run: a file of sequences that it names has "
            "changed; give the design of the screen as design="
        )
    return design
