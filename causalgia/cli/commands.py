"""The commands, each where its function is."""

from __future__ import annotations

from causalgia.cli.shell import app, group, run

__all__ = ["run"]

app.help = """What did this network learn?

    causalgia audit net.toml --sequences peaks.fa --out found

Randomized experiments on sequence-to-activity networks, with standard errors.

A first look, without any file:

    causalgia demo

A trial of your own (init writes a commented trial.toml that runs as it is):

    causalgia init
    causalgia check trial.toml
    causalgia run trial.toml --out results
    causalgia analyze results --rope=-0.1,0.1
    causalgia show results
    causalgia refute results
    causalgia report results

Pre-registered, for a paper:

    causalgia plan trial.toml
    causalgia lock trial.toml --out lock.toml
    causalgia run --protocol lock.toml --out results
    causalgia verify results --protocol lock.toml

An experiment of the catalogue:

    causalgia experiments
    causalgia init --experiment copies copies.toml
    causalgia run copies.toml --out copies

Variants, ranked among matched null variants:

    causalgia variants calls.vcf --genome hg38.fa --predictor net.toml --length 2114 --out scored

A table of effects and standard errors, of any program:

    causalgia decide effects.csv --rope=-0.2,0.2

On the bench:

    causalgia mpra design trial.toml --out library
    causalgia mpra predict trial.toml --design library --out virtual
    causalgia mpra analyze counts.tsv --design library --control untreated --out measured
    causalgia mpra compare virtual measured --out compared
"""
_COMMANDS = {
    "audit": "audit_command",
    "demo": "trial_commands",
    "experiments": "trial_commands",
    "init": "trial_commands",
    "check": "trial_commands",
    "plan": "trial_commands",
    "lock": "trial_commands",
    "run": "trial_commands",
    "analyze": "result_commands",
    "decide": "decide_command",
    "show": "result_commands",
    "refute": "result_commands",
    "report": "report_command",
    "verify": "result_commands",
    "reproduce": "result_commands",
    "variants": "variants_command",
    "networks": "trial_commands",
    "skill": "skill_command",
}
for _name, _module in _COMMANDS.items():
    app.command(f"causalgia.cli.{_module}:{_name}", name=_name)

_of_bench = ("design", "predict", "power", "quality", "analyze", "activity", "compare")
group(
    "mpra",
    "Order a design as an MPRA library, analyze its counts, and compare the virtual with "
    "the measured trial.",
    {name: f"causalgia.cli.mpra_commands:{name}" for name in _of_bench},
)
