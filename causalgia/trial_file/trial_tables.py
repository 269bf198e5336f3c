"""Tables of a `trial.toml`: allowed keys and values, paths, experiment and library."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from inspect import Parameter
from itertools import takewhile
from pathlib import Path
from typing import Any

from causalgia import experiments
from causalgia.analysis import Analysis
from causalgia.arguments import MPRA, PLACEBOS, TOP
from causalgia.checks import (
    NAME,
    Keys,
    Table,
    check_key,
    check_keys,
    check_table,
    is_count,
    is_int64,
    is_not_among,
    is_table,
    nearest,
    one_of,
)
from causalgia.design import Arm, Design, NullModel
from causalgia.design.arms import INTERVENTIONS
from causalgia.design.matched_variants import MatchedVariants
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.experiments import Experiment
from causalgia.experiments.kit.experiment import build, check_experiment_name
from causalgia.experiments.kit.trial import ROPE, Trial
from causalgia.expressions import matched
from causalgia.inputs import is_file
from causalgia.ropes import RopeLike
from causalgia.sequences import read_sequences

FILES = ("positives", "negatives")
#: keys that are fields of an argument of `causalgia.mpra.library`, by the names of the
#: fields
_RULES = ("avoid", "gc", "homopolymer", "repeats", "motifs")
_CONTROLS = ("n_scrambles", "positives", "negatives", "n_duplicates", "n_promoter_only")
_BARCODES = {
    "barcode_length": "length",
    "min_distance": "min_distance",
    "seeds": "seeds",
}


@dataclass(frozen=True, kw_only=True)
class LibrarySpec:
    """Specification of an oligo library in a trial file.

    Parameters
    ----------
    name
        Name of the trial.
    design
        Design of the trial.
    rng
        Seed, a whole number.
    analysis
        Analysis plan.
    options
        The ``[mpra]`` table as arguments of `causalgia.mpra.library`.
    """

    name: str
    design: Design
    rng: int
    analysis: Analysis
    options: dict[str, Any]


def library_options(plain: Table | None, folder: Path) -> dict[str, Any]:
    """Return an ``[mpra]`` table as arguments of `causalgia.mpra.library`, with paths
    relative to `folder`.

    Raises
    ------
    DesignError
        If the table, a required key or a file is absent, a key is unknown, or a value
        is of the wrong type.

    Examples
    --------
    >>> library_options({"oligo_length": 230, "adapters": "lentimpra"}, Path())
    {'oligo_length': 230, 'adapters': 'lentimpra'}
    """
    if plain is None:
        raise DesignError("there is no [mpra] table")
    table = check_table(plain, "[mpra]", MPRA)
    for key in ("oligo_length", "adapters"):
        check_key(table, key, "[mpra]", MPRA)
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
    }
    for key in (key for key in FILES if key in options):
        path = place_of(folder, table[key])
        if not path.is_file():
            raise DesignError(
                f"[mpra]: {key} = {quoted(table[key])}: no such file in {path.parent}"
            )
        options[key] = str(path)
    from causalgia.mpra import BarcodeRules, Controls, OligoRules
    from causalgia.mpra.libraries.constructs import construct

    parts: dict[str, Any] = {}
    if rules := {key: options.pop(key) for key in _RULES if key in options}:
        parts["rules"] = OligoRules(**rules)
    if controls := {key: options.pop(key) for key in _CONTROLS if key in options}:
        parts["controls"] = Controls(**controls)
    if barcodes := {
        field: options.pop(key) for key, field in _BARCODES.items() if key in options
    }:
        length = construct(options["adapters"]).usual_barcode_length
        parts["barcode_rules"] = BarcodeRules(**{"length": length} | barcodes)
    return options | parts


_ENDINGS = re.compile(
    r"\.(fa|fasta|fna|fa\.gz|fasta\.gz|fna\.gz|vcf|vcf\.gz|meme|jaspar|pfm|bed|bed\.gz|txt|npz|npy)$"
)


def check_tables(plain: Table) -> None:
    """Raise DesignError if a trial file has an unknown key or a value of the wrong
    type, in any table but two.

    The table [analysis] is checked when the analysis is made, and [predictor] when the
    predictor is specified, since either may be read without the other tables.
    """
    check_table(plain, "", TOP)
    if "placebos" in plain:
        check_table(plain["placebos"], "[placebos]", PLACEBOS)
        for key in ("of", "at", "n"):
            check_key(plain["placebos"], key, "[placebos]", PLACEBOS)
    if "mpra" in plain:
        check_table(plain["mpra"], "[mpra]", MPRA)
    if "experiment" in plain:
        check_key(plain["experiment"], "kind", "[experiment]")
    if "null" in plain:
        experiment = plain.get("experiment", {}).get("kind")
        if (
            plain["null"].get("kind") == MatchedVariants.kind
            and experiment != "variants"
        ):
            raise DesignError(
                f"[null]: kind = {quoted(MatchedVariants.kind)} needs [experiment] "
                'with kind = "variants"'
            )
        check_null(plain["null"])
    for name, arm in plain.get("arms", {}).items():
        check_arm(arm, f"[arms.{toml_key(name)}]")


def check_null(plain: Table, place: str = "[null]") -> None:
    """Raise DesignError if [null] has an unknown kind or option, or lacks a required
    option.
    """
    check_key(plain, "kind", place)
    kind = plain["kind"]
    kinds: dict[str, type] = dict(NULL_MODELS)
    if place == "[null]":
        kinds[MatchedVariants.kind] = MatchedVariants
    if not isinstance(kind, str) or kind not in kinds:
        raise DesignError(
            f"{place}: kind = {quoted(kind)} "
            f"{is_not_among(str(kind), list(kinds), 'null model')}"
        )
    options = [field for field in fields(kinds[kind]) if field.init]
    names = [option.name for option in options]
    of_file = kind != MatchedVariants.kind and isinstance(plain.get("of"), str)
    known = ["kind", *names, *(["skip"] if of_file else [])]
    check_keys(plain, place, known)
    for option in options:
        if option.default is MISSING:
            check_key(plain, option.name, f"{place} of kind '{kind}'")
    if kind == MatchedVariants.kind and is_table(plain["of"]):
        check_null(plain["of"], "[null.of]")


def toml_key(key: str) -> str:
    """Return a key as written in TOML: quoted unless it is one string.

    Examples
    --------
    >>> toml_key("GATA1"), toml_key("GATA1, core broken")
    ('GATA1', '"GATA1, core broken"')
    """
    return (
        key
        if re.fullmatch(r"[A-Za-z0-9_-]+", key)
        else json.dumps(key, ensure_ascii=False)
    )


def check_arm(plain: object, place: str) -> Table:
    """Return the table of an arm after checking its keys; values are checked when the
    arm is created.
    """
    if not isinstance(plain, dict):
        raise DesignError(f"{place}: {quoted(plain)} is not a table")
    allowed = [*_arm_keys(plain), "levels"]
    check_keys(plain, place, allowed)
    if not isinstance(plain.get("levels", {}), dict):
        raise DesignError(
            f"{place}: levels = {quoted(plain['levels'])} must be a table"
        )
    if "steps" in plain:
        if not isinstance(plain["steps"], list):
            raise DesignError(
                f"{place}: steps = {quoted(plain['steps'])} must be a list of tables"
            )
        for number, step in enumerate(plain["steps"], start=1):
            check_arm(step, f"{place}, step {number}")
    return plain


def _arm_keys(plain: Table) -> list[str]:
    """Return the keys allowed with the intervention of an arm; all interventions if it
    names none.
    """
    verb = next(
        (verb for verb in plain if verb in INTERVENTIONS or verb == "steps"), None
    )
    if verb is None:
        return [*INTERVENTIONS, "steps"]
    if verb == "steps":
        return ["steps"]
    kind = INTERVENTIONS[verb]
    return [
        verb,
        *(
            field.name
            for field in fields(kind)  # type: ignore[arg-type]
            if field.init and field.name != kind.main_field
        ),
    ]


def with_absolute_paths(plain: Table, folder: Path) -> Table:
    """Return a checked trial file with absolute paths, except for those of [predictor].

    Parameters
    ----------
    plain
        The file, after `check_tables`.
    folder
        Folder that relative paths start from.
    """
    found = dict(plain)
    if "null" in plain:
        found["null"] = _with_absolute_source(plain["null"], folder)
    for name in (name for name in ("arms", "placebos") if name in plain):
        found[name] = _with_absolute_motif_files(plain[name], folder)
    if "experiment" in plain:
        settings = plain["experiment"].items()
        found["experiment"] = {
            k: v if k == "kind" else _with_absolute_files(v, folder)
            for k, v in settings
        }
    if "mpra" in plain:
        found["mpra"] = {
            k: str(place_of(folder, v)) if k in FILES else v
            for k, v in plain["mpra"].items()
        }
    return found


def place_of(folder: Path, file: str) -> Path:
    """Return where a file that a trial file names is.

    The trial file in a folder of results has absolute paths, of the machine of the run.
    Where such a path leads nowhere, a file of the same name beside the trial file is
    taken in its place: what a referee was sent. Fingerprints show whether it is the
    same.

    Examples
    --------
    >>> import tempfile
    >>> results = Path(tempfile.mkdtemp())
    >>> place_of(results, "/author/net.py") == Path("/author/net.py")
    True
    >>> _ = (results / "net.py").write_text("")
    >>> place_of(results, "/author/net.py") == results / "net.py"
    True
    """
    path = folder / file
    if Path(file).is_absolute() and not is_file(path):
        beside = folder / path.name
        return beside if is_file(beside) else path
    return path


def _with_absolute_source(null: Table, folder: Path) -> Table:
    """Return the table of a null model with an absolute path of its sequences."""
    of = null.get("of")
    if is_file_table(of):
        return {**null, "of": _with_absolute_files(of, folder)}
    if isinstance(of, dict):
        return {**null, "of": _with_absolute_source(of, folder)}
    if null.get("kind") == MatchedVariants.kind and of in ("genome", "variants"):
        return null
    if isinstance(of, str) and (
        re.fullmatch(r"[A-Za-z]+", of) is None or (folder / of).exists()
    ):
        return {**null, "of": str(place_of(folder, of))}
    return null


_OF_FILE: Keys = {
    "file": NAME,
    "ambiguous": one_of("refuse", "draw", "keep"),
    "rng": (
        lambda value: is_int64(value) and value >= 0,
        "a whole number of at least 0",
    ),
    "genome": NAME,
    "length": (is_count, "a whole number of at least 1"),
    "center": one_of("middle", "summit"),
    "stranded": (lambda value: isinstance(value, bool), "true or false"),
    "key": NAME,
    "layout": one_of("NCL", "NLC"),
    "skip": (
        lambda value: (
            isinstance(value, str)
            or (isinstance(value, list) and all(isinstance(x, str) for x in value))
        ),
        "a reason or a list of reasons",
    ),
}


def is_file_table(value: object) -> bool:
    """Return whether a value is a table that reads sequences of a file: {file = "x.fa",
    ambiguous = "draw"}.
    """
    return isinstance(value, Mapping) and "file" in value and "motif" not in value


def sequences_of_file(value: Any, *, place: str, rng: int) -> Any:
    """Return the sequences of a table {file = "peaks.fa", ambiguous = "draw"}; another
    value as it is.

    Its other keys are arguments of `cg.read_sequences`; letters are drawn by ``rng``,
    by default that of the file.

    Raises
    ------
    DesignError
        If a key is unknown or its value wrong.
    SequenceError
        As `read_sequences`.
    """
    if not is_file_table(value):
        return value
    options = check_table(dict(value), place, _OF_FILE)
    drawn = {"rng": options.pop("rng", rng)} if "ambiguous" in options else {}
    return read_sequences(options.pop("file"), **options, **drawn)


def _with_absolute_motif_files(plain: Any, folder: Path) -> Any:
    """Return plain data with absolute paths of motif files."""
    if isinstance(plain, list):
        return [_with_absolute_motif_files(item, folder) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {"file", "motif"} and isinstance(plain["file"], str):
        return {**plain, "file": str(place_of(folder, plain["file"]))}
    return {
        key: _with_absolute_motif_files(value, folder) for key, value in plain.items()
    }


def _with_absolute_files(value: Any, folder: Path) -> Any:
    """Return a setting with absolute paths for texts that have a known file extension
    or name an existing file.

    Examples
    --------
    >>> _with_absolute_files({"motif": "GATA1", "vcf": "a.vcf.gz"}, Path("/data"))
    {'motif': 'GATA1', 'vcf': '/data/a.vcf.gz'}
    """
    if isinstance(value, dict):
        return {key: _with_absolute_files(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_absolute_files(item, folder) for item in value]
    if not isinstance(value, str) or not value or re.fullmatch(r"[A-Za-z]+", value):
        return value
    return (
        str(place_of(folder, value))
        if _ENDINGS.search(value) or is_file(folder / value)
        else value
    )


_FIXED_KEYS = ("control", "contrasts", "interaction")
_TOP_KEYS = ("n_units", "reserve")
_OWN, _OWN_TABLES = "trial", ("arms", "contrasts")


def own_trial(
    null: NullModel,
    *,
    arms: Mapping[str, Table],
    contrasts: str | Mapping[str, Mapping[str, float]],
    question: str = "",
    estimand: str = "",
    axis: str = "",
    of: str = "",
    asked: Sequence[str] = (),
    labels: Mapping[str, Mapping[str, Any]] | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the `causalgia.experiments.Trial` that ``kind = "trial"`` describes: the
    arms and contrasts of the file, and what its answer is made from.

    Examples
    --------
    >>> from causalgia.design import Uniform
    >>> asked = own_trial(
    ...     Uniform(length=41),
    ...     arms={"site": {"embed": "UGCAUG", "at": 5}, "untreated": {}},
    ...     contrasts="untreated",
    ...     labels={"place": {"site": 5}},
    ...     axis="place",
    ...     n_units=100,
    ... )
    >>> asked.labels
    {'place': {'site': 5}}
    """
    trial = Trial(null, question=question, estimand=estimand, axis=axis, of=of)
    made = [Arm.from_dict(name, arm) for name, arm in arms.items()]
    design = Design(null=null, arms=made, n_units=n_units, contrasts=contrasts)
    for arm in design.named_arms:
        trial.intervention(arm.name, arm.intervention, **arm.factors)
    rows: Mapping[str, Mapping[str, float]] = design.named_contrasts or {}
    labels = labels or {}
    found = {pattern: matched(pattern, rows) for pattern in asked}
    labeled = {name: name in rows for label in labels.values() for name in label}
    for name, known in (*found.items(), *labeled.items()):
        if not known:
            raise DesignError(
                f"[experiment]: no contrast is {quoted(name)}{nearest(name, rows)}"
            )
    chosen = {name for names in found.values() for name in names}
    for name, row in rows.items():
        own = {label: each[name] for label, each in labels.items() if name in each}
        trial.row(name, row, asked=name in chosen, **own)
    return trial.experiment(n_units=n_units, rope=rope)


