"""A trial as a file: `trial.toml` in, a frozen `TrialSpec` out, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from causalgia.analysis import Analysis
from causalgia.checks import Table, check_table, require
from causalgia.design import Arm, Design, null_from_dict, placebos
from causalgia.design.intervention import Intervention
from causalgia.design.patterns import pattern_from_plain
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.inputs import parse_toml, read_text
from causalgia.trial.attributes import analysis_json
from causalgia.trial.setup import check_analysis
from causalgia.trial_file.allowed_keys import PLACEBOS, PREDICTOR, TOP, check_arm, check_null
from causalgia.trial_file.experiment_table import ExperimentSpec, analysis_said, read_experiment
from causalgia.trial_file.library_table import LibrarySpec, library_options, mpra_said
from causalgia.trial_file.predictor_table import PredictorSpec


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """A trial as it is written in a `trial.toml`: design, predictor, seed and analysis, one frozen value.

    Parameters
    ----------
    name
        What the trial is called.
    design
        What is done to which units.
    rng
        Seed.
    predictor
        Which predictor is asked.
    analysis
        What will be asked of the outcomes.
    experiment
        What the file said of it, where the design is an experiment of the catalogue; None where arms were written.
    mpra
        What the file says of the design as an oligo library (`causalgia.mpra.library`); {} where it says nothing.

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
    >>> TrialSpec(name="GATA", design=design, rng=0, predictor=PredictorSpec(zoo="gata1_like"), analysis=ask)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [analysis]: control = 'none', which is not an arm; the arms are 'untreated', 'GATA'
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

    @property
    def attrs(self) -> dict[str, str]:
        """What the outcomes carry of the specification: its name, the predictor in words, the analysis as JSON."""
        asked = analysis_json(self.analysis, self.design)
        return {"name": self.name, "predictor": self.predictor.describe(), "analysis": asked}

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as TOML-ready data; placebo words stand among the arms, paths are absolute."""
        bench = {"mpra": self.mpra} if self.mpra else {}
        if self.experiment is not None:
            who = {"name": self.name, "rng": self.rng, "predictor": self.predictor.to_dict()}
            return {**who, **self.experiment.to_dict(), **bench}
        design = self.design.to_dict()
        null, arms = design.pop("null"), design.pop("arms")
        plain = {"name": self.name, **design, "rng": self.rng, "null": null, "predictor": self.predictor.to_dict()}
        analysis = self.analysis.to_dict()
        return {**plain, "arms": arms, **({"analysis": analysis} if analysis else {}), **bench}

    def to_toml(self) -> str:
        """Return the specification as TOML text that `read_spec` reads back from any folder."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())


def read_spec(path: str | Path) -> TrialSpec:
    r"""Read a `trial.toml`, strictly: what is not understood is refused, with the nearest key that is.

    Files that it names (a FASTA, a factory, weights, motifs) are looked for relative to its folder.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DesignError
        If the file cannot be read, is not TOML (with the line), has an unknown key, a value of the wrong type, an
        arm that does not fit, or an analysis of an arm that is not there. The message begins with the path.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trial.toml"
    >>> _ = path.write_text('n_units = 10\nrgn = 0')
    >>> read_spec(path)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: ...trial.toml: there is no key 'rgn' at the top; did you mean 'rng'?
    """
    return parse_spec(_read_text(Path(path)), folder=Path(path).resolve().parent, source=str(path))


def parse_spec(text: str, *, folder: Path, source: str = "trial.toml") -> TrialSpec:
    """Return the trial that a TOML text says; `folder` is where its files are looked for.

    Raises
    ------
    DesignError
        As `read_spec`; the message begins with `source`.
    """
    plain = _toml(text, source)
    try:
        return _spec(plain, folder)
    except CausalgiaError as error:
        raise DesignError(f"{source}: {error}") from error


def read_analysis(path: str | Path, *, kept: Analysis | None = None) -> Analysis:
    """Read only the analysis of a `trial.toml`: no sequence, network or arm is looked at.

    Parameters
    ----------
    path
        The file.
    kept
        The analysis that was kept with the outcomes: where the file is of an experiment, what it leaves out.

    Raises
    ------
    DesignError
        If the file cannot be read, is not TOML, or its [analysis] is not understood.
    """
    plain = _toml(_read_text(Path(path)), str(path))
    own = kept.to_dict() if kept is not None and "experiment" in plain else {}
    try:
        return Analysis.from_dict({**own, **analysis_said(plain)} if own else plain.get("analysis", {}))
    except CausalgiaError as error:
        raise DesignError(f"{path}: {error}") from error


def is_of_experiment(path: str | Path) -> bool:
    """Return whether a `trial.toml` is of an experiment of the catalogue.

    Raises
    ------
    DesignError
        If the file cannot be read, or is not TOML.
    """
    return "experiment" in _toml(_read_text(Path(path)), str(path))


def _toml(text: str, source: str) -> Table:
    return parse_toml(text, DesignError, source=source)


def _read_text(path: Path) -> str:
    try:
        return read_text(path, DesignError)
    except DesignError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise DesignError(f"{path}: no such file; `causalgia init {path}` writes one to begin with") from error
        raise


