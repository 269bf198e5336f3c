"""The design of a trial as an attribute of its outcomes, so that the trial can be repeated."""

from __future__ import annotations

import json

import xarray as xr

from causalgia.design import Design
from causalgia.errors import CausalgiaError, OutcomesError
from causalgia.long_text import pack_text, unpack_text


def store_design(outcomes: xr.Dataset, design: Design) -> xr.Dataset:
    """Return outcomes with their design as JSON, packed where it is long.

    A design with an intervention that cannot be written as JSON is not stored.
    """
    try:
        return pack_text(outcomes, "design", json.dumps(design.to_dict()))
    except TypeError:
        return outcomes


def load_design(outcomes: xr.Dataset) -> Design:
    """Return the design that is stored with outcomes.

    Raises
    ------
    OutcomesError
        If there is none, it cannot be read any more, or it is not the design that was run.
    """
    text = unpack_text(outcomes, "design")
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