@dataclass(frozen=True, kw_only=True)
class ExperimentSpec:
    """Specification of an experiment in a trial file.

    Parameters
    ----------
    kind
        Its name in the catalogue.
    settings
        Other keys of ``[experiment]``, with absolute paths.
    null
        Null model in ``[null]``; None for the experiment's default.
    n_units, reserve
        Keys at the top of the file; None if left out.
    analysis
        Keys of ``[analysis]``, which override the experiment's defaults, including the
        region of practical equivalence wherever it is written.

    Examples
    --------
    >>> from causalgia.design import Uniform
    >>> spec = ExperimentSpec(
    ...     kind="copies",
    ...     settings={"motif": "UGCAUG", "at": [4, 12]},
    ...     null=Uniform(length=41),
    ...     analysis={"ci_prob": 0.9},
    ... )
    >>> spec.build().analysis
    Analysis(ci_prob=0.9, rope='0.1 of largest')
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    null: NullModel | MatchedVariants | None = None
    n_units: int | None = None
    reserve: float | None = None
    analysis: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Experiment:
        """Return the experiment, with the analysis of the file overriding its own.

        Raises
        ------
        DesignError
            If there is no such experiment or setting, one is missing or wrong, or the
            analysis asks for contrasts.
        """
        takes = _parameters(self.kind)
        settings = dict(self.settings)
        if self.null is not None:
            settings[_null_parameter(takes)] = self.null
        by_position = [
            name
            for name, parameter in takes.items()
            if parameter.kind is not Parameter.KEYWORD_ONLY
        ]
        leading = takewhile(settings.__contains__, by_position)  # others by name
        arguments = [settings.pop(name) for name in list(leading)]
        if self.n_units is not None:
            settings["n_units"] = self.n_units
        if "rope" in self.analysis and "rope" in takes:
            settings["rope"] = Analysis.from_dict(
                {"rope": self.analysis["rope"]}
            ).region
        settings = {
            key: sequences_of_file(value, place=f"[experiment.{key}]", rng=0)
            for key, value in settings.items()
        }
        arguments = [
            sequences_of_file(value, place="[experiment]", rng=0) for value in arguments
        ]
        try:
            experiment = (
                own_trial(*arguments, **settings)
                if self.kind == _OWN
                else build(self.kind, *arguments, settings=settings)
            )
        except CausalgiaError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise DesignError(
                f"[experiment]: a setting is of the wrong type ({error})"
            ) from error
        if self.reserve is not None:
            experiment = replace(experiment, reserve=self.reserve)
        given = {
            key: value
            for key, value in self.analysis.items()
            if key != "rope" or "rope" not in takes
        }
        if not given:
            return experiment
        return replace(
            experiment,
            analysis=Analysis.from_dict({**experiment.analysis.to_dict(), **given}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as TOML-ready data."""
        top = {
            key: getattr(self, key)
            for key in _TOP_KEYS
            if getattr(self, key) is not None
        }
        null = {} if self.null is None else {"null": self.null.to_dict()}
        tables = {"analysis": dict(self.analysis)} if self.analysis else {}
        own = _OWN_TABLES if self.kind == _OWN else ()
        settings = {k: v for k, v in self.settings.items() if k not in own}
        return {
            **top,
            **null,
            "experiment": {"kind": self.kind, **settings},
            **{key: self.settings[key] for key in own},
            **tables,
        }