def _spec(plain: Table, folder: Path) -> TrialSpec:
    table = check_table(plain, "", TOP)
    for key in ("rng", "predictor"):
        require(table, key, "a trial")
    design, analysis, experiment = _design(table, folder)
    return TrialSpec(
        name=table.get("name", "trial"),
        rng=table["rng"],
        predictor=_predictor(table["predictor"], folder),
        design=design,
        analysis=analysis,
        experiment=experiment,
        mpra=mpra_said(table, folder),
    )


def _design(table: Table, folder: Path) -> tuple[Design, Analysis, ExperimentSpec | None]:
    if "experiment" in table:
        null = _null(table["null"], folder) if "null" in table else None
        experiment = read_experiment(table, null, folder)
        built = experiment.build()
        return built, built.analysis, experiment
    for key in ("n_units", "null", "arms"):
        require(table, key, "a trial")
    rest = {key: table[key] for key in ("assignment", "blocks", "reserve", "contrasts") if key in table}
    analysis = Analysis.from_dict(table.get("analysis", {}))
    design = Design(null=_null(table["null"], folder), arms=_arms(table, folder), n_units=table["n_units"], **rest)
    return design, analysis, None


def read_library_spec(path: str | Path) -> LibrarySpec:
    r"""Read a `trial.toml` as a library: its design and its ``[mpra]`` table; it needs no predictor.

    Raises
    ------
    DesignError
        As `read_spec`; or if there is no ``[mpra]`` table, or it is not understood.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trial.toml"
    >>> _ = path.write_text('rng = 0\n[mpra]\noligo_length = 230')
    >>> read_library_spec(path)
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: ...trial.toml: [mpra] needs 'adapters'; it has oligo_length
    """
    plain, folder = _toml(_read_text(Path(path)), str(path)), Path(path).resolve().parent
    try:
        table = check_table(plain, "", TOP)
        options = library_options(table.get("mpra"), folder)
        require(table, "rng", "a trial")
        design, analysis, _ = _design(table, folder)
        check_analysis(analysis, design)
    except CausalgiaError as error:
        raise DesignError(f"{path}: {error}") from error
    return LibrarySpec(
        name=table.get("name", "trial"), design=design, rng=table["rng"], analysis=analysis, options=options
    )


def _null(plain: Table, folder: Path) -> Any:
    check_null(plain)
    of = plain.get("of")
    if not isinstance(of, str):
        return null_from_dict(plain)
    letters = re.fullmatch(r"[A-Za-z]+", of) is not None and not (folder / of).exists()
    return null_from_dict(plain if letters else {**plain, "of": str(folder / of)})


def _arms(table: Table, folder: Path) -> list[Arm]:
    arms = [_arm(name, plain, folder) for name, plain in table["arms"].items()]
    return arms + [Arm(name, word) for name, word in _placebos(table.get("placebos"), folder).items()]


def _arm(name: str, plain: object, folder: Path) -> Arm:
    return Arm.from_dict(name, _located(check_arm(plain, f"[arms.{name}]"), folder))


def _placebos(plain: object, folder: Path) -> dict[str, Intervention]:
    if plain is None:
        return {}
    table = _located(check_table(plain, "[placebos]", PLACEBOS), folder)
    for key in ("of", "at", "n"):
        require(table, key, "[placebos]")
    try:
        return placebos(pattern_from_plain(table["of"]), at=table["at"], n=table["n"], strand=table.get("strand", "+"))
    except DesignError as error:
        raise DesignError(f"[placebos]: {error}") from error


def _predictor(plain: object, folder: Path) -> PredictorSpec:
    table = check_table(plain, "[predictor]", PREDICTOR)
    if ("zoo" in table) == ("factory" in table):
        raise DesignError('[predictor]: say either zoo = "..." or factory = "my_net.py:load"')
    for key in table:
        if "zoo" in table and key not in ("zoo", "device"):
            raise DesignError(
                f"[predictor]: {quoted(key)} is for a factory; a predictor of the zoo needs only its name"
            )
    if "tasks" in table:
        table["tasks"] = tuple(table["tasks"])
    if "factory" in table:
        table["factory"] = _factory(table["factory"], folder)
    if "weights" in table:
        table["weights"] = _existing(table["weights"], folder, "weights")
    return PredictorSpec(**table)


def _factory(text: str, folder: Path) -> str:
    if text.endswith(".onnx"):
        return _existing(text, folder, "factory")
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise DesignError(
            f"[predictor]: factory = {quoted(text)} must be a file and a function, such as 'my_net.py:load', or "
            "'net.onnx'"
        )
    return f"{_existing(file, folder, 'factory')}:{name}"


def _existing(file: str, folder: Path, key: str) -> str:
    path = folder / file
    if not path.is_file():
        raise DesignError(f"[predictor]: {key} = {quoted(file)}: no such file in {path.parent}; correct the path")
    return str(path)


def _located(plain: Any, folder: Path) -> Any:
    """Return plain data in which the file of every motif is an absolute path."""
    if isinstance(plain, list):
        return [_located(item, folder) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {"file", "motif"} and isinstance(plain["file"], str):
        return {**plain, "file": str(folder / plain["file"])}
    return {key: _located(value, folder) for key, value in plain.items()}
