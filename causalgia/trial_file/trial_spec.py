"""Specification of a trial, read from and written to `trial.toml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from causalgia.analysis import Analysis
from causalgia.checks import Table
from causalgia.design import Arm, Design, NullModel, placebos
from causalgia.errors import DesignError
from causalgia.experiments import Experiment
from causalgia.inputs import parse_toml, read_text
from causalgia.trial.attributes import (
    analysis_json,
    check_analysis,
    check_matched_region,
)
from causalgia.trial_file.tables import (
    LibrarySpec,
    Placebos,
    PredictorSpec,
    TrialFile,
    arguments,
    check_device,
    errors_of,
    existing,
    library_options,
    read_null,
)
from causalgia.trial_file.trial_experiment import ExperimentSpec, read_experiment

__all__ = [
    "PredictorSpec",
    "TrialSpec",
    "check_device",
    "parse_spec",
    "read_analysis",
    "read_experiment_design",
    "read_library_spec",
    "read_predictor_spec",
    "read_spec",
]


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
    with errors_of(source):
        file = TrialFile.of(plain, folder)
        rng, predictor = file.need("rng"), file.need("predictor")
        if file.mpra is not None:
            library_options(file.mpra)
        design, analysis, experiment = _built(file)
        return TrialSpec(
            name=file.name,
            rng=rng,
            predictor=PredictorSpec.of(predictor, folder),
            design=design,
            analysis=analysis,
            experiment=experiment,
            mpra=file.mpra or {},
        )


def _built(file: TrialFile) -> tuple[Design, Analysis, ExperimentSpec | None]:
    """Return the design and the analysis of a file, and its experiment if it has one."""
    if file.experiment is not None:
        experiment = read_experiment(file)
        built = experiment.build()
        return built, built.analysis, experiment
    n_units, arms_by_name = file.need("n_units"), file.need("arms")
    analysis = Analysis.from_dict(file.analysis)
    null = read_null(file.need("null"), file.rng or 0)
    if not isinstance(null, NullModel):
        raise DesignError(
            "[null]: matched variants are the null model of [experiment] with kind = "
            '"variants"'
        )
    arms = [Arm.from_dict(name, arm) for name, arm in arms_by_name.items()]
    if file.placebos is not None:
        given = Placebos(**arguments(Placebos, file.placebos, "[placebos]"))
        with errors_of("[placebos]"):
            made = placebos(
                given.of,
                at=given.at,
                n_placebos=given.n,
                strand=given.strand,
            )
        arms += [Arm(name, one) for name, one in made.items()]
    rest = {
        key: value
        for key in ("assignment", "blocks", "reserve", "contrasts")
        if (value := getattr(file, key)) is not None
    }
    design = Design(null=null, arms=arms, n_units=n_units, **rest)
    return design, analysis, None


def _parsed(path: str | Path) -> tuple[Table, Path]:
    """Return the tables of a file and its folder."""
    plain = parse_toml(read_text(path, DesignError), DesignError, source=str(path))
    return plain, Path(path).resolve().parent


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
    plain, folder = _parsed(path)
    with errors_of(str(path)):
        file = TrialFile.of(plain, folder)
        table = file.analysis
        if stored is not None and file.experiment is not None:
            # an experiment's region of practical equivalence may stand there
            rope = file.experiment.get("rope")
            own = {} if rope is None else {"rope": rope}
            table = stored.to_dict() | table | own
        return Analysis.from_dict(table)


def read_experiment_design(path: str | Path) -> Experiment | None:
    """Return the experiment that a `trial.toml` defines, without its predictor; None if
    the file defines arms.

    Raises
    ------
    DesignError
        As `read_spec`.
    """
    plain, folder = _parsed(path)
    if "experiment" not in plain:
        return None
    with errors_of(str(path)):
        return read_experiment(TrialFile.of(plain, folder)).build()


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
    causalgia.errors.DesignError: ...trial.toml: [mpra] needs 'adapters'
    """
    plain, folder = _parsed(path)
    with errors_of(str(path)):
        file = TrialFile.of(plain, folder)
        if file.mpra is None:
            raise DesignError("there is no [mpra] table")
        options = library_options(file.mpra)
        for key in ("positives", "negatives"):
            if key in file.mpra:
                existing(folder, file.mpra[key], f"[mpra]: {key}")
        rng = file.need("rng")
        design, analysis, _ = _built(file)
        check_analysis(analysis, design)
        return LibrarySpec(
            name=file.name,
            design=design,
            rng=rng,
            analysis=analysis,
            options=options,
        )


def has_predictor_alone(path: str | Path) -> bool:
    """Return whether a file has the table [predictor] and nothing else."""
    return set(_parsed(path)[0]) == {"predictor"}


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
    PredictorSpec(zoo='gata1_like', network=None, factory=None, weights=None, ...)
    """
    plain, folder = _parsed(path)
    with errors_of(str(path)):
        file = TrialFile.of(plain, folder)
        if file.predictor is None:
            raise DesignError("a file for --predictor needs [predictor]")
        return PredictorSpec.of(file.predictor, folder)