def read_experiment(
    table: Table, null: NullModel | MatchedVariants | None
) -> ExperimentSpec:
    """Return the specification of the experiment in a trial file.

    Parameters
    ----------
    table
        The whole file, with checked keys and absolute paths.
    null
        Null model of ``[null]``.

    Raises
    ------
    DesignError
        If the experiment is unknown, lacks a setting, or is combined with keys that it
        does not allow.
    """
    settings = dict(table["experiment"])
    kind = settings.pop("kind")
    takes = _parameters(kind)
    analysis = dict(table.get("analysis", {}))
    _check_other_tables(table, kind, takes, settings, analysis)
    for key in _OWN_TABLES if kind == _OWN else ():
        check_key(table, key, 'a file with kind = "trial"', TOP)
        settings[key] = table[key]
    if "rope" in settings:
        analysis["rope"] = settings.pop("rope")
    _check_settings(kind, takes, settings, null)
    top = {key: table[key] for key in _TOP_KEYS if key in table}
    return ExperimentSpec(
        kind=kind, settings=settings, null=null, analysis=analysis, **top
    )


def experiment_parameters(kind: object) -> dict[str, Parameter]:
    """Return the parameters of an experiment by name, the positional one first.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.

    Examples
    --------
    >>> list(experiment_parameters("copies"))
    ['null', 'motif', 'at', 'control', 'n_units', 'rope']
    """
    check_experiment_name(kind)
    return dict(inspect.signature(getattr(experiments, str(kind))).parameters)


