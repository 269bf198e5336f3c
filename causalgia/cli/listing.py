"""The catalogue of experiments on the screen: a line for each, or one with its settings."""

from __future__ import annotations

import inspect

import typer

_IN_PYTHON = ("null_models", "across_predictors", "tile_search", "greedy_tiles", "junctions", "stream")


def print_catalogue() -> None:
    """Print each experiment's name and question, and what of the catalogue is a function of another shape."""
    from causalgia import experiments

    found = experiments.entries()
    wide = max(map(len, (*found, *_IN_PYTHON)))
    for name, entry in found.items():
        typer.echo(f"{name:<{wide}}  {entry.question}")
    typer.echo("\nIn Python, as causalgia.experiments.<name>:")
    for name in _IN_PYTHON:
        said = inspect.getdoc(getattr(experiments, name)) or ""
        typer.echo(f"{name:<{wide}}  {said.splitlines()[0]}")


def print_entry(name: str) -> None:
    """Print one experiment: question, estimand, paper, and what each of its settings is, with its default.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.
    """
    from causalgia import experiments
    from causalgia.experiments import entries
    from causalgia.trial_file import settings_of, toml_value

    if name in _IN_PYTHON:
        summary = (inspect.getdoc(getattr(experiments, name)) or "").splitlines()[0]
        typer.echo(f"{name}: {summary}\nIn Python alone: help(causalgia.experiments.{name})")
        return
    settings = settings_of(name)
    entry = entries()[name]
    typer.echo(f"{name}: {entry.question}\n{entry.estimand}\nhttps://doi.org/{entry.doi}\n")
    for setting in settings:
        value = "needed" if setting.required else "left out" if setting.default is None else toml_value(setting.default)
        typer.echo(f"  {setting.name} ({value})\n      {setting.words}")
    typer.echo(f"\nA file to begin with: causalgia init --experiment {name}")
