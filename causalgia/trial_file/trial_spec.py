"""Specification of a trial, read from and written to `trial.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from causalgia.analysis import Analysis
from causalgia.arguments import PREDICTOR, TOP
from causalgia.checks import Table, as_names, check_key, check_table
from causalgia.design import Arm, Design, MatchedVariants, NullModel, placebos
from causalgia.design.arms import null_from_dict
from causalgia.design.patterns import pattern_from_plain
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.experiments import Experiment
from causalgia.inputs import parse_toml, read_text
from causalgia.sequences import read_fasta
from causalgia.trial.attributes import (
    analysis_json,
    check_analysis,
    check_matched_region,
)
from causalgia.trial_file.trial_tables import (
    ExperimentSpec,
    LibrarySpec,
    check_tables,
    is_file_table,
    library_options,
    place_of,
    read_experiment,
    sequences_of_file,
    with_absolute_paths,
)


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """Specification of a trial, as in a `trial.toml`: design, predictor, seed and
    analysis.

    Parameters
    ----------
    name
        Name of the trial.
    design
        Design of the trial.
    rng
        Seed, a whole number.
    predictor
        Specification of the predictor.
    analysis
        Analysis plan.
    experiment
        The experiment of the catalogue, if the design is one; None if the file defines
        arms.
    mpra
        The ``[mpra]`` table with options of `causalgia.mpra.library`; {} if there is
        none.

    Raises
    ------
    DesignError
        If the analysis names an arm, a factor or a coordinate that the design lacks.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=50),
    ...     arms={"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)},
    ...     n_units=100,
    ... )
    >>> ask = cg.Analysis(control="none")
    >>> TrialSpec(
    ...     name="GATA",
    ...     design=design,
    ...     rng=0,
    ...     predictor=PredictorSpec(zoo="gata1_like"),
    ...     analysis=ask,
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: Analysis: control: 'none', which is not an arm; the arms are 'untreated', 'GATA'
    """

    name: str
    design: Design
    rng: int
    predictor: PredictorSpec
    analysis: Analysis = field(default_factory=Analysis)
    experiment: ExperimentSpec | None = None
    mpra: Table = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_analysis(self.analysis, self.design)
        check_matched_region(self.analysis, self.design)

    @property
    def attrs(self) -> dict[str, str]:
        """Attributes of the outcomes: name, description of the predictor, analysis as
        JSON.
        """
        analysis = analysis_json(self.analysis, self.design)
        return {
            "name": self.name,
            "predictor": self.predictor.describe(),
            "analysis": analysis,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as TOML-ready data, with placebos as arms and
        absolute paths.
        """
        bench = {"mpra": self.mpra} if self.mpra else {}
        if self.experiment is not None:
            who = {
                "name": self.name,
                "rng": self.rng,
                "predictor": self.predictor.to_dict(),
            }
            return {**who, **self.experiment.to_dict(), **bench}
        design = self.design.to_dict()
        null, arms = design.pop("null"), design.pop("arms")
        plain = {
            "name": self.name,
            **design,
            "rng": self.rng,
            "null": null,
            "predictor": self.predictor.to_dict(),
        }
        analysis = self.analysis.to_dict()
        return {
            **plain,
            "arms": arms,
            **({"analysis": analysis} if analysis else {}),
            **bench,
        }

    def to_toml(self) -> str:
        """Return the specification as TOML text that `read_spec` reads back from any
        folder.
        """
        import tomli_w

        return tomli_w.dumps(self.to_dict())


def read_spec(path: str | Path) -> TrialSpec:
    r"""Read a `trial.toml`; unknown keys raise an error that suggests the nearest one.

    Paths in the file (FASTA, factory, weights, motifs) are relative to its folder.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DesignError
        If the file cannot be read, is not TOML (with the line), has an unknown key, a
        value of the wrong type, an arm that does not fit, or an analysis of an unknown
        arm. The message begins with the path.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trial.toml"
    >>> _ = path.write_text("n_units = 10\nrgn = 0")
    >>> read_spec(path)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: ...trial.toml: the top has no key 'rgn'; did you mean 'rng'?
    """
    text = read_text(path, DesignError)
    return parse_spec(text, folder=Path(path).resolve().parent, source=str(path))


def parse_spec(text: str, *, folder: Path, source: str = "trial.toml") -> TrialSpec:
    """Return the trial in a TOML text; paths in it are relative to `folder`.

    Raises
    ------
    DesignError
        As `read_spec`; the message begins with `source`.
    """
    plain = parse_toml(text, DesignError, source=source)
    try:
        check_tables(plain)
        for key in ("rng", "predictor"):
            check_key(plain, key, "a trial", TOP)
        table = with_absolute_paths(plain, folder)
        design, analysis, experiment = _build_design(table)
        return TrialSpec(
            name=table.get("name", "trial"),
            rng=table["rng"],
            predictor=_read_predictor(table["predictor"], folder),
            design=design,
            analysis=analysis,
            experiment=experiment,
            mpra=table.get("mpra", {}),
        )
    except CausalgiaError as error:
        raise DesignError(f"{source}: {error}") from error


def _build_design(table: Table) -> tuple[Design, Analysis, ExperimentSpec | None]:
    """Return the design and the analysis of a checked file with absolute paths, and its
    experiment if it has one.
    """
    if "experiment" in table:
        experiment = read_experiment(table, _read_null_of_experiment(table))
        built = experiment.build()
        return built, built.analysis, experiment
    for key in ("n_units", "null", "arms"):
        check_key(table, key, "a trial", TOP)
    rest = {
        key: table[key]
        for key in ("assignment", "blocks", "reserve", "contrasts")
        if key in table
    }
    analysis = Analysis.from_dict(table.get("analysis", {}))
    null = _read_null(table["null"], table.get("rng", 0))
    arms = [Arm.from_dict(name, arm) for name, arm in table["arms"].items()]
    if "placebos" in table:
        given = table["placebos"]
        try:
            pattern, strand = pattern_from_plain(given["of"]), given.get("strand", "+")
            made = placebos(
                pattern, at=given["at"], n_placebos=given["n"], strand=strand
            )
        except DesignError as error:
            raise type(error)(f"[placebos]: {error}") from error
        arms += [Arm(name, one) for name, one in made.items()]
    return (
        Design(null=null, arms=arms, n_units=table["n_units"], **rest),
        analysis,
        None,
    )


def _read_null(table: Table, rng: int) -> NullModel:
    with _errors_of_null():
        rest = {name: value for name, value in table.items() if name != "skip"}
        of: Any = rest.get("of")
        skip = table.get("skip")
        if skip is not None and is_file_table(of):
            of = {**of, "skip": skip}
        elif skip is not None:
            of = read_fasta(rest["of"], skip=skip)
        of = sequences_of_file(of, place="[null.of]", rng=rng)
        return null_from_dict(rest if of is None else {**rest, "of": of})


def _read_null_of_experiment(table: Table) -> NullModel | MatchedVariants | None:
    if "null" not in table:
        return None
    if table["null"]["kind"] != MatchedVariants.kind:
        return _read_null(table["null"], table.get("rng", 0))
    with _errors_of_null():
        return MatchedVariants.from_dict(table["null"])


@contextmanager
def _errors_of_null() -> Iterator[None]:
    """Name the table in an error of a null model."""
    try:
        yield
    except CausalgiaError as error:
        raise DesignError(f"[null]: {error}") from error


def read_analysis(path: str | Path, *, stored: Analysis | None = None) -> Analysis:
    """Read only the analysis of a `trial.toml`, without its sequences, predictor and
    arms.

    Parameters
    ----------
    path
        The file.
    stored
        The analysis stored with the outcomes; for a file of an experiment, the
        defaults.

    Raises
    ------
    DesignError
        If the file cannot be read, is not TOML, or its [analysis] is invalid.
    """
    plain = parse_toml(read_text(path, DesignError), DesignError, source=str(path))
    try:
        check_table(plain, "", TOP)
        table = plain.get("analysis", {})
        if stored is not None and "experiment" in plain:
            # an experiment's region of practical equivalence may stand there
            rope = plain["experiment"].get("rope")
            table = {
                **stored.to_dict(),
                **table,
                **({} if rope is None else {"rope": rope}),
            }
        return Analysis.from_dict(table)
    except CausalgiaError as error:
        raise DesignError(f"{path}: {error}") from error


def read_experiment_design(path: str | Path) -> Experiment | None:
    """Return the experiment that a `trial.toml` defines, without its predictor; None if
    the file defines arms.

    Raises
    ------
    DesignError
        As `read_spec`.
    """
    plain = parse_toml(read_text(path, DesignError), DesignError, source=str(path))
    if "experiment" not in plain:
        return None
    try:
        check_tables(plain)
        table = with_absolute_paths(plain, Path(path).resolve().parent)
        return read_experiment(table, _read_null_of_experiment(table)).build()
    except CausalgiaError as error:
        raise DesignError(f"{path}: {error}") from error


def read_library_spec(path: str | Path) -> LibrarySpec:
    r"""Read the design and the ``[mpra]`` table of a `trial.toml`; no predictor is
    needed.

    Raises
    ------
    DesignError
        As `read_spec`; or if the ``[mpra]`` table is absent or invalid.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trial.toml"
    >>> _ = path.write_text("rng = 0\n[mpra]\noligo_length = 230")
    >>> read_library_spec(path)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: ...trial.toml: [mpra] needs 'adapters', a construct such as ...
    """
    plain, folder = (
        parse_toml(read_text(path, DesignError), DesignError, source=str(path)),
        Path(path).resolve().parent,
    )
    try:
        check_tables(plain)
        options = library_options(plain.get("mpra"), folder)
        check_key(plain, "rng", "a trial", TOP)
        design, analysis, _ = _build_design(with_absolute_paths(plain, folder))
        check_analysis(analysis, design)
    except CausalgiaError as error:
        raise DesignError(f"{path}: {error}") from error
    name = plain.get("name", "trial")
    return LibrarySpec(
        name=name, design=design, rng=plain["rng"], analysis=analysis, options=options
    )


def read_predictor_spec(path: str | Path) -> PredictorSpec:
    r"""Read only the table [predictor] of a TOML file: of a `trial.toml`, or a file
    with this table alone.

    Raises
    ------
    DesignError
        If the file cannot be read, is not TOML, has a key that no trial file has, or
        its [predictor] is absent or invalid.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.toml"
    >>> _ = path.write_text('[predictor]\nzoo = "gata1_like"')
    >>> read_predictor_spec(path)
    PredictorSpec(zoo='gata1_like', factory=None, weights=None, alphabet=None, tasks=None, scale=None, ...)
    """
    plain = parse_toml(read_text(path, DesignError), DesignError, source=str(path))
    try:
        check_table(plain, "", TOP)
        check_key(plain, "predictor", "a file for --predictor", TOP)
        return _read_predictor(plain["predictor"], Path(path).resolve().parent)
    except CausalgiaError as error:
        raise DesignError(f"{path}: {error}") from error


def _read_predictor(plain: Table, folder: Path) -> PredictorSpec:
    table = check_table(plain, "[predictor]", PREDICTOR)
    if ("zoo" in table) == ("factory" in table):
        raise DesignError("[predictor]: either zoo or factory must be given")
    for key in table:
        if "zoo" in table and key not in ("zoo", "device"):
            raise DesignError(
                f"[predictor]: {quoted(key)} is for a factory, not for the zoo"
            )
    if "tasks" in table:
        table["tasks"] = as_names(table["tasks"])
    if isinstance(table.get("scale"), list):
        table["scale"] = tuple(table["scale"])
    if "factory" in table:
        text = file = table["factory"]
        if not text.endswith(".onnx"):
            file, colon, name = text.rpartition(":")
            if not colon or not file.endswith(".py") or not name.isidentifier():
                raise DesignError(
                    f"[predictor]: factory = {quoted(text)} must be such as "
                    "'my_net.py:load' or 'net.onnx'"
                )
        table["factory"] = f"{_existing(folder, 'factory', file)}{text[len(file) :]}"
    if isinstance(weights := table.get("weights"), list):
        table["weights"] = tuple(_existing(folder, "weights", file) for file in weights)
    elif weights is not None:
        table["weights"] = _existing(folder, "weights", weights)
    return PredictorSpec(**table)


def _existing(folder: Path, key: str, file: str) -> str:
    path = place_of(folder, file)
    if not path.is_file():
        raise DesignError(
            f"[predictor]: {key} = {quoted(file)}: no such file in {path.parent}"
        )
    return str(path)


@dataclass(frozen=True, kw_only=True)
class PredictorSpec:
    """Specification of a predictor: one of the zoo by name, or a user's factory.

    Parameters
    ----------
    zoo
        Name of a predictor of the zoo.
    factory
        Instead: ``"my_net.py:load"``, a file and a function in it, or ``"net.onnx"``,
        an ONNX file.
    weights
        A file of weights for the network of the factory; several are retrainings of it,
        which make an ensemble.
    alphabet
        The letters of the network's one-hot rows, in order.
    tasks
        A name for each output.
    scale
        Scale of the outputs, or of each task.
    device
        Device, unless overridden on the command line: auto, cpu, cuda (or cuda:1), mps;
        a predictor of the zoo runs on the CPU.
    batch_size
        Sequences per forward pass, or ``"auto"``.

    Raises
    ------
    DesignError
        If the device is unknown, or the predictor cannot run on it.

    Examples
    --------
    >>> PredictorSpec(factory="my_net.py:load", weights="net.safetensors").describe()
    'my_net.py:load with net.safetensors'
    """

    zoo: str | None = None
    factory: str | None = None
    weights: str | tuple[str, ...] | None = None
    alphabet: str | None = None
    tasks: tuple[str, ...] | None = None
    scale: str | Mapping[str, str] | tuple[str, ...] | None = None
    device: str = "auto"
    batch_size: int | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        check_device(
            self.device, zoo=self.zoo is not None, label="[predictor]: device ="
        )

    def to_dict(self) -> dict[str, Any]:
        """Return fields that differ from their defaults as TOML-ready data."""
        pairs = ((field, getattr(self, field.name)) for field in fields(self))
        return {
            f.name: list(v) if isinstance(v, tuple) else v
            for f, v in pairs
            if v != f.default
        }

    def describe(self) -> str:
        """Return a short description of the predictor, without folders."""
        if self.zoo is not None:
            return f"zoo: {self.zoo}"
        weights = (
            (self.weights,) if isinstance(self.weights, str) else self.weights or ()
        )
        names = ", ".join(Path(file).name for file in weights)
        return Path(str(self.factory)).name + (f" with {names}" if names else "")


def check_device(device: str, *, zoo: bool, label: str) -> None:
    """Raise DesignError if a device is unknown, or not the CPU for a predictor of the
    zoo.

    Examples
    --------
    >>> check_device("mps", zoo=True, label="--device")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: --device 'mps': a predictor of the zoo runs on the CPU
    """
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device) is None:
        raise DesignError(
            f"{label} {quoted(device)} must be auto, cpu, cuda, cuda:1 or mps"
        )
    if zoo and device not in ("auto", "cpu"):
        raise DesignError(
            f"{label} {quoted(device)}: a predictor of the zoo runs on the CPU"
        )
