"""The command line: a thin skin over the public verbs. The body of a command is read, one verb, print."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

import causalgia
from causalgia.errors import CausalgiaError, CausalgiaWarning, DesignError, OutcomesError

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.predict import Predictor
    from causalgia.reporting import Rows
    from causalgia.trial.spec import AnalysisSpec, TrialSpec

_OUTCOMES, _ESTIMATES, _SPEC, _FOREST = "outcomes.nc", "estimates.nc", "trial.toml", "forest.png"
_DEMO = "demo"


class _OneLine(TyperGroup):
    """Commands whose errors are one line with the cure: exit code 2, or 130 when interrupted; never a traceback."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        del standalone_mode
        try:
            with _warnings_as_lines():
                code = super().main(*args, **{**extra, "standalone_mode": False}) or 0
        except CausalgiaError as error:
            code = _fail(str(error), 2)
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            code = _fail(_usage(error), 2)
        if code == 130:
            _fail("interrupted", 130)
        sys.exit(code)


def _fail(message: str, code: int) -> int:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    return code


def _usage(error: Any) -> str:
    """Return what the parser says of a wrong command line, and where help is."""
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "causalgia"
    return f"{str(error.format_message()).rstrip('.')}; see `{path} --help`"


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    def show(message: Warning | str, *where: object, **more: object) -> None:
        del where, more
        typer.echo(f"warning: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", CausalgiaWarning)
        warnings.showwarning = show
        yield


