"""Translation of messages from Python arguments and functions to options and commands.

An error of a verb says ``give half_width=``, which is ``--half-width`` on the command line. All errors, warnings and
reports printed by commands pass through `in_shell`.
"""

from __future__ import annotations

import ast
import re
from contextvars import ContextVar
from typing import Any

_NUMBER = r"-?\d[\d.e+-]*(?<=\d)|-?(?:nan|inf)\b"
_VALUE = rf"""(?:\([^()=]*\)|\[[^][=]*\]|\{{[^{{}}]*\}}|'[^']*'|"[^"]*"|{_NUMBER}|True|False|None|\.\.\.)"""
_ARGUMENT = re.compile(rf"(?<![\w.\[-])([a-z][a-z_]*)=({_VALUE})?(?![\w=])")
_CALL = re.compile(r"(?:null=)?\bcg\.((?:[a-z]+\.)*\w+)(\((?:[^()]|\([^()]*\))*\))?")
_COMMANDS = {
    **{name: name for name in ("run", "check", "estimate", "analyze", "mpra.power", "mpra.cheapest")},
    **dict.fromkeys(("decide", "infer", "adjust"), "analyze"),
    "open": "show",
    **dict.fromkeys(("mpra.library", "mpra.write_library"), "mpra design"),
    **dict.fromkeys(("mpra.fit", "mpra.filter"), "mpra analyze"),
    "mpra.virtual_trial": "mpra predict",
    "mpra.concordance": "mpra compare",
}
_OPTIONS_OF_CALLS = ("store", "keep", "rope", "error", "law", "level", "target", "adjust", "min_dna", "min_barcodes")
_OPTION_NAMES = {  # arguments whose option has another name in some command
    **{f"n_{name}": (name, f"max-{name}") for name in ("oligos", "barcodes", "replicates", "backgrounds", "controls")},
    "overwrite": ("force",),
    "barcode_dispersion": ("random-barcodes",),
    "contrasts": ("contrasts", "contrast"),
}
_TWO_NAMES = re.compile(r", or say which belong together: contrasts=\{[^{}]*\}")  # no option can

_options: ContextVar[frozenset[str]] = ContextVar("options", default=frozenset())


def set_options(options: frozenset[str]) -> None:
    """Set the options of the running command, such as ``"--rope"``."""
    _options.set(options)


def in_shell(text: str) -> str:
    """Return a message with Python arguments and functions replaced by options, trial-file keys and commands.

    Examples
    --------
    >>> set_options(frozenset({"--half-width", "--budget", "--oligos", "--rope", "--error"}))
    >>> in_shell("say what is wanted: half_width=, or what there is: budget= or n_oligos=")
    'say what is wanted: --half-width, or what there is: --budget or --oligos'
    >>> in_shell("rope=(1, -1) is reversed; tests take error='bh'")
    '--rope=1,-1 is reversed; tests take --error bh'
    >>> in_shell("effect=nan is not a number; name the others: rope={...}")
    'effect=nan is not a number; name the others: --rope'
    >>> in_shell("one at a time: rope=[-1.0, 1.0]; error=['bh', 'holm']")
    'one at a time: --rope=-1.0,1.0; --error=bh,holm'
    >>> in_shell("positive controls are yours to give (positives=)")
    'positive controls are yours to give (positives in [mpra])'
    >>> in_shell("the same cg.run(..., store=) goes on")
    'the same causalgia run --store goes on'
    >>> in_shell("a placebo of its own word: cg.Placebo of the same pattern; or null=cg.Genomic(of=...)")
    'a placebo of its own word: placebo = of the same pattern; or [null] kind = "genomic"'
    >>> in_shell("split the barcodes (cg.mpra.split_duplicates of the counts)")
    'split the barcodes (causalgia.mpra.split_duplicates, in Python, of the counts)'
    """
    return _ARGUMENT.sub(_shell_argument, _CALL.sub(_shell_call, _TWO_NAMES.sub("", text)))


def _shell_call(found: re.Match[str]) -> str:
    name, arguments = found[1], found[2] or ""
    if (key := _trial_file_key(name)) is not None:
        return key
    if name not in _COMMANDS:
        more = found.string[found.end() : found.end() + 2]
        return f"causalgia.{name}{arguments}, in Python" + ("," if more[:1] == " " and more[1:].isalpha() else "")
    command = _COMMANDS[name].replace(".", " ")
    options = [_option_text(key, value) for key, value in _ARGUMENT.findall(arguments) if key in _OPTIONS_OF_CALLS]
    if name == "decide" and arguments.startswith("(estimates") and "error=" not in arguments:
        options.append("--error bh")  # verdicts by tests, not by a posterior
    return " ".join(["causalgia", command, *options])


def _trial_file_key(name: str) -> str | None:
    """Return the trial-file key of a name of the library, or None."""
    if name[:1].islower():
        return "[placebos]" if name == "placebos" else None
    from causalgia.design.null_models import NULL_MODELS
    from causalgia.trial_file.allowed_keys import ARM_VERBS

    kinds = {kind.__name__: f'[null] kind = "{key}"' for key, kind in NULL_MODELS.items()}
    verbs = {kind.__name__: f"{key} =" for key, kind in ARM_VERBS.items()}
    return (kinds | verbs | {"Analysis": "[analysis]"}).get(name)


def _shell_argument(found: re.Match[str]) -> str:
    """Return an argument as an option of the running command, as a trial-file key, or unchanged."""
    from causalgia.analysis import ANALYSIS
    from causalgia.trial_file.allowed_keys import PREDICTOR, TOP
    from causalgia.trial_file.library_table import MPRA

    name, value = found[1], found[2] or ""
    if _option_name(name) in _options.get():
        return _option_text(name, value)
    tables = {"": TOP, " in [analysis]": ANALYSIS, " in [predictor]": PREDICTOR, " in [mpra]": MPRA}
    for place, keys in tables.items():
        if name in keys:
            return f"{name}{place}" if value in ("", "...") else f"{name} = {_toml_text(value)}{place}"
    return found[0]


def _option_name(name: str) -> str:
    """Return the option of an argument: the first name that the command has, else the last."""
    names = [f"--{one.replace('_', '-')}" for one in _OPTION_NAMES.get(name, (name,))]
    return next((one for one in names if one in _options.get()), names[-1])


def _option_text(name: str, value: str) -> str:
    """Return ``--name value`` as typed in a shell.

    Examples
    --------
    >>> _option_text("rope", "(-0.1, 0.1)"), _option_text("target", "'next predictor'"), _option_text("store", "")
    ('--rope=-0.1,0.1', "--target 'next predictor'", '--store')
    """
    plain = _literal(value)
    if isinstance(plain, dict):
        plain = list(plain)
    if isinstance(plain, tuple | list):
        return f"{_option_name(name)}={','.join(map(str, plain))}"
    if re.fullmatch("-?(nan|inf)", value):
        return f"{_option_name(name)} {value}"
    if value in ("", "...", "{...}", "True") or plain is None:
        return _option_name(name)
    word = str(plain)
    return f"{_option_name(name)} '{word}'" if " " in word else f"{_option_name(name)} {word}"


def _toml_text(value: str) -> str:
    from causalgia.trial_file import toml_value

    plain = _literal(value)
    return value if plain is None else toml_value(list(plain) if isinstance(plain, tuple) else plain)


def _literal(value: str) -> Any:
    """Return the value of a Python literal, or None if it is not one."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return None
