"""Screen of known motifs, compared with random sequences of about their width."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.attributes import about
from causalgia.checks import as_count, first_of, in_list
from causalgia.choices import DIRECTIONS, LEAST_PLACEBOS, PLACEBO_ROPES
from causalgia.design import Arm, Embed, NullModel, Uniform
from causalgia.design.null_model import as_null_model
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DesignError,
    SequenceError,
    caller_stacklevel,
    quoted,
)
from causalgia.experiments._kmer_screen import draw_kmer_screen
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.screens import (
    PLACEBO,
    random_placebos,
    screen_of_arms,
    width_classes,
)
from causalgia.experiments.kit.sites import start_of_widest
from causalgia.experiments.kit.variance import effect_in_words, rows_by_task
from causalgia.inputs import cut_middle
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.motif_alignments import CORE_BITS, motif_core, motif_families
from causalgia.sequences.motif_names import MotifList, named_motifs
from causalgia.sequences.motifs import Motif

if TYPE_CHECKING:
    import xarray as xr

INSTANCES = ", drawn instances"
_PLACEBOS = 50
_MOTIFS_IN_ANSWER = 3
_FAMILIES_NAMED = 20
_MEMBERS_NAMED = 3


def motif_screen(
    motifs: MotifList,
    null: NullModel = Uniform(length=200),  # noqa: B008 - a frozen value
    *,
    taxon: str | None = "vertebrates",
    instances: bool = True,
    at: int | None = None,
    n_placebos: int = _PLACEBOS,
    bits: float = CORE_BITS,
    both_strands: bool = True,
    n_units: int = 200,
    rope: RopeLike = "placebo outliers",
) -> Experiment:
    """Return the experiment that finds which known motifs a network reads.

    Every motif of a list is embedded at one place of the same backgrounds, by its core:
    the most probable string, without the positions at its ends of less than `bits`. It
    is read, ``"increases"`` or ``"decreases"``, if its whole interval lies beyond the range of
    random sequences of about its width, five robust standard deviations of them, with
    the false discovery rate over the motifs controlled (Benjamini-Hochberg), as in
    `causalgia.experiments.kmer_screen`. Motifs inside that range are listed as such.

    Cores of a list have some 25 widths. Those that differ by at most a fifth (5 and 6
    bases; 11 to 13; 20 to 24) are compared with one range, of random sequences of each
    of these widths, as many of one as of another: the standard deviation of their
    effects grows with about the root of the width, a tenth from the narrowest to the
    widest, while either side of a range of 50 random sequences has a standard error of
    a fifth.

    A second contrast of each motif embeds instances of the core, drawn from the
    matrix anew for each background. Where a motif has few strong sites, instances act
    less than the core does: both are printed.

    Databases have many motifs for one site. Those that are read are merged into
    families by the letters of their cores, aligned on both strands, each led by the
    motif of the largest effect (`causalgia.sequences.motif_alignments.motif_families`);
    the answer names families. `causalgia.discover` merges the strings that it proposes
    by the effects that their letters carry, which are not among the outcomes of a
    screen. For matrices of a database they would not do better: of two motifs of one
    JASPAR family, 30 families to a network that adds up how well matrices bind, letters
    part .19 and effects .17 where it reads one of the two (64 pairs), .34 and .42 where
    it reads both (120 pairs), and either merges .006 to .008 of the pairs of two
    classes.

    Parameters
    ----------
    motifs
        ``"JASPAR"``, the CORE motifs of a taxon in their newest versions; a file of
        motifs; a mapping name -> motif; or a list of motifs. Each motif is anything
        that `causalgia.motif` takes.
    null
        The null model of backgrounds.
    taxon
        Taxonomic group of ``"JASPAR"`` and of motifs that are given by their names; in
        Python also None, for all.
    instances
        Whether instances are drawn as well, which takes twice the predictions.
    at
        0-based start of the widest core, about whose middle the others stand; None: the
        center.
    n_placebos
        Random sequences of each range, 40 or more; none is a core of the list.
    bits
        Least information of the first and last position of a core.
    both_strands
        Whether a motif and its reverse complement are one family.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. As in `causalgia.experiments.kmer_screen`.

    Returns
    -------
    Experiment
        Arms named after their motifs (the first of those that have one core),
        ``"..., drawn instances"``, ``"placebo ..."`` and
        ``"untreated"``; a contrast of each with the last; coordinates ``is_placebo``,
        ``placebo_class`` (the widest of the widths that share a range) and ``core``. Finding ``motifs`` (motif, task):
        ``effect, lower, upper, q, verdict`` of the core, ``drawn, drawn_lower,
        drawn_upper`` of instances (the core's where it is the only one),
        ``range_lower, range_upper`` of random sequences, ``inside``, whether the effect
        lies inside of that range, and ``family``, the motif that leads its family, empty for motifs that are not
        read; coordinates ``core`` and ``width``.

    Raises
    ------
    DesignError
        If there is no motif, two have one name, a core leaves the backgrounds, or there
        are fewer than 40 random sequences or more than exist.
    SequenceError
        If motifs cannot be read, or a motif has no position of `bits`: those of a file
        or of JASPAR that have no core, one narrower than random sequences take, or one
        wider than the background are left out with a warning, which the answer repeats.

    References
    ----------
    Rauluseviciute et al. (2024), doi:10.1093/nar/gkad1059: JASPAR. Benjamini & Hochberg
    (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Efron (2004),
    doi:10.1198/016214504000000089: a null distribution from the center of many
    statistics.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.motif_screen(
    ...     {"RBFOX1": "TGCATG", "RBFOX2": "TTGCATG", "SP1": "GGGCGGG"},
    ...     cg.Uniform(length=41),
    ...     n_units=100,
    ... )
    >>> screen = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> answer = experiment.analyze(screen)
    >>> print(answer.sentences[0])
    Task outcome: 2 of 3 motifs, 1 family, have effects beyond the range of random sequences...
    >>> answer.findings["motifs"]["family"].sel(task="outcome").values.tolist()
    ['RBFOX2', 'RBFOX2', '']
    """
    as_null_model(null)
    chosen = named_motifs(motifs, taxon=taxon, error=DesignError)
    of_database = isinstance(motifs, str | PathLike)
    cores, left_out = _cores(chosen, bits, null.length, leave_out=of_database)
    width = max(map(len, cores.values()))
    widest = max(cores, key=lambda name: len(cores[name]))
    start = start_of_widest(
        null,
        at,
        width,
        f"motif {quoted(widest)}: its core of {width} bases",
        "leave the motif out",
    )
    n_placebos = as_count(n_placebos, "n_placebos")
    narrowest = min(cores, key=lambda name: len(cores[name]))
    if (n_strings := 4 ** len(cores[narrowest])) < LEAST_PLACEBOS:
        raise DesignError(
            f"motif {quoted(narrowest)}: its core of {len(cores[narrowest])} bases is "
            f"compared with {LEAST_PLACEBOS} random sequences of its width, and there "
            f"are {n_strings}; leave the motif out"
        )
    arms, classes = list[Arm](), dict[str, int]()
    spelled = {name: core.consensus for name, core in cores.items()}
    first = dict[str, str]()  # motifs of one core share its arm
    drawn = dict[Any, str]()
    for name, core in cores.items():
        place = start + (width - len(core)) // 2
        if first.setdefault(spelled[name], name) == name:
            arms.append(Arm(name, Embed(spelled[name], at=place)))
            classes[name] = len(core)
        # a string has one instance
        varies = np.max(core.probabilities, axis=1).min() < 1
        if instances and varies and core.probabilities not in drawn:
            drawn[core.probabilities] = name + INSTANCES
            arms.append(Arm(name + INSTANCES, Embed(core, at=place)))
            classes[name + INSTANCES] = len(core)
    for widths in width_classes(map(len, cores.values())):
        for rank, wide in enumerate(reversed(widths)):
            same = [x for x in spelled.values() if len(x) == wide]
            others = [*same, *map(reverse_complement_iupac, same)]
            words = random_placebos(wide, n_placebos, "ACGT", other_than=others)
            for word in words[: len(range(rank, n_placebos, len(widths)))]:
                place = start + (width - wide) // 2
                arms.append(Arm(PLACEBO + word, FixedPlacebo(word, at=place)))
                classes[PLACEBO + word] = wide
        classes |= {
            name: widths[-1] for name, wide in classes.items() if wide in widths
        }
    return screen_of_arms(
        null,
        arms,
        n_units=n_units,
        rope=rope,
        entry=replace(
            MOTIF_SCREEN,
            read=partial(
                _read_motif_screen,
                cores=cores,
                arms=_ArmsOfMotifs(
                    [first[spelled[name]] for name in cores],
                    [
                        drawn.get(core.probabilities, first[spelled[name]])
                        for name, core in cores.items()
                    ],
                ),
                both_strands=both_strands,
                left_out=left_out,
            ),
        ),
        placebo_class=classes,
        core={name: spelled.get(name.removesuffix(INSTANCES), "") for name in classes},
    )


def _cores(
    motifs: Mapping[str, Motif], bits: float, length: int, *, leave_out: bool
) -> tuple[dict[str, Motif], str]:
    """Return the core of each motif, and a sentence on those of a database that cannot be
    compared, which are left out: without a core, narrower than a random sequence needs,
    or wider than the background.

    Raises
    ------
    SequenceError
        If a motif has no core, and either is not of a database or no other is left.
    """
    cores, flaws = dict[str, Motif](), dict[str, str]()
    errors = list[CausalgiaError]()
    for name, one in motifs.items():
        try:
            cores[name] = core = motif_core(one, bits=bits)
        except SequenceError as error:
            errors.append(SequenceError(f"motif {quoted(name)}: {error}"))
            flaws[name] = f"no position of {bits:g} bits"
        else:
            if 4 ** len(core) < LEAST_PLACEBOS or len(core) > length:
                flaws[name] = f"a core of {len(core)} bases"
    used = {name: core for name, core in cores.items() if name not in flaws}
    if errors and not (leave_out and used):
        raise errors[0]
    if not leave_out or not flaws or not used:
        return cores, ""
    each = (f"{quoted(name)} ({why})" for name, why in flaws.items())
    n = len(flaws)
    account = (
        f"{n:,} of {len(motifs):,} motifs {'is' if n == 1 else 'are'} left out: "
        f"{first_of(each, 3)}"
    )
    warnings.warn(CausalgiaWarning(account), stacklevel=caller_stacklevel())
    return used, f"{account}."


class _ArmsOfMotifs(NamedTuple):
    """The arm of each motif's core, and that of its instances."""

    core: list[str]
    drawn: list[str]


def _read_motif_screen(
    found: TrialResults,
    *,
    cores: Mapping[str, Motif],
    arms: _ArmsOfMotifs,
    both_strands: bool,
    left_out: str,
) -> Finding:
    """Return a row for each motif, and a sentence for each task."""
    import xarray as xr

    decisions = found.steps.decisions
    names = list(cores)
    own = decisions.sel(contrast=arms.core).assign_coords(contrast=names)
    columns = {
        "effect": own["ace"],
        **{name: own[name] for name in ("lower", "upper", "q", "verdict")},
        "range_lower": own["rope_lower"],
        "range_upper": own["rope_upper"],
    }
    if arms.drawn != arms.core:
        of = decisions.sel(contrast=arms.drawn).assign_coords(contrast=names)
        columns |= {"drawn": of["ace"], "drawn_lower": of["lower"]}
        columns["drawn_upper"] = of["upper"]
    table = xr.Dataset(
        {
            name: column.reset_coords(drop=True).assign_coords(contrast=names)
            for name, column in columns.items()
        }
    )
    inside = (table["effect"] >= table["range_lower"]) & (
        table["effect"] <= table["range_upper"]
    )
    table = table.assign(inside=inside)
    table = table.assign(family=_families(table, cores, both_strands=both_strands))
    table = table.rename(contrast="motif").assign_coords(
        core=("motif", [core.consensus for core in cores.values()]),
        width=("motif", [len(core) for core in cores.values()]),
    )
    n_random = int(decisions["is_placebo"].to_numpy().sum())
    sentences, details = list[str](), list[str]()
    both = zip(
        rows_by_task(decisions),
        rows_by_task(table.rename(motif="contrast", effect="ace")),
        strict=True,
    )
    for (begins, rows), (_, part) in both:
        sentences.append(Said(_sentence(part, rows), *begins))
        details.append(Said(_details(part, rows, n_random), *begins))
    if left_out:
        sentences.append(left_out)
    return Finding(
        datasets={
            "motifs": table.assign_attrs(
                estimand=MOTIF_SCREEN.estimand, scale=about(decisions, "").scale
            )
        },
        sentences=tuple(sentences),
        details=tuple(details),
    )


def _families(
    table: xr.Dataset, cores: Mapping[str, Motif], *, both_strands: bool
) -> xr.DataArray:
    """Return the leader of each motif's family, by task: motifs of one sign that are
    read.
    """
    effect, verdict = table["effect"], table["verdict"]
    family = verdict.copy(data=np.full(verdict.shape, "", dtype=object))
    names = list(cores)
    flat = effect.transpose("contrast", ...)
    values = flat.to_numpy().reshape(len(names), -1)
    read = np.isin(
        verdict.transpose("contrast", ...).to_numpy().reshape(values.shape), DIRECTIONS
    )
    leaders = np.full(values.shape, "", dtype=object)
    for column in range(values.shape[1]):
        for sign in (1, -1):
            rows = np.flatnonzero(read[:, column] & (sign * values[:, column] > 0))
            rows = rows[np.argsort(-np.abs(values[rows, column]), kind="stable")]
            led = motif_families(
                [cores[names[i]] for i in rows], both_strands=both_strands
            )
            for i, k in zip(rows, led, strict=True):
                leaders[i, column] = names[rows[k]]
    shaped = leaders.astype(str).reshape(flat.shape)
    return family.transpose("contrast", ...).copy(data=shaped)


def _sentence(rows: xr.Dataset, decisions: xr.Dataset) -> str:
    """Return how many motifs and families are read, and the largest of these."""
    directed = np.isin(rows["verdict"].to_numpy(), DIRECTIONS)
    n, of = int(directed.sum()), f"{len(directed):,} motifs"
    beyond = _region_in_words(decisions, " of about their width")
    order = np.argsort(-np.abs(rows["ace"].to_numpy()), kind="stable")
    if not n:
        row = rows.isel(contrast=int(order[0]))
        where = "inside it" if row["inside"] else "beyond it, but undecided"
        return (
            f"none of {of} has an effect beyond {beyond}; the largest is "
            f"{_motif_in_words(row)}, {where}."
        )
    leaders = rows["family"].to_numpy()
    first = [int(i) for i in order if directed[i] and _leads(rows, int(i))]
    families = f"{len(first):,} famil{'y' if len(first) == 1 else 'ies'}"
    named = in_list(
        [
            _motif_in_words(
                rows.isel(contrast=i),
                others=int((leaders == leaders[i]).sum()) - 1,
            )
            for i in first[:_MOTIFS_IN_ANSWER]
        ]
    )
    have = "has an effect" if n == 1 else "have effects"
    largest = "" if len(first) <= _MOTIFS_IN_ANSWER else "the largest "
    return f"{n:,} of {of}, {families}, {have} beyond {beyond}: {largest}{named}."


def _region_in_words(decisions: xr.Dataset, width: str = "") -> str:
    """Return what effects are compared with: random sequences, or given limits."""
    from causalgia.tell.verdict_sentences import region_in_words

    if about(decisions).rope_kind in PLACEBO_ROPES:
        return f"the range of random sequences{width}"
    return region_in_words(decisions)


def _leads(rows: xr.Dataset, i: int) -> bool:
    return bool(rows["family"].to_numpy()[i] == rows["contrast"].to_numpy()[i])


def _motif_in_words(row: xr.Dataset, *, others: int = 0) -> str:
    """Return a motif with its core, its effect, that of drawn instances, and the size
    of its family.
    """
    name = cut_middle(str(row["contrast"].item()))
    core = str(row["core"].item())
    parts = [effect_in_words(row)]
    if "drawn" in row:
        parts.append(f"drawn instances {row['drawn'].item():+.3g}")
    if others:
        parts.append(f"{others:,} more motif{'s' * (others != 1)} of its family")
    return f"{name}{'' if core == name else f' {core}'} ({'; '.join(parts)})"


def _details(rows: xr.Dataset, decisions: xr.Dataset, n_random: int) -> str:
    """Return the families with their members, the range of random sequences, and how
    many motifs lie inside it.
    """
    verdict, ace = rows["verdict"].to_numpy(), rows["ace"].to_numpy()
    names, leaders = rows["contrast"].to_numpy(), rows["family"].to_numpy()
    directed = np.isin(verdict, DIRECTIONS)
    order = np.argsort(-np.abs(ace), kind="stable")
    first = [int(i) for i in order if directed[i] and _leads(rows, int(i))]
    texts = [
        _family_in_words(i, names, leaders, order) for i in first[:_FAMILIES_NAMED]
    ]
    low, high = rows["range_lower"].to_numpy(), rows["range_upper"].to_numpy()
    inside = rows["inside"].to_numpy()
    placebo = decisions["is_placebo"].to_numpy()
    out = np.isin(decisions["verdict"].to_numpy()[placebo], DIRECTIONS).sum()
    named = first_of(texts, _FAMILIES_NAMED, sep="; ", n=len(first))
    families = f"families: {named}" if texts else "no family"
    n_in, n_out = int(inside.sum()), int(out)
    n_left = int((~inside & ~directed).sum())
    of_random = about(decisions).rope_kind in PLACEBO_ROPES
    ends = f"between {low.min():.3g} and {high.max():.3g} by their width; "
    return (
        f"{families}. {n_in:,} motif{' lies' if n_in == 1 else 's lie'} inside of "
        f"{_region_in_words(decisions)} ({n_random:,} "
        + ("in all, " + ends if of_random else "random sequences; ")
        + f"{n_out:,} of them pass{'es' * (n_out == 1)} the same threshold), "
        f"{n_left:,} beyond it {'is' if n_left == 1 else 'are'} undecided."
    )


def _family_in_words(
    i: int,
    names: NDArray[Any],
    leaders: NDArray[Any],
    order: NDArray[np.int64],
) -> str:
    members = [str(names[k]) for k in order if leaders[k] == names[i] and k != i]
    shown = first_of(map(cut_middle, members), _MEMBERS_NAMED)
    return f"{cut_middle(str(names[i]))}{shown and f' with {shown}'}"


MOTIF_SCREEN = Entry(
    name="motif_screen",
    question="Which known motifs does the network read?",
    estimand=(
        "E[Y(core at a place) - Y(untreated)] of each motif, over the null model, "
        "against random sequences of about its width."
    ),
    doi="10.1093/nar/gkad1059",
    read=_read_motif_screen,  # type: ignore[arg-type]  # with the cores of the screen
    draw=draw_kmer_screen,
    zoo="gata1_like",
    claims="screening",
)
