"""The former `variants`, which was three experiments."""

from __future__ import annotations

import inspect
import re
from os import PathLike
from typing import Any, NoReturn

from causalgia.checks import in_list
from causalgia.design import MatchedVariants
from causalgia.errors import DesignError, quoted
from causalgia.experiments._variant_effects import variant_effects
from causalgia.experiments._variant_screen import variant_screen
from causalgia.experiments._variants_across_contexts import variants_across_contexts


def variants(
    vcf: object = "calls.vcf", fasta: object = "genome.fa", **settings: Any
) -> NoReturn:
    """Raise DesignError with the call that took the place of this one.

    Raises
    ------
    DesignError
        Always.

    Examples
    --------
    >>> variants("calls.vcf", "hg38.fa", length=60)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: variants is three experiments now: did you mean ...
    """
    settings = {name: x for name, x in settings.items() if x is not None}
    null = settings.get("null")
    if null is None:
        function: Any = variant_effects
    elif isinstance(null, MatchedVariants):
        function = variant_screen
    else:
        function = variants_across_contexts
    takes = inspect.signature(function).parameters
    needed = [
        name
        for name, one in takes.items()
        if one.kind is one.KEYWORD_ONLY
        and one.default is one.empty
        and name not in settings
    ]
    given = [
        *(_in_call(value) for value in (vcf, fasta)),
        *(f"{name}={_in_call(settings[name])}" for name in settings if name in takes),
        *(f"{name}=..." for name in needed),
    ]
    left = [f"{name}=" for name in settings if name not in takes]
    does_not = f" It has no {in_list(left)}." if left else ""
    raise DesignError(
        "variants is three experiments now: did you mean "
        f"cg.experiments.{function.__name__}({', '.join(given)})?{does_not}"
    )


def _in_call(value: object) -> str:
    """Return a value as it is written in a call."""
    if isinstance(value, PathLike):
        return quoted(str(value))
    if isinstance(value, str | int | float | tuple):
        return quoted(value)
    text = re.sub(r"\b([A-Z]\w*\()", r"cg.\1", repr(value))
    return text if text.startswith("cg.") and "<" not in text else "..."