def _parameters(kind: object) -> dict[str, Parameter]:
    if kind == _OWN:
        return dict(inspect.signature(own_trial).parameters)
    return experiment_parameters(kind)


def _check_other_tables(
    table: Table,
    kind: str,
    takes: Mapping[str, Parameter],
    settings: Table,
    analysis: Table,
) -> None:
    others = ("placebos", "blocks") + (() if kind == _OWN else _OWN_TABLES)
    for key in others:
        if key in table:
            raise DesignError(
                f"[experiment] makes its own arms and contrasts, and {key} is given"
            )
    if table.get("assignment", "crossover") != "crossover":
        raise DesignError(
            f"experiment '{kind}' gives every unit every arm, and takes no assignment"
        )
    for key in _FIXED_KEYS:
        if key in analysis:
            raise DesignError(
                f"[analysis]: {key} is not for an experiment, whose contrasts are its "
                "own"
            )
    for key in ("null", "rng", *_TOP_KEYS, *_OWN_TABLES):
        if key in settings:
            raise DesignError(
                f"[experiment]: {key} belongs "
                f"{'in [null]' if key == 'null' else 'at the top of the file'}"
            )
    if "rope" in settings and settings["rope"] != analysis.get(
        "rope", settings["rope"]
    ):
        raise DesignError("rope is in [experiment] and another one is in [analysis]")
    if "n_units" in table and "n_units" not in takes:
        raise DesignError(f"n_units: experiment '{kind}' takes the units given")
    if table.get("n_units", 2) < 2:
        raise DesignError(
            f"n_units = {table['n_units']}: standard errors take 2 units or more"
        )


def _check_settings(
    kind: str,
    takes: Mapping[str, Parameter],
    settings: Table,
    null: NullModel | MatchedVariants | None,
) -> None:
    standing_in = _null_parameter(takes)
    if null is not None and standing_in in settings:
        raise DesignError(
            f"[experiment]: {standing_in} and [null] are both given; keep one of them"
        )
    for key in settings:
        if key not in takes:
            known = [name for name in takes if name not in ("null", "n_units")]
            raise DesignError(
                f"experiment '{kind}' has no {quoted(key)}"
                f"{nearest(key, known, cutoff=0.6)}"
            )
    for name, parameter in takes.items():
        given = name in settings or (name == standing_in and null is not None)
        if parameter.default is Parameter.empty and not given:
            where = "a table [null]" if name == "null" else f"'{name}' in [experiment]"
            raise DesignError(f"experiment '{kind}' needs {where}")


def _null_parameter(takes: Mapping[str, Parameter]) -> str:
    """Return the parameter set by `[null]`: the null model, or the sequences of an
    experiment without one.
    """
    return "null" if "null" in takes else next(iter(takes))
