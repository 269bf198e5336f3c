"""Messages in the words of the shell: what they mention of Python becomes an option of
the running command, a key of the trial file, or another command.

Options are those of the running command, keys those of `causalgia.arguments`, commands
those of the program; the tables here hold what has another name in the shell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    PredictorError,
    Setting,
    as_message,
)
from causalgia.mentions import (
    NOT_GIVEN,
    CallMention,
    Mention,
    Unread,
    Wording,
    literal,
    with_mentions,
)

_COMMANDS = {  # calls whose command has another name
    **dict.fromkeys(("decide", "infer", "adjust"), "analyze"),
    "open": "show",
    **dict.fromkeys(("mpra.library", "mpra.write_library"), "mpra design"),
    **dict.fromkeys(("mpra.fit", "mpra.filter"), "mpra analyze"),
    "mpra.virtual_trial": "mpra predict",
    "mpra.concordance": "mpra compare",
}
_OF_PYTHON_ALONE = ("report",)  # the command of this name writes a page
_OPTION_NAMES = {  # arguments whose option has another name in some command
    **{
        f"n_{name}": (name, f"max-{name}")
        for name in ("oligos", "barcodes", "replicates", "backgrounds", "controls")
    },
    "max_oligos": ("oligos",),
    "overwrite": ("force",),
    "barcode_dispersion": ("random-barcodes",),
    "contrasts": ("contrasts", "contrast"),
    "pairs": ("contrast",),
    "true_effect": ("effect",),
    "arm_names": ("arms",),
    "checks": ("check",),
}
# arguments that are several keys
_KEYS = {"barcode_rules": "barcode_length, min_distance and seeds in [mpra]"}

_options: ContextVar[frozenset[str]] = ContextVar("options", default=frozenset())
_options_of: ContextVar[Callable[[str], Iterable[str] | None]] = ContextVar(
    "options_of", default=lambda _: None
)


def set_options(options: Iterable[str]) -> None:
    """Set the options of the running command, such as ``"--rope"``."""
    _options.set(frozenset(options))


def set_commands(options_of: Callable[[str], Iterable[str] | None]) -> None:
    """Set the commands of the program: their options by name, None of a command that
    does not exist.
    """
    _options_of.set(options_of)


def in_shell(message: str | CausalgiaError | CausalgiaWarning) -> str:
    """Return a message in the words of the shell.

    Keys that several tables of the trial file have (tasks, scale, weights) are those of
    the predictor in its errors.

    Examples
    --------
    >>> set_options(
    ...     ["--half-width", "--budget", "--oligos", "--rope", "--error", "--tau"]
    ... )
    >>> set_commands({"run": ["--store", "--keep"]}.get)
    >>> in_shell("give a goal (``half_width=``) or a limit (``max_oligos=``)")
    'give a goal (--half-width) or a limit (--oligos)'
    >>> in_shell("``rope=(1, -1)`` is reversed; decide by ``error='fdr'``")
    '--rope=1,-1 is reversed; decide by --error fdr'
    >>> in_shell("not given; give ``noise=cg.mpra.NoiseModel(tau=...)``, 0 if alike")
    'not given; give --tau, 0 if alike'
    >>> in_shell("``effect=nan`` is not a number; name the others: ``rope={...}``")
    'effect=nan is not a number; name the others: --rope'
    >>> in_shell("``tau``: it is -1"), in_shell("``effects``: there are none")
    ('--tau: it is -1', 'effects: there are none')
    >>> in_shell("one at a time: ``rope=[-1.0, 1.0]``; ``error=['fdr', 'fwer']``")
    'one at a time: --rope=-1.0,1.0; --error=fdr,fwer'
    >>> in_shell("give positive controls, ``controls=cg.mpra.Controls(positives=...)``")
    'give positive controls, positives in [mpra]'
    >>> in_shell("the same ``cg.run(..., store=)`` resumes it")
    'the same causalgia run --store resumes it'
    >>> in_shell("``cg.Placebo`` of the same pattern; or ``null=cg.Genomic(of=...)``")
    'placebo = of the same pattern; or [null] kind = "genomic"'
    >>> in_shell("these are effects already; run the trial without ``keep=``")
    'these are effects already; run the trial without --keep'
    >>> in_shell("split the barcodes (``cg.mpra.split_duplicates`` of the counts)")
    'split the barcodes (causalgia.mpra.split_duplicates, in Python, of the counts)'
    >>> in_shell("write a new lock with ``cg.Protocol(...).lock(path)``")
    'write a new lock with causalgia.Protocol(...).lock(path), in Python'
    >>> error = CausalgiaError(
    ...     argument="rope", value=95, need="is one number", example=(-1, 1)
    ... )
    >>> in_shell(error.at("counts.tsv"))
    'counts.tsv: --rope 95 is one number; for example --rope=-1,1'
    >>> in_shell(error.replace(argument="scale", value="ln", example="log"))
    'scale = "ln" in [analysis] is one number; for example scale = "log" in [analysis]'
    """
    if isinstance(message, str):
        return parts_in_shell(with_mentions(message))
    if isinstance(message, CausalgiaError) and "Analysis" in message.places:
        if message.argument:  # a setting says where it is
            places = tuple(place for place in message.places if place != "Analysis")
            message = message.replace(places=places)
        else:
            message = message.moved("Analysis", "[analysis]")
    of_predictor = isinstance(message, PredictorError)
    return as_message(parts_in_shell(message.parts, of_predictor=of_predictor))


def parts_in_shell(parts: Iterable[Any], *, of_predictor: bool = False) -> str:
    """Return the parts of a message in the words of the shell."""
    parts = list(parts)
    words: list[str] = []
    for part, after in zip(parts, [*map(str, parts[1:]), ""], strict=True):
        if isinstance(part, Setting) and not part.in_toml:
            shown = _setting(part.name, part.value, of_predictor=of_predictor)
            words.append(str(part) if shown is None else shown)
        elif isinstance(part, Wording):
            words.append(part.shell)
        elif isinstance(part, Mention) and part.isidentifier() and words[-1:] == [": "]:
            words.append(str(part))  # of a file, where it is a key
        elif isinstance(part, Mention):
            goes_on = after[:1] == " " and after[1:2].isalpha()
            words.append(_mention(part, of_predictor=of_predictor, goes_on=goes_on))
        else:
            words.append(str(part))
    return "".join(words)


def _mention(part: Mention, *, of_predictor: bool, goes_on: bool) -> str:
    name, call = part.argument, part.call
    if call is not None:
        fields = _fields(call) if name else None
        if fields is not None:
            return fields
        place = _setting(name, NOT_GIVEN, of_predictor=of_predictor) if name else None
        if place is not None and name != "null":
            return place
        key = _trial_file_key(call)
        before = f"{name}=" if name and key is None else ""
        return before + (_call(call, goes_on=goes_on) if key is None else key)
    if name == part.rstrip(":"):  # the name alone
        option = _option_name(name)
        return option if option in _options.get() else str(part)
    shown = _setting(name, part.value, of_predictor=of_predictor)
    return str(part) if shown is None else shown


def _fields(call: CallMention) -> str | None:
    """Return the fields of an object as options or keys, if all are: each is one of its
    own, and those that a message only repeats are left out.
    """
    if not call.name.rpartition(".")[2][:1].isupper() or not call.arguments:
        return None
    needed = [one for one in call.arguments if one[1] == "..."] or call.arguments
    shown = [_setting(name, literal(value)) for name, value in needed]
    known = [one for one in shown if one is not None]
    return ", ".join(known) if len(known) == len(shown) else None


def _call(call: CallMention, *, goes_on: bool) -> str:
    command = _COMMANDS.get(call.name, call.name.replace(".", " "))
    options = None if call.name in _OF_PYTHON_ALONE else _options_of.get()(command)
    if options is None:
        end = "," if goes_on else ""
        return f"causalgia.{call.name}{call.parentheses}{call.then}, in Python{end}"
    given = [
        _option_text(name, literal(value))
        for name, value in call.arguments
        if _option_name(name) in options
    ]
    return " ".join(["causalgia", command, *given])


def _trial_file_key(call: CallMention) -> str | None:
    """Return the trial-file key of a call, or None."""
    given = dict(call.arguments)
    if call.name == "placebos":
        n = given.get("n_placebos", "")
        return f"[placebos], of = pattern, at = and n = {n}" if n else "[placebos]"
    if call.name == "motif" and call.parentheses.startswith("('"):
        return '{file = "motifs.meme", motif = "GATA1"}'
    if call.name[:1].islower():
        return None
    from causalgia.design.arms import INTERVENTIONS
    from causalgia.design.null_distributions import NULL_MODELS

    kinds = {
        kind.__name__: f'[null] kind = "{key}"' for key, kind in NULL_MODELS.items()
    }
    verbs = {kind.__name__: f"{key} =" for key, kind in INTERVENTIONS.items()}
    return (kinds | verbs | {"Analysis": "[analysis]"}).get(call.name)


def _setting(name: str, value: Any, *, of_predictor: bool = False) -> str | None:
    """Return an argument as an option of the running command or as a trial-file key;
    None if it is neither.
    """
    from causalgia.arguments import TABLES
    from causalgia.trial_file import toml_value

    if name in _KEYS:
        return _KEYS[name]
    if (
        _option_name(name) in _options.get() or name == "keep"
    ):  # an option of causalgia run, whose trials are read
        return _option_text(name, value)
    order = ["", "[analysis]", "[predictor]", "[mpra]"]
    if of_predictor:
        order.insert(0, "[predictor]")
    for table in order:
        if name in TABLES[table]:
            place = f" in {table}" if table else ""
            if value is NOT_GIVEN:
                return f"{name}{place}"
            plain = list(value) if isinstance(value, tuple) else value
            word = str(value) if isinstance(value, Unread) else toml_value(plain)
            return f"{name} = {word}{place}"
    return None


def _option_name(name: str) -> str:
    """Return the option of an argument: the first name that the command has, else the
    last.
    """
    names = [f"--{one.replace('_', '-')}" for one in _OPTION_NAMES.get(name, (name,))]
    return next((one for one in names if one in _options.get()), names[-1])


def _option_text(name: str, value: Any) -> str:
    """Return ``--name value`` as typed in a shell.

    Examples
    --------
    >>> (
    ...     _option_text("rope", (-0.1, 0.1)),
    ...     _option_text("target", "next predictor"),
    ...     _option_text("store", NOT_GIVEN),
    ... )
    ('--rope=-0.1,0.1', "--target 'next predictor'", '--store')
    >>> _option_text("checks", NOT_GIVEN), _option_text("seed", 1)
    ('--check', '--seed 1')
    >>> _option_text("ci_prob", 95.0)
    '--ci-prob 95'
    """
    option = _option_name(name)
    if value is None or value is NOT_GIVEN or value is True:
        return option
    if isinstance(value, dict) and name == "rope":
        return f"{option} {value}"
    if isinstance(value, tuple | list | dict):
        return f"{option}={','.join(map(str, value))}"
    whole = isinstance(value, float) and value.is_integer()
    word = str(int(value) if whole else value)
    quoted = " " in word and not isinstance(value, Unread)
    return f"{option} '{word}'" if quoted else f"{option} {word}"
