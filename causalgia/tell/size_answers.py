"""A number of units, a power or a detectable effect as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import xarray as xr

from causalgia.attributes import about, has
from causalgia.errors import DataError
from causalgia.tell.answer_sentences import cut
from causalgia.tell.answers import AnswerParts, ReportText
from causalgia.tell.short_answers import every_row as all_rows, short_answer
from causalgia.tell.table_formats import percent

_HEADING_OF_VARIABLE = {
    "n_units": "units",
    "n_clusters": "clusters",
    "half_width": "half width",
    "assurance": "probability",
    "power": "power",
    "minimal_detectable_effect": "smallest effect",
    "se": "SE",
}
_SIZES = ("n_units", "power", "minimal_detectable_effect")


def is_size(given: object) -> bool:
    """Return whether it is a result of `causalgia.sample_size`, or of power or minimal
    detectable effect of `causalgia.planning`.
    """
    return (
        isinstance(given, xr.Dataset)
        and has(given).ci_prob
        and has(given).target
        and "ace" not in given
        and (
            {"n_units", "n_clusters"} <= set(given.data_vars)
            or "minimal_detectable_effect" in given
            or ("power" in given and has(given).question)
        )
    )


_CHANCES = ("assurance", "power")


def size_report(found: xr.Dataset, *, rows: str = "summary") -> ReportText:
    """Report a plan as text.

    Parameters
    ----------
    found
        From `causalgia.sample_size`, or `power` or `minimal_detectable_effect` of
        `causalgia.planning`.
    rows
        ``"all"``: more than 20 rows, too.

    Raises
    ------
    DataError
        If it is another Dataset, or `rows` another word.

    Examples
    --------
    >>> import causalgia as cg
    >>> print(size_report(cg.sample_size(sd=1.0, half_width=0.25)))
    64 units give a 95 % interval with a half width of 0.25.
    >>> print(size_report(cg.sample_size(sd=1.0, true_effect=0.5)))
    34 units show that an effect of 0.5 differs from none, with a probability of 0.81.
    """
    if not is_size(found):
        raise DataError("no plan: give the result of cg.sample_size(...)")
    parts = size_parts(found, every_row=all_rows(rows))
    return ReportText(parts.text(), parts.html())


def size_parts(
    found: xr.Dataset, *, every_row: bool = False, requested: Sequence[str] = ()
) -> AnswerParts:
    """Return the parts of a plan: the number of units that is enough for every row, and
    a line for each row, the largest first.

    Parameters
    ----------
    found, every_row, requested
        As in `size_report`, and what is asked for besides.
    """
    key = next(name for name in _SIZES if name in found.data_vars)
    dims = [str(dim) for dim in found[key].dims]
    columns = [name for name in _HEADING_OF_VARIABLE if name in found.data_vars]
    if "n_clusters" in columns and bool(
        (found["n_clusters"] == found["n_units"]).all()
    ):
        columns.remove("n_clusters")
    cells = []
    for at in product(*(range(found.sizes[dim]) for dim in dims)):
        one = found.isel(dict(zip(dims, at, strict=True)))
        names = [
            str(one[dim].item()) if dim in one.coords else f"{i}"
            for dim, i in zip(dims, at, strict=True)
        ]
        cells.append((float(one[key]), names, one))
    sign = 1 if key == "power" else -1
    cells.sort(key=lambda cell: sign * cell[0])
    hardest = cells[0][2]
    several = len(cells) > 1
    label = [name for i, name in enumerate(cells[0][1]) if found.sizes[dims[i]] > 1]
    answer = _answer(found, hardest, key)
    if several and label and cells[0][0] != cells[-1][0]:
        most = "is the least likely" if key == "power" else "needs the most"
        answer = f"{answer[:-1]}; {' in '.join(map(cut, label))} {most}."
    shown = [i for i, dim in enumerate(dims) if found.sizes[dim] > 1]
    header = [dims[i] for i in shown] + [_HEADING_OF_VARIABLE[name] for name in columns]
    lines = [
        [
            *(names[i] for i in shown),
            *(
                (_chance if name in _CHANCES else _number)(one[name].item())
                for name in columns
            ),
        ]
        for _, names, one in cells
    ]
    return short_answer(
        [answer],
        header if several else [],
        lines if several else [],
        words=[dims[i] for i in shown],
        foot=_foot(found, hardest),
        every_row=every_row,
        requested=requested,
    )


def _answer(found: xr.Dataset, one: xr.Dataset, key: str) -> str:
    """Return the sentence on the row that needs most."""
    question = about(found, "").question
    level = percent(float(about(found).ci_prob))
    if key == "minimal_detectable_effect":
        return (
            f"{int(about(found).n_units):,} units show an effect of "
            f"{_number(one[key].item())} or more with a probability of "
            f"{float(about(found).power):.2g}."
        )
    n = int(about(found).n_units) if key == "power" else int(one["n_units"].item())
    units = f"{n:,} unit{'s' * (n != 1)}"
    if question == "half width":
        width = float(one["half_width"].item())
        return f"{units} give a {level} interval with a half width of {width:.2g}."
    what, _, at = question.partition(", averaged over")
    what, _, effect = (
        what.rpartition(", at an effect of ") if not at else (what, "", "")
    )
    chance = float(one["power" if key == "power" else "assurance"].item())
    likely = f"with a probability of {_chance(chance)}"
    rows = what.partition(" as one of ")[2]
    among = f" if it is the only one among {rows}" if rows else ""
    what = what.partition(" as one of ")[0]
    if what.startswith("verdict about "):
        whose = f"an effect of {effect}" if effect else "the effect"
        region = what.removeprefix("verdict about ")
        return (
            f"{units} are enough to decide whether {whose} lies in {region}"
            f"{among}, {likely}."
        )
    size = f"an effect of {effect}" if effect else "the effect of the pilot"
    return f"{units} show that {size} differs from none{among}, {likely}."


def _foot(found: xr.Dataset, hardest: xr.Dataset) -> list[str]:
    averaged = "averaged over" in about(found, "").question
    foot = ["Averaged over the uncertainty of the pilot."] if averaged else []
    least = about(found, 0).least_clusters
    if least and int(hardest["n_clusters"]) == least:
        foot.append(
            f"No fewer than {least:,} backgrounds are planned: these miss an effect on "
            f"1 % of all with a probability of {0.99**least:.2f}."
        )
    return foot


def _chance(value: float) -> str:
    return f"{value:.2f}" if value < 0.995 else "over 0.99"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
