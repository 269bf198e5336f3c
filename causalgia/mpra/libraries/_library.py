"""Oligo library of a design: units under their arms with controls and barcodes, ready
to order.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence, Set
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

import causalgia
from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import as_int
from causalgia.design import Design
from causalgia.errors import DesignError, quoted, type_in_words
from causalgia.mpra.counts.counts_table import insert_fingerprint
from causalgia.mpra.libraries.barcode_sets import (
    PRIMER_END,
    BarcodeRules,
    Tags,
    draw_barcodes,
    n_with_spares,
    tag_oligos,
)
from causalgia.mpra.libraries.constructs import Adapters, Construct, Oligos, construct
from causalgia.mpra.libraries.oligos import (
    GivenControls,
    InsertList,
    check_distinct_controls,
    check_own_names,
    control_oligos,
    draw_scrambles,
    pair_oligos,
    read_controls,
    sample_pairs,
    unit_oligos,
    with_fingerprints,
)
from causalgia.mpra.libraries.order_plan import (
    Blocks,
    Controls,
    OrderNumbers,
    check_barcode_kind,
    check_pools,
    draw_units,
    fit_insert_length,
    order_numbers,
)
from causalgia.mpra.libraries.rules import (
    OLIGOS_A_BLOCK,
    OligoRules,
    Rule,
    RuleChecker,
    SiteCount,
    check_construct,
    default_flags,
)
from causalgia.sequences.alphabet import decode, reverse_complement_iupac
from causalgia.sequences.random import random_words
from causalgia.streams import RNG, Seed, derive
from causalgia.trial.attributes import store_design
from causalgia.types import Tokens

T = TypeVar("T")


def library(
    design: Design,
    *,
    oligo_length: int,
    adapters: Adapters,
    rng: RNG,
    rules: OligoRules | None = None,
    controls: Controls | None = None,
    barcodes_per_oligo: int | None = None,
    barcode_rules: BarcodeRules | None = None,
    pools: int = 1,
    bridge: int | None = None,
    n_redraws: int = 100,
) -> xr.Dataset:
    """Make the oligo library of a design.

    Each background is a block: it is ordered under every arm, in random order
    (crossover), or under its assigned arm (parallel), as in `causalgia.run` with the
    same `rng`. Where an oligo breaks a rule, or is in the library already in either
    orientation (in a crossover: arms that are equal for some unit), the unit is redrawn
    under *all* arms: arms keep the same backgrounds, and other units do not change.
    Effects are then averages over the null model *given that every arm can be ordered*;
    the library reports the distance from the null model. A unit with a parent (a
    shuffle of it, or the given sequence itself) that never meets the rules is left out
    of every arm, with the reason in ``why (dropped)``. In a library of one given
    sequence, such as a saturation mutagenesis, the arms that break a rule are left out
    instead, if the sequence itself meets them: ``why_arm (dropped_arm)``.

    Synthesized barcodes are assigned at random, blocked by unit: the k-th barcodes of
    its arms are a set of similar GC content, randomly permuted, so that effects of
    barcodes are noise, not bias. A barcode that makes a site or breaks another rule in
    its oligo is replaced. None contains the last 8 letters of a primer that reads the
    adapters.

    Parameters
    ----------
    design
        Null model, arms, number of units and assignment. Every arm must keep the length
        of a background.
    oligo_length
        Length of the *whole* oligo: left adapter + insert [+ junction + barcode] +
        right adapter.
    adapters
        A construct (``"lentimpra"``, ``"tewhey"``, ``"melnikov"``), ``(left, right)``,
        or, with synthesized barcodes, ``(left, junction, right)`` with the letters
        between insert and barcode.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    rules
        Sites to avoid, GC content, runs and repeats; None: the defaults of
        `causalgia.mpra.OligoRules`.
    controls
        Scrambles, A/A pairs, the promoter alone, and your own controls; None: those of
        `causalgia.mpra.Controls`.
    barcodes_per_oligo
        Synthesized barcodes of each insert. None: none (random barcodes, as in
        lentiMPRA).
    barcode_rules
        Length, distance and other rules of synthesized barcodes; None: the length of
        the construct, else 15, and the defaults of `causalgia.mpra.BarcodeRules`. The
        sites of `rules`, the flanks of the barcode and the primers that read the
        adapters are added.
    pools
        Pools over which the elements are dealt at random, each with all its arms in
        one. Every pool has all controls, and the elements of the bridge.
    bridge
        Elements that every pool has, from which `causalgia.mpra.concordance` of the
        fits of two pools says whether they agree. None: a tenth, at least 20, at most
        half.
    n_redraws
        Draws of a unit or scramble after the first, before giving up.

    Returns
    -------
    Dataset
        Of kind ``library``, a row an oligo: ``unit, element, arm, group, name,
        oligo_name, insert, oligo`` and, where synthesized, ``barcode``, all ``(row)``;
        ``draw (row)``: 0 where the background is that of `causalgia.run`;
        ``parent, gc (row)`` of the background, and ``source_name`` of a given sequence
        (`Genomic`); ``pool (row)``, counted from 1, of several pools: what is in each
        has a row in each. Units are elements ``u0.3fa2c1``, ``u1.90bd77``, ... (or
        ``chr1:100-300.3fa2c1``, by the name of the sequence); after the point comes a
        fingerprint of the unit's inserts, so that units of two libraries cannot be
        confused in an order, counts, a fit or a comparison. The names of controls that
        you did not name carry one as well: ``scramble0.6380f7``, and
        ``promoter.8c0a1e`` (of adapters and filler). For `causalgia.report`:
        ``broken (rule, judged_arm)``, the draws that broke a rule in an arm;
        ``share_redrawn``; ``gc_proposed, gc_ordered``.

    Raises
    ------
    DesignError
        If lengths do not add up, an adapter contains a site, no background meets the
        rules (with the rule, the arm and how often), a control breaks a rule or has a
        reserved name, or an option has the wrong type.
    TypeError
        If `rng` is not a source of randomness.

    Warns
    -----
    CausalgiaWarning
        If units or arms are left out.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=200),
    ...     arms={"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)},
    ...     n_units=50,
    ... )
    >>> ordered = cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
    >>> (
    ...     ordered.sizes["row"],
    ...     sorted(ordered["oligo_name"].values[:2]),
    ...     len(ordered["oligo"].values[1]),
    ... )
    (200, ['u0.488e39_GATA1', 'u0.488e39_untreated'], 230)
    """
    if not isinstance(design, Design):
        raise DesignError(
            f"a library is made from a cg.Design, not from {type_in_words(design)}"
        )
    rules = as_instance(OligoRules() if rules is None else rules, OligoRules, "rules")
    controls = as_instance(
        Controls() if controls is None else controls, Controls, "controls"
    )
    seed, of = Seed.parse(rng), construct(adapters)
    key = seed.key
    n_barcodes = (
        0
        if barcodes_per_oligo is None
        else as_int(barcodes_per_oligo, "barcodes_per_oligo", error=DesignError)
    )
    synthesized = n_barcodes > 0
    check_barcode_kind(of, synthesized=synthesized)
    if barcode_rules is not None and not synthesized:
        raise DesignError(
            "barcode_rules= are of synthesized barcodes, and those of this library "
            "are random; leave barcode_rules= out"
        )
    oligo_rules = rules.of_construct(of)
    tag_rules = _tag_rules(barcode_rules, of, oligo_rules) if synthesized else None
    letters = tag_rules.length if tag_rules is not None else 0
    length = fit_insert_length(
        design, of, oligo_length=oligo_length, barcode_length=letters
    )
    plus = read_controls(controls.positives, "positive", length=length)
    minus = read_controls(controls.negatives, "negative", length=length)
    halves = of.between_sites(
        [
            rule.letters
            for rule in oligo_rules
            if isinstance(rule, SiteCount) and rule.intended
        ]
    )
    numbers = order_numbers(
        design,
        controls,
        barcodes=n_barcodes,
        given=(len(plus), len(minus)),
        fillable=synthesized and halves is not None,
    )
    check_own_names([*plus.names, *minus.names], design.arm_names, numbers.by_arm)
    check_pools(design.n_units, pools, bridge)
    check_construct(of, oligo_rules, barcoded=synthesized)
    checker = RuleChecker(of, oligo_rules)
    request = _LibraryRequest(
        design,
        checker,
        numbers,
        key,
        as_int(n_redraws, "n_redraws", least=0, error=DesignError),
    )
    blocks, listed, broken = request.draw_inserts(plus, minus)
    alone = (
        checker.for_promoter(halves, length, key=key)
        if halves is not None and numbers.promoter
        else None
    )
    tags = (
        None if tag_rules is None else request.assign_barcodes(listed, tag_rules, alone)
    )
    left = _without_arms(design, blocks.dropped_arms.keys())
    attrs = library_attributes(left, of, seed) | attributes(
        oligo_length=int(oligo_length), rules=json.dumps(checker.names)
    )
    if tag_rules is not None:
        attrs |= attributes(
            barcodes_per_oligo=n_barcodes,
            barcode_length=letters,
            min_distance=int(tag_rules.min_distance),
        )
    promoter = None if alone is None else alone.construct
    if promoter is not None:
        attrs |= attributes(promoter_junction=promoter.junction)
    made = library_dataset(
        DrawnLibrary(
            design, of, promoter, numbers, blocks, listed, tags, broken, checker.names
        ),
        attrs,
    )
    made = store_design(made, left)
    return made if pools == 1 else _over_pools(made, pools, bridge, key=key)


def _without_arms(design: Design, dropped: Set[str]) -> Design:
    """Return a design without these arms, and without the contrasts that need them."""
    if not dropped:
        return design
    asked = (design.named_contrasts or {}).items()
    kept: dict[str, Any] = {
        "arms": [arm for arm in design.named_arms if arm.name not in dropped],
        "contrasts": {k: row for k, row in asked if not dropped & row.keys()} or None,
    }
    return Design(**{x.name: getattr(design, x.name) for x in fields(Design)} | kept)


def _over_pools(
    made: xr.Dataset, pools: int, bridge: int | None, *, key: int
) -> xr.Dataset:
    """Return a library with a row for each oligo of each pool, over which its elements
    are dealt.
    """
    test = made["group"].to_numpy() == "test"
    of, names = pd.factorize(made["element"].to_numpy()[test])
    shared = check_pools(len(names), pools, bridge)
    words = random_words(
        derive(key, "pools"), np.arange(len(names), dtype=np.uint64), 1
    )
    turn = np.argsort(np.argsort(words[:, 0], kind="stable"), kind="stable")
    dealt = np.where(turn < shared, 0, 1 + turn % pools)  # 0: in each
    pool = np.zeros(len(test), np.int64)
    pool[test] = dealt[of]
    rows = [np.flatnonzero((pool == 0) | (pool == n + 1)) for n in range(pools)]
    of_row = np.repeat(np.arange(pools) + 1, [len(own) for own in rows])
    return as_result(
        made.isel(row=np.concatenate(rows)).assign(pool=("row", of_row)), "library"
    )


def as_instance(value: object, kind: type[T], name: str) -> T:
    """Return a value of this class, or raise DesignError naming the argument.

    Examples
    --------
    >>> as_instance(100, Controls, "controls")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: controls=100 is an int; give cg.mpra.Controls(...)
    """
    if not isinstance(value, kind):
        what = f"{name}={quoted(value)} is {type_in_words(value)}"
        raise DesignError(f"{what}; give cg.mpra.{kind.__name__}(...)")
    return value


def _tag_rules(
    given: BarcodeRules | None, of: Construct, oligo_rules: Sequence[Rule]
) -> BarcodeRules:
    """Return the rules of barcodes in an oligo: those given, its sites, the flanks of
    the barcode, and its primers.
    """
    default = BarcodeRules(length=of.usual_barcode_length)
    given = as_instance(
        default if given is None else given, BarcodeRules, "barcode_rules"
    )
    if any(given.flanks):
        raise DesignError(
            f"barcode_rules= has flanks={given.flanks}, but the letters beside "
            "a barcode are those of the oligo; leave flanks out"
        )
    sites = [rule.enzyme for rule in oligo_rules if isinstance(rule, SiteCount)]
    ends = [
        end
        for end in (of.left, reverse_complement_iupac(of.right))
        if len(end) >= PRIMER_END
    ]
    return replace(
        given,
        avoid=tuple(dict.fromkeys([*sites, *given.avoid])),
        flanks=(of.junction, of.right),
        primers=tuple(dict.fromkeys([*ends, *given.primers])),
    )


@dataclass(frozen=True)
class _LibraryRequest:
    """A library request, checked as far as possible before anything is drawn."""

    design: Design
    checker: RuleChecker
    numbers: OrderNumbers
    key: int
    n_redraws: int

    def draw_inserts(
        self, plus: GivenControls, minus: GivenControls
    ) -> tuple[Blocks, InsertList, dict[str, int]]:
        """Return the units, all inserts in library order, and the rules that scrambles
        broke, with counts.
        """
        before = (
            self.checker.without_barcodes() if self.numbers.barcodes else self.checker
        )
        for controls, what in ((plus, "positive control"), (minus, "negative control")):
            before.check_given(controls.tokens, controls.names, what)
        given = np.concatenate([plus.tokens, minus.tokens])
        check_distinct_controls(given, [*plus.names, *minus.names])
        blocks = draw_units(
            self.design, before, key=self.key, n_redraws=self.n_redraws, controls=given
        )
        taken = np.concatenate(
            [given, blocks.inserts.reshape(-1, blocks.inserts.shape[2])]
        )
        made, broken = draw_scrambles(
            self.numbers.scrambles,
            blocks.backgrounds,
            before,
            key=self.key,
            n_redraws=self.n_redraws,
            taken=taken,
        )
        names = with_fingerprints([f"scramble{i}" for i in range(len(made))], made)
        tests = unit_oligos(self.design, blocks, key=self.key)
        pairs = pair_oligos(
            tests, sample_pairs(self.numbers.pairs, len(tests), key=self.key)
        )
        listed = (
            tests.and_then(
                control_oligos(
                    GivenControls(names, made), arm="scramble", group="negative"
                )
            )
            .and_then(control_oligos(minus, arm="negative", group="negative"))
            .and_then(control_oligos(plus, arm="positive", group="positive"))
            .and_then(pairs)
        )
        return blocks, listed, broken

    def assign_barcodes(
        self, listed: InsertList, rules: BarcodeRules, alone: RuleChecker | None
    ) -> Tags:
        """Return the oligos with their barcodes."""
        per_oligo, promoter = self.numbers.barcodes, self.numbers.promoter
        n = n_with_spares(len(listed) * per_oligo + promoter)
        pool, _ = draw_barcodes(n, rules, rng=derive(self.key, "barcode list"))
        return tag_oligos(
            listed,
            pool,
            self.checker,
            alone,
            per_oligo=per_oligo,
            promoter=promoter,
            key=self.key,
        )


Names = NDArray[Any]


@dataclass(frozen=True)
class DrawnLibrary:
    """A drawn library, before it is a Dataset.

    Attributes
    ----------
    design, construct, promoter, numbers, blocks
        The request, the construct of the promoter alone (None without one), and the
        units.
    listed
        The inserts.
    tags
        The oligos with their barcodes; None without synthesized ones.
    control_broken
        Rule -> number of scramble draws that broke it.
    rules
        Names of the rules in reports.
    """

    design: Design
    construct: Construct
    promoter: Construct | None
    numbers: OrderNumbers
    blocks: Blocks
    listed: InsertList
    tags: Tags | None
    control_broken: dict[str, int]
    rules: Sequence[str]


def library_dataset(drawn: DrawnLibrary, attrs: dict[str, Any]) -> xr.Dataset:
    """Return a library as a Dataset of kind ``library``.

    Raises
    ------
    DesignError
        If two oligos would have the same name.
    """
    rows, flagged = _row_variables(drawn)
    _check_unique_names(rows["name"])
    # the numbers of the report as variables
    blocks, arms = drawn.blocks, drawn.design.arm_names
    rules = [
        *drawn.rules,
        *dict.fromkeys(rule for rule, _ in blocks.broken if rule not in drawn.rules),
    ]
    by_arm = [[blocks.broken.get((rule, arm), 0) for arm in arms] for rule in rules]

    of_barcodes = {} if drawn.tags is None else drawn.tags.broken
    report = {
        "rule": np.array(rules, object),
        "judged_arm": np.array(arms, object),
        "broken": (
            ("rule", "judged_arm"),
            np.array(by_arm, np.int64).reshape(len(rules), len(arms)),
        ),
        "broken_scrambles": (
            "rule",
            np.array([drawn.control_broken.get(rule, 0) for rule in rules], np.int64),
        ),
        "broken_barcodes": (
            "rule",
            np.array([of_barcodes.get(rule, 0) for rule in rules], np.int64),
        ),
        "share_redrawn": ((), float(np.mean(blocks.draws > 0))),
        "n_draws": ((), blocks.n_draws),
        "gc_proposed": ((), _gc_share(blocks.proposed)),
        "gc_ordered": ((), _gc_share(blocks.backgrounds)),
    }
    # fastpath: otherwise pandas copies every text, and the barcodes of an insert no
    # longer share its string
    dataset = xr.Dataset(
        {
            name: xr.Variable(("row",), values, fastpath=True)
            for name, values in rows.items()
        }
    )
    dataset = dataset.assign({**report, "flagged": ("flag", flagged)})
    dataset = dataset.assign_coords(flag=[rule.name for rule in default_flags()])
    digest = hashlib.blake2b(digest_size=8)
    for name, oligo in zip(rows["name"], rows["oligo"], strict=True):
        digest.update(f"{name}\t{oligo}\n".encode())
    dataset = dataset.assign_attrs(
        {**attrs, **attributes(library_fingerprint=digest.hexdigest())}
    )
    if drawn.blocks.dropped:
        units, reasons = zip(*drawn.blocks.dropped.items(), strict=True)
        dataset = dataset.assign(
            why=("dropped", np.array(reasons, object))
        ).assign_coords(dropped=list(units))
    if arms_dropped := drawn.blocks.dropped_arms:
        dataset = dataset.assign(
            why_arm=("dropped_arm", np.array([*arms_dropped.values()], object))
        ).assign_coords(dropped_arm=[*arms_dropped])
    return as_result(dataset, "library")


def library_attributes(
    design: Design, construct: Construct, seed: Seed
) -> dict[str, Any]:
    """Return the attributes that identify a library: design, null model, construct,
    seed and versions.
    """
    return {
        "assignment": design.assignment,
        **design.drawn.attributes(),
        "null_fingerprint": design.null.fingerprint,
        "design_fingerprint": design.fingerprint,
        **(
            {"reserved": f"{design.reserved.describe()}, in no oligo"}
            if design.reserved
            else {}
        ),
        "construct": construct.name,
        "left": construct.left,
        "junction": construct.junction,
        "right": construct.right,
        "rng": str(seed),
        "causalgia": causalgia.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _row_variables(
    drawn: DrawnLibrary,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Return the variables of dim row, and the number of oligos with each flag."""
    listed, tags = drawn.listed, drawn.tags
    row = np.arange(len(listed)) if tags is None else tags.row
    inserts = np.array(decode(listed.inserts), object)
    parts = [
        _oligo_strings(
            drawn, drawn.construct, row, None if tags is None else tags.barcodes
        )
    ]
    rows: dict[str, NDArray[Any]] = {
        name: getattr(listed, name)[row]
        for name in (
            "unit",
            "draw",
            "element",
            "arm",
            "group",
            "oligo_name",
            "parent",
            "source_name",
            "gc",
        )
    }
    rows |= {"name": rows["oligo_name"], "insert": inserts[row]}
    if tags is not None:
        rows["name"] = (
            rows["name"]
            + np.array([f"_b{i + 1}" for i in range(drawn.numbers.barcodes)], object)[
                tags.copy
            ]
        )
        rows["barcode"] = np.array(decode(tags.barcodes), object)
        if drawn.promoter is not None:
            parts.append(_oligo_strings(drawn, drawn.promoter, None, tags.promoter))
            n = len(tags.promoter)
            of = drawn.promoter
            name = f"promoter.{insert_fingerprint([of.left, of.junction, of.right])}"
            widths = {
                "element": name,
                "oligo_name": name,
                "arm": "promoter",
                "group": "promoter",
            }
            widths |= dict.fromkeys(("parent", "source_name", "insert"), "")
            alone = {
                **{name: np.full(n, text, object) for name, text in widths.items()},
                "unit": np.full(n, -1),
                "draw": np.full(n, -1),
                "gc": np.zeros(n),
                "name": np.array([f"{name}_b{i + 1}" for i in range(n)], object),
                "barcode": np.array(decode(tags.promoter), object),
            }
            rows = {
                name: np.concatenate([values, alone[name]])
                for name, values in rows.items()
            }
    rows["oligo"] = np.concatenate([oligos for oligos, _ in parts])
    return rows, np.sum([flagged for _, flagged in parts], axis=0)


