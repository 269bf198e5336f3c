"""Text report of an ordered library."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.errors import LibraryError
from causalgia.inputs import parse_json
from causalgia.mpra.libraries.constructs import data_table
from causalgia.schema import validate
from causalgia.sequences.alphabet import encode
from causalgia.sequences.composition import word_hits

_SHOWN, _ARMS = 5, 12


def describe_library(library: xr.Dataset) -> str:
    """Return a text report of a library: oligos, rules, and the shift from the null model.

    Parameters
    ----------
    library
        From `causalgia.mpra.library`.

    Returns
    -------
    str
        Oligos by arm, the oligo and its parts, the rules and by arm the draws that broke them, the share of redrawn
        units, and the shift of GC content and k-mers (Jensen-Shannon divergence in bits, with that of two independent
        samples of this size).

    Raises
    ------
    OutcomesError
        If it is not a library.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)}
    >>> design = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50)
    >>> print(cg.mpra.report(cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)))
    200 oligos of 230 nt: 50 untreated, 50 GATA1, 100 scramble (negative)
    ...
    """
    validate(library, "library")
    parts = [
        _oligo_counts_lines(library),
        _oligo_parts_lines(library),
        _plan_lines(library),
        _rule_lines(library),
        _dropped_lines(library),
        _shift_lines(library),
    ]
    return "\n".join(line for part in parts for line in part)


def _oligo_counts_lines(library: xr.Dataset) -> list[str]:
    arms, groups = library["arm"].to_numpy().astype(str), library["group"].to_numpy().astype(str)
    tests = [(arm, "test") for arm in library["judged_arm"].to_numpy()]
    kinds = dict.fromkeys([*tests, *zip(arms, groups, strict=True)])
    counts = [(arm, group, int(((arms == arm) & (groups == group)).sum())) for arm, group in kinds]
    if len(tests) > _ARMS:
        n = int((groups == "test").sum())
        counts = [(f"under {len(tests):,} arms", "test", n), *(row for row in counts if row[1] != "test")]
    shown = ", ".join(f"{n:,} {arm}{f' ({group})' if group not in ('test', arm) else ''}" for arm, group, n in counts)
    lines = [f"{len(arms):,} oligos of {library.attrs['oligo_length']} nt: {shown}"]
    if "positive" not in groups:
        lines.append("no positive control: sequences that are active in your cells are yours to give (positives=)")
    if "barcode" not in library:
        lines.append(
            "no A/A pair and no promoter alone: barcodes are random, so for an A/A comparison split the barcodes of an "
            "oligo at random (cg.mpra.split_duplicates of the counts), and clone the promoter by itself"
        )
    elif "promoter" not in groups:
        lines.append("no promoter alone: clone it by itself")
    if "promoter_junction" in library.attrs:
        lines.append(
            f"the promoter alone carries no insert, but a filler of {max(map(len, library['insert'].to_numpy()))} nt, "
            "which is cut out of the junction when the reporter is put in"
        )
    return lines


def _oligo_parts_lines(library: xr.Dataset) -> list[str]:
    attrs = library.attrs
    length = max(map(len, library["insert"].to_numpy()))
    middle = [f"insert ({length})"]
    if "barcode" in library:
        middle += [attrs["junction"]] if attrs["junction"] else []
        middle += [f"barcode ({attrs['barcode_length']}, Levenshtein distance at least {attrs['min_distance']})"]
    name = f"{attrs['construct']}: " if attrs["construct"] else ""
    return [
        f"oligo: {name}{' + '.join([attrs['left'], *middle, attrs['right']])}",
        f"{attrs['assignment']} of {attrs['null']}",
    ]


def _plan_lines(library: xr.Dataset) -> list[str]:
    attrs = library.attrs
    parts = []
    if "replicates" in attrs:
        n = len(np.unique(library["unit"].to_numpy()[library["group"].to_numpy().astype(str) == "test"]))
        barcodes = attrs.get("barcodes_per_oligo", "...")
        call = f"cg.mpra.power(effect, barcodes={barcodes}, replicates={attrs['replicates']}, backgrounds={n}, ...)"
        parts.append(f"{attrs['replicates']} replicates planned: what that can tell says {call}")
    if "budget" in attrs:
        parts.append(f"{attrs['budget'] - library.sizes['row']:,} oligos of the budget of {attrs['budget']:,} are left")
    if "vendor" in attrs:
        pool = f", a pool of {attrs['pool_size']:,}" if "pool_size" in attrs else ""
        parts.append(f"within the limits of {attrs['vendor']} as the table has them{pool}")
    return ["; ".join(parts)] if parts else []


def _rule_lines(library: xr.Dataset) -> list[str]:
    n_draws, broken = int(library["n_draws"]), library["broken"].to_numpy()
    rules = _rule_names(library)
    lines = [f"rules: {', '.join(rules)}", *_uncounted_sites(library)]
    lines.append(f"{float(library['share_redrawn']):.1%} of the units were drawn anew; {n_draws:,} draws in all")
    for rule, by_arm in zip(library["rule"].to_numpy(), broken, strict=True):
        if by_arm.any():
            order = np.argsort(-by_arm, kind="stable")[:_SHOWN]
            arms = ", ".join(f"{by_arm[i]:,} in {library['judged_arm'].to_numpy()[i]}" for i in order if by_arm[i])
            more = f" and {np.count_nonzero(by_arm) - _SHOWN} more arms" if np.count_nonzero(by_arm) > _SHOWN else ""
            lines.append(f"  {rule}: broken by draws {arms}{more}")
    for name, what in (("broken_scrambles", "scrambles"), ("broken_barcodes", "barcodes in their oligo")):
        total = int(library[name].sum())
        lines += [f"  {total:,} {what} broke a rule and were exchanged"] if total else []
    flags = [
        f"{int(n):,} {flag}"
        for flag, n in zip(library["flag"].to_numpy(), library["flagged"].to_numpy(), strict=True)
        if n
    ]
    return [*lines, *([f"ordered although vendors make them less evenly: {', '.join(flags)}"] if flags else [])]


def _rule_names(library: xr.Dataset) -> list[str]:
    source = "attrs['rules'] of the library"
    return list(parse_json(str(library.attrs.get("rules")), LibraryError, source=source))


def _uncounted_sites(library: xr.Dataset) -> list[str]:
    """Return the enzymes with a site in custom adapters that no rule keeps out of inserts and barcodes."""
    if library.attrs["construct"]:
        return []
    rules = set(_rule_names(library))
    parts = [encode(library.attrs[part]) for part in ("left", "junction", "right") if library.attrs[part]]
    found = {}
    for enzyme, word in data_table("sites")["words"].items():
        n = sum(int(word_hits(part, word)[0][0]) for part in parts if part.shape[1] >= len(word))
        if n and not rules & {f"site {enzyme}", f"site {word}"}:
            found[enzyme] = n
    return [
        f"the adapters carry {', '.join(found)}, and inserts may too: where the protocol cuts there, say avoid={found}"
    ] * bool(found)


def _dropped_lines(library: xr.Dataset) -> list[str]:
    if "why" not in library:
        return []
    dropped = dict(zip(library["dropped"].to_numpy().tolist(), library["why"].to_numpy().tolist(), strict=True))
    lines = [f"{len(dropped):,} units are in no arm: no draw of them met the rules, whatever their arm would have been"]
    lines += [f"  unit {unit}: {why}" for unit, why in list(dropped.items())[:_SHOWN]]
    return lines + ([f"  and {len(dropped) - _SHOWN:,} more"] if len(dropped) > _SHOWN else [])


def _shift_lines(library: xr.Dataset) -> list[str]:
    before, after = float(library["gc_proposed"]), float(library["gc_ordered"])
    words = "; ".join(
        f"{k}-mers {shift:.1e} bits ({chance:.1e})"
        for k, shift, chance in zip(
            library["k"].to_numpy(), library["shift"].to_numpy(), library["shift_by_chance"].to_numpy(), strict=True
        )
    )
    return [
        f"null model: GC {before:.2%} as drawn first, {after:.2%} as ordered; Jensen-Shannon divergence (of two "
        f"independent samples): {words}"
    ]