app = typer.Typer(
    cls=_OneLine,
    name="causalgia",
    add_completion=False,
    no_args_is_help=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"causalgia {causalgia.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    ctx: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Randomized experiments on sequence-to-activity networks, with standard errors.

    A first look, without any file:

        causalgia demo

    A trial of your own (trial.toml runs as it is, and says what to change):

        causalgia init

        causalgia run trial.toml --out results

        causalgia estimate results

        causalgia show results
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `causalgia run` wrote.")]
_Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made where it is missing.")]


@app.command()
def demo(
    out: _Out = Path(_DEMO),
    n_units: Annotated[int, typer.Option(min=2, help="Background sequences.")] = 1000,
    rng: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
) -> None:
    """Run a trial on a predictor whose true effects are known, and print each estimate beside its truth.

    Example:   causalgia demo --out demo --n-units 2000
    """
    from dataclasses import replace

    from causalgia import store
    from causalgia.plot import save_forest
    from causalgia.trial import run as run_trial
    from causalgia.trial.spec import parse_spec, starter
    from causalgia.zoo import oracle

    _refuse_other_trials(out)
    spec = parse_spec(starter(), folder=out)
    spec = replace(spec, name=_DEMO, rng=rng, design=replace(spec.design, n_units=n_units))
    predictor = oracle(str(spec.predictor.zoo))
    outcomes = run_trial(spec.design, predictor, rng=rng).assign_attrs(spec.attrs)
    estimates = _estimated(outcomes, spec.analysis)
    truth = predictor.true_ace(spec.design, control=str(spec.analysis.control))
    _write_outcomes(_made(out), outcomes, spec)
    store.save(estimates, out / _ESTIMATES)
    save_forest(estimates, out / _FOREST, truth=truth)
    _print_estimates(estimates, truth=truth)
    typer.echo("z = (ACE - truth) / standard error: about 95 % of them lie between -2 and 2.")
    _print_written(out, _OUTCOMES, _ESTIMATES, _FOREST, _SPEC)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")] = Path(_SPEC),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a commented trial.toml that runs as it is, to be changed into your own.

    Example:   causalgia init gata1.toml
    """
    from causalgia.trial.spec import starter

    if path.exists() and not force:
        raise DesignError(f"{path} is already there; give another name, or --force to write over it")
    _made(path.parent)
    _write(path, starter())
    typer.echo(f"Wrote {path}. Next: causalgia run {path} --out results")


@app.command()
def run(
    spec_file: Annotated[Path, typer.Argument(metavar="TRIAL.TOML", help="What `causalgia init` writes.")],
    out: _Out,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps; wins over the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over outcomes that are there.")] = False,
) -> None:
    """Run the trial in a file: draw the units, apply the arms, ask the predictor, write the outcomes.

    Example:   causalgia run trial.toml --out results --device cuda
    """
    from causalgia.reporting import tasks_in_words
    from causalgia.trial import run as run_trial
    from causalgia.trial.spec import read_spec

    if (out / _OUTCOMES).exists() and not force:
        raise OutcomesError(f"{out} holds outcomes already; choose another --out, or --force to write over them")
    spec = read_spec(spec_file)
    predictor = _predictor(spec, device)
    folder = _made(out)
    outcomes = run_trial(spec.design, predictor, rng=spec.rng).assign_attrs(spec.attrs)
    _write_outcomes(folder, outcomes, spec)
    typer.echo(
        f"{spec.name}: {spec.design.n_units:,} units, {len(spec.design.named_arms)} arms, {tasks_in_words(outcomes)}."
    )
    if spec.analysis.for_verdicts:
        kept = ", ".join(spec.analysis.for_verdicts)
        typer.echo(f"[analysis] {kept}: kept for verdicts; `estimate` does not use them.")
    _print_written(folder, _OUTCOMES, _SPEC)
    typer.echo(f"Next: causalgia estimate {out}")


@app.command()
def estimate(
    folder: _Folder,
    control: Annotated[str | None, typer.Option(help="The arm that is subtracted from every other one.")] = None,
    cluster: Annotated[str | None, typer.Option(help="auto, none, or a coordinate of the units.")] = None,
    target: Annotated[str | None, typer.Option(help="population, parents, or units.")] = None,
    ci_prob: Annotated[float | None, typer.Option(help="Probability of the intervals.")] = None,
    adjust: Annotated[str | None, typer.Option(help="Adjust p-values: bh, by, holm, hochberg, bonferroni.")] = None,
    all_rows: Annotated[bool, typer.Option("--all", help="A line for each placebo word.")] = False,
) -> None:
    """Estimate average causal effects with standard errors, as the analysis in trial.toml says; options win.

    Example:   causalgia estimate results --control placebo --adjust bh
    """
    from causalgia import store
    from causalgia.plot import save_forest

    outcomes = store.load(_present(folder) / _OUTCOMES, "outcomes")
    given = {"control": control, "cluster": cluster, "target": target, "ci_prob": ci_prob, "adjust": adjust}
    analysis = _chosen(_analysis(folder, outcomes), given)
    estimates = _estimated(outcomes, analysis)
    store.save(estimates, folder / _ESTIMATES)
    save_forest(estimates, folder / _FOREST)
    _print_estimates(estimates, all_rows=all_rows)
    if analysis.for_verdicts:
        typer.echo(f"[analysis] {', '.join(analysis.for_verdicts)}: kept for verdicts; not used here.")
    _print_written(folder, _ESTIMATES, _FOREST)


@app.command()
def show(
    folder: _Folder,
    all_rows: Annotated[bool, typer.Option("--all", help="A line for each arm and placebo word.")] = False,
) -> None:
    """Print what a folder holds: null model, arms, predictor, and the effects where they are estimated.

    Example:   causalgia show results
    """
    from causalgia import store
    from causalgia.reporting import describe

    typer.echo(describe(store.load(_present(folder) / _OUTCOMES, "outcomes"), every_arm=all_rows))
    if (folder / _ESTIMATES).is_file():
        typer.echo("")
        _print_estimates(store.load(folder / _ESTIMATES, "estimates"), all_rows=all_rows)
    else:
        typer.echo(f"\nNo estimates yet. Next: causalgia estimate {folder}")


def main() -> None:
    """Run the command line; a terminal that lacks a sign gets a question mark and no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()


def _refuse_other_trials(folder: Path) -> None:
    """Let a demo write over a demo, and over nothing else."""
    from causalgia import store

    path = folder / _OUTCOMES
    if path.exists() and store.load(path, "outcomes").attrs.get("name") != _DEMO:
        raise OutcomesError(f"{folder} holds the outcomes of another trial; choose another --out")


def _write_outcomes(folder: Path, outcomes: xr.Dataset, spec: TrialSpec) -> None:
    """Write outcomes and their specification; estimates of what was there before go."""
    from causalgia import store

    for name in (_ESTIMATES, _FOREST):
        (folder / name).unlink(missing_ok=True)
    store.save(outcomes, folder / _OUTCOMES)
    _write(folder / _SPEC, spec.to_toml())


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutcomesError(f"{folder}: cannot be made a folder ({error.strerror}); choose another place") from error
    return folder


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutcomesError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def _present(folder: Path) -> Path:
    if not (folder / _OUTCOMES).is_file():
        missing = f"holds no {_OUTCOMES}" if folder.is_dir() else "is no folder"
        raise OutcomesError(f"{folder} {missing}; make it with: causalgia run trial.toml --out {folder}")
    return folder


def _predictor(spec: TrialSpec, device: str | None) -> Predictor:
    asked = spec.predictor
    if asked.zoo is not None:
        from causalgia.zoo import oracle

        return oracle(asked.zoo)
    from causalgia.predict import load_predictor

    return load_predictor(
        str(asked.factory),
        weights=asked.weights,
        tasks=asked.tasks,
        scale=asked.scale or "outcome",
        alphabet=asked.alphabet,
        device=device or asked.device,
        batch_size=asked.batch_size,
        announce=lambda line: typer.echo(line, err=True),
    )


def _analysis(folder: Path, outcomes: xr.Dataset) -> AnalysisSpec:
    """Return the analysis in the folder's trial.toml; warn where it is not the one fixed before the outcomes."""
    from causalgia.trial.spec import AnalysisSpec, read_analysis

    fixed = outcomes.attrs.get("analysis")
    if not (folder / _SPEC).is_file():
        import json

        return AnalysisSpec.from_dict(json.loads(fixed) if fixed else {})
    analysis = read_analysis(folder / _SPEC)
    if fixed is not None and analysis.to_json() != fixed:
        text = f"[analysis] in {folder / _SPEC} was changed after the outcomes were seen; it was {fixed}"
        warnings.warn(text, CausalgiaWarning, stacklevel=2)
    return analysis


def _chosen(analysis: AnalysisSpec, given: dict[str, Any]) -> AnalysisSpec:
    """Return the analysis with the options of the command line in the place of what the file says."""
    options = {key: value for key, value in given.items() if value is not None}
    plain = analysis.to_dict()
    if "control" in options:
        plain = {key: value for key, value in plain.items() if key not in ("contrasts", "interaction")}
    try:
        chosen = analysis.from_dict({**plain, **options})
    except DesignError as error:
        raise DesignError(str(error).replace("[analysis]: ", "--", 1).replace("ci_prob", "ci-prob", 1)) from error
    if chosen.control is None and chosen.contrasts is None and chosen.interaction is None:
        raise DesignError("which arm is the control? say --control NAME, or control = in [analysis] of the trial.toml")
    return chosen


def _estimated(outcomes: xr.Dataset, analysis: AnalysisSpec) -> xr.Dataset:
    from causalgia.effects import contrast
    from causalgia.estimation import adjust as adjust_p
    from causalgia.estimation import estimate as estimate_effects

    effects = contrast(
        outcomes,
        control=analysis.control,
        contrasts=analysis.contrasts,
        interaction=analysis.interaction,
        scale=analysis.scale,  # type: ignore[arg-type]  # checked when the analysis was read
    )
    estimates = estimate_effects(
        effects,
        cluster=None if analysis.cluster == "none" else analysis.cluster,
        block=analysis.block,
        covariates=analysis.covariates,
        target=analysis.target,
        ci_prob=analysis.ci_prob,
        weights=analysis.weights,  # type: ignore[arg-type]  # checked when the analysis was read
    )
    if analysis.adjust is None:
        return estimates
    return adjust_p(estimates, method=analysis.adjust, family=analysis.family)  # type: ignore[arg-type]  # checked


def _print_estimates(estimates: xr.Dataset, *, truth: xr.DataArray | None = None, all_rows: bool = False) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from causalgia.reporting import cells, estimand, sentences

    which: Rows = "all" if all_rows else "summary"
    header, lines = cells(estimates, rows=which, truth=truth)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in header:
        words = name in ("contrast", "task", "model")
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
    for part in (estimand(estimates), table, "\n".join(sentences(estimates, rows=which))):
        if part:
            console.print(part)
            console.print()


def _print_written(folder: Path, *names: str) -> None:
    typer.echo(f"Wrote {', '.join(names)} in {folder}.")