def _oligo_strings(
    drawn: DrawnLibrary,
    of: Construct,
    row: NDArray[np.int64] | None,
    barcodes: Tokens | None,
) -> tuple[Names, NDArray[np.int64]]:
    """Return whole oligos as strings, and the number with each flag; without `row`,
    oligos without insert.
    """
    n = len(row) if row is not None else len(barcodes) if barcodes is not None else 0
    oligos, flagged = np.empty(n, object), np.zeros(len(default_flags()), np.int64)
    for start in range(0, n, OLIGOS_A_BLOCK):
        some = slice(start, min(start + OLIGOS_A_BLOCK, n))
        inserts = (
            np.empty((some.stop - start, 0), np.uint8)
            if row is None
            else drawn.listed.inserts[row[some]]
        )
        whole: Oligos = of.assemble(
            inserts, None if barcodes is None else barcodes[some]
        )
        oligos[some] = decode(whole.tokens)
        flagged += [int(rule.broken(whole).sum()) for rule in default_flags()]
    return oligos, flagged


def _check_unique_names(names: Names) -> None:
    seen: set[str] = set()
    for name in names.tolist():
        if name in seen:
            raise DesignError(
                f"two oligos would be called {quoted(name)}; controls cannot have the "
                "names of units (u0.3fa2c1_...), scrambles, duplicates "
                "(aa0.6380f7_...), the promoter, or each other: rename the control"
            )
        seen.add(name)


def _gc_share(tokens: Tokens) -> float:
    return float(np.mean((tokens == 1) | (tokens == 2)))
