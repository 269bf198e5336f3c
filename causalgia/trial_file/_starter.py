"""Starter trial files: a commented one for a custom trial, and one for each experiment
of the catalogue.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from inspect import Parameter
from pathlib import Path
from shlex import quote
from typing import Any

from causalgia import experiments
from causalgia.design import MatchedVariants, NullModel, Uniform
from causalgia.experiments import entries
from causalgia.trial_file.trial_tables import experiment_parameters, toml_key

_LINE_LETTERS = 116
_FACTORY = """\
# or: factory = "my_net.py:load" with weights = "net.safetensors", tasks = ["K562"], scale = "log counts"
"""
_ANALYSIS = """\
# error = "fdr"            # false verdicts of each kind among those given; "fwer": no false one; "each": row by row
# ci_prob = 0.95           # probability of every interval; verdicts have the error rate 1 - ci_prob
"""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of an experiment.

    Parameters
    ----------
    name
        As in ``[experiment]``.
    words
        Its description.
    value
        Value in the starter file; None: left out.
    default
        Default value.
    required
        Whether it has no default.
    """

    name: str
    words: str
    value: Any
    default: Any
    required: bool


def starter(experiment: str | None = None) -> str:
    """Return the text of a commented `trial.toml` that runs as it is, on a predictor of
    the zoo.

    Parameters
    ----------
    experiment
        Name in the catalogue; its settings have their defaults or values that suit its
        oracle. None for a custom trial with arms.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.

    Examples
    --------
    >>> print(starter("copies"))
    # What does each further copy of a site add?
    ...
    [experiment]
    kind = "copies"
    ...
    """
    if experiment is None:
        return (
            resources.files("causalgia.trial_file")
            .joinpath("starter.toml")
            .read_text(encoding="utf-8")
        )
    return _experiment_starter(experiment)


def example_files(experiment: str | None) -> Mapping[str, str]:
    """Return the example files used by the starter of an experiment: name -> text.

    Examples
    --------
    >>> example_files(None)
    {}
    """
    return {} if experiment is None else experiment_example(experiment).files


def starter_files(path: Path, experiment: str | None = None) -> dict[Path, str]:
    """Return the files of a starter trial: path -> text, the trial file last.

    An example file whose name is taken by another text gets the name of the trial file
    as a prefix.

    Parameters
    ----------
    path
        Path of the trial file.
    experiment
        As in `starter`.

    Examples
    --------
    >>> [str(place) for place in starter_files(Path("nowhere/atac.toml"), "necessity")]
    ['nowhere/example.fa', 'nowhere/atac.toml']
    """
    text = starter(experiment)
    for verb in ("run", "mpra design"):
        text = text.replace(
            f"causalgia {verb} trial.toml", f"causalgia {verb} {quote(str(path.name))}"
        )
    found = {}
    for name, content in example_files(experiment).items():
        place = path.parent / name
        is_free = not place.exists() or (
            place.is_file() and place.read_bytes() == content.encode()
        )
        free = name if is_free else f"{path.stem}_{name}"
        text = text.replace(toml_value(name), toml_value(free))
        found[path.parent / free] = content
    return {**found, path: text}


def settings_of(kind: str) -> list[Setting]:
    """Return the settings of an experiment, in order, with descriptions from its
    docstring.

    Raises
    ------
    DesignError
        If there is no such experiment; suggests the nearest.

    Examples
    --------
    >>> [(setting.name, setting.value) for setting in settings_of("copies")][:2]
    [('motif', 'UGCAUG'), ('at', None)]
    """
    takes = experiment_parameters(kind)
    words, example = (
        _parameter_sentences(getattr(experiments, kind)),
        experiment_example(kind).settings,
    )
    found = []
    for name in (name for name in takes if name not in ("null", "n_units", "rope")):
        required = takes[name].default is Parameter.empty
        default = None if required else takes[name].default
        value = example.get(name, default)
        found.append(
            Setting(
                name=name,
                words=words.get(name, ""),
                value=value,
                default=default,
                required=required,
            )
        )
    return found


def toml_value(value: Any) -> str:
    """Return a value as TOML, on one line.

    Examples
    --------
    >>> toml_value((4, "A", {"file": "x.meme"}, True))
    '[4, "A", {file = "x.meme"}, true]'
    """
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(
                f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items()
            )
            + "}"
        )
    if isinstance(value, Sequence | range):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return repr(value)


def _experiment_starter(kind: str) -> str:
    takes, example = experiment_parameters(kind), experiment_example(kind)
    entry = entries()[kind]
    lines = [entry.question, "", entry.estimand, f"https://doi.org/{entry.doi}", ""]
    lines += [
        "  causalgia run trial.toml --out results      # asks the predictor, answers "
        "the question, draws the figure"
    ]
    lines += [
        "",
        f"This file runs as it is, on the oracle '{example.zoo}' of the zoo, whose "
        "true effects are known.",
    ]
    lines += ["Paths are relative to this file. An unknown key is an error."]
    n_units = ""
    if "n_units" in takes:
        default = takes["n_units"].default
        n_units = "# n_units =                # backgrounds; default: all\n"
        n_units = (
            n_units
            if default is None
            else f"n_units = {default}             # backgrounds\n"
        )
    rope = ""
    if "rope" in takes:
        rope = (
            "# effects in this range are too small to matter, such as [-0.1, 0.1]; 0: "
            "direction alone\n"
            "rope = "
            f"{toml_value(example.settings.get('rope', takes['rope'].default))}\n"
        )
    parts = [
        "".join(_comment(line) for line in lines),
        f'name = "{kind}"\n'
        f"{n_units}rng = 0                    # seed: the same file gives the same "
        "numbers\n",
        f'[experiment]\nkind = "{kind}"\n'
        + "".join(map(_setting_text, settings_of(kind))),
        _null_table(takes, example.zoo),
        f'[predictor]\nzoo = "{example.zoo}"\n{_FACTORY}',
        "[analysis]                 # default: the experiment's own; fixed before the "
        "outcomes are seen\n" + rope + _ANALYSIS,
    ]
    return "\n".join(part for part in parts if part)


def _null_table(takes: Mapping[str, Parameter], zoo: str) -> str:
    if "null" not in takes:
        return ""
    default = takes["null"].default
    null: Any = Uniform(length=200 if zoo == "pairs_like" else 41)
    what = "where backgrounds come from"
    other = '# or: kind = "dinucleotide_shuffle" with of = "peaks.fa.gz"\n'
    if isinstance(default, NullModel):
        null = default
    elif "vcf" in takes:
        null = MatchedVariants(of="genome")
        what = "where null variants lie, and what they share; none: effects alone"
        other = (
            '# or: of = "peaks.fa.gz", sequences of the window\'s length or longer\n'
        )
    lines = "".join(
        f"{toml_key(key)} = {toml_value(value)}\n"
        for key, value in null.to_dict().items()
    )
    return f"[null]                     # {what}\n{lines}{other}"


def _setting_text(setting: Setting) -> str:
    words = _comment(setting.words) if setting.words else ""
    name, value = setting.name, setting.value
    if value is None:
        return f"{words}# {name} =\n"
    line = f"{name} = {toml_value(value)}"
    if (
        len(line) > _LINE_LETTERS
        and not isinstance(value, str | Mapping)
        and isinstance(value, Sequence | range)
    ):
        items = textwrap.wrap(
            " ".join(f"{toml_value(item)}," for item in value),
            _LINE_LETTERS - 2,
            break_long_words=False,
        )
        line = "\n".join([f"{name} = [", *(f"  {item}" for item in items), "]"])
    return f"{words}{line}\n"


def _comment(text: str) -> str:
    return "".join(
        f"# {line}".rstrip() + "\n"
        for line in textwrap.wrap(text, _LINE_LETTERS, drop_whitespace=False) or [""]
    )


def _parameter_sentences(make: object) -> dict[str, str]:
    """Return parameter -> first sentence of its description in the docstring."""
    lines = iter((inspect.getdoc(make) or "").splitlines())
    for line in lines:
        if line == "Parameters":
            next(lines, None)
            break
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if re.fullmatch(r"-{3,}", line):
            break
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.split(",")]
        for name in names if line.startswith(" ") else []:
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: _first_sentence(text) for name, text in found.items()}


def _first_sentence(text: str) -> str:
    plain = re.sub(r"`{1,2}([^`]+)`{1,2}", r"\1", text)
    plain = re.sub(r"\bNone: ", "left out: ", plain)  # a file has no None
    return re.split(r"(?<=[a-z0-9)\]\"'])\.\s", plain, maxsplit=1)[0].rstrip(".") + "."


# of the oracle 'long_range'
_ENHANCER, _WEAK, _PROMOTER = "ATGCTGAGTCAT", "CCAGATAAGGAC", "GGCTATAAAAGG"
# effects of up to 14.1, and one of exactly 0: (1 - 0.1 / 14.1)^n <= 0.05 from n = 421
_N_BACKGROUNDS = 440
_BACKGROUND_LENGTH = 600
# of so many sequences one lacks each motif, so that effects vary; none of the first 24,
# which have variants
_CYCLE = 30
_N_VARIANTS = 24

#: setting -> value that suits the example sequences
_SETTINGS: dict[str, Any] = {
    "sequences": "example.fa",
    "negatives": "negatives.fa",
    "motif": _WEAK,
    "element": [120, 180],
    "tiles": [[120, 180], [300, 360], [420, 480]],
    "tile_width": 60,
    "rope": [-0.1, 0.1],
    "vcf": "example.vcf",
    "fasta": "example.fa",
    "length": 420,
}
_SETTINGS_OVER_DEFAULTS = (
    "tile_width",
    "rope",
    "length",
)  # than the default, which is for longer sequences that differ
_ORACLE_SETTINGS: dict[str, Mapping[str, Any]] = {
    "pairs_like": {"rope": [-0.1, 0.1]},  # its backgrounds hardly vary: no sd
}
_PAIR = {"motif": "AGCCATCA", "other": "GAACAATGG"}
_EXPERIMENT_SETTINGS: dict[str, Mapping[str, Any]] = {
    "motif": {"motif": "UGCAUG"},
    "position": {"motif": "UGCAUG"},
    "copies": {"motif": "UGCAUG"},
    "motif_mutagenesis": {"motif": "UGCAUG"},
    "flanks": {"motif": "UGCAUG"},
    "affinity": {"kd": {"UGCAUG": 0.83, "AGCAUG": 4.8, "UGCACG": 4.9, "UGUAUG": 280.0}},
    "hairpin": {"motif": "GCUGG"},
    "composition": {"motif": "UGCAUG"},
    "spacing": {"motif": "UGCAUG"},
    "pair": _PAIR,
    "pairs": {"motifs": {"Nanog": "AGCCATCA", "Sox2": "GAACAATGG"}},
    "motif_screen": {"motifs": ["GATA1", "FOS::JUN", "GABPA", "HNF4A", "SP1", "CTCF"]},
    "variants": {"fasta": "genome.fa", "n_null": 2_000, "rope": "matched"},
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """Settings and files with which the starter of an experiment runs unchanged.

    Parameters
    ----------
    settings
        Setting -> value, TOML-ready.
    files
        Example files: name -> text.
    zoo
        Oracle that responds to their motifs.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    zoo: str


def experiment_example(kind: str) -> Example:
    """Return the example of an experiment: settings that suit its oracle, and sequence
    files if it needs any.

    Parameters
    ----------
    kind
        Name in the catalogue.

    Examples
    --------
    >>> experiment_example("copies")
    Example(settings={'motif': 'UGCAUG'}, files={}, zoo='rbfox1_like')
    """
    takes, zoo = experiment_parameters(kind), entries()[kind].zoo
    if "null" in takes and "vcf" not in takes:  # sampled backgrounds
        given = {**_EXPERIMENT_SETTINGS.get(kind, {}), **_ORACLE_SETTINGS.get(zoo, {})}
        return Example(settings=given, zoo=zoo)
    needed = [
        name
        for name, p in takes.items()
        if p.default is Parameter.empty or name in _SETTINGS_OVER_DEFAULTS
    ]
    settings = {name: _SETTINGS[name] for name in needed if name in _SETTINGS}
    settings |= _EXPERIMENT_SETTINGS.get(kind, {})
    named = [
        value
        for value in settings.values()
        if isinstance(value, str) and value in _PLANTED
    ]
    first = _N_VARIANTS if "vcf" in settings else _N_BACKGROUNDS
    files = {name: _example_fasta(_PLANTED[name], first) for name in named}
    if "vcf" in settings:
        # a variant in each of the first 24 sequences: 12 in the motif, 12 beside
        lines = ["##fileformat=VCFv4.3", "#CHROM\tPOS\tID\tREF\tALT"]
        for number, letters in enumerate(
            files[settings["fasta"]].splitlines()[1 : 2 * _N_VARIANTS : 2]
        ):
            at = 308 if number < _N_VARIANTS // 2 else 340
            alternate = "C" if letters[at] != "C" else "A"
            lines.append(
                f"example_{number + 1}\t{at + 1}\tv{number + 1}\t{letters[at]}\t{alternate}"
            )
        files[settings["vcf"]] = "\n".join(lines) + "\n"
    in_short = kind == "variants"
    return Example(
        settings=settings, files=files, zoo=zoo if in_short else "long_range"
    )


_PLANTED: dict[str, Mapping[int, str]] = {
    "example.fa": {124: _ENHANCER, 304: _WEAK, 504: _PROMOTER},
    "negatives.fa": {504: _PROMOTER},
    "genome.fa": {304: "CCTGCATGGGAC"},  # of the oracle 'rbfox1_like'
}


def _example_fasta(motifs: Mapping[int, str], first: int) -> str:
    """Return fixed random sequences as FASTA, the first of them with motifs at given
    positions, each lacking in one sequence of 30.
    """
    from causalgia.sequences import decode

    lines = []
    drawn = Uniform(length=_BACKGROUND_LENGTH).sample(_N_BACKGROUNDS, rng=len(motifs))[
        "sequence"
    ]
    for number, letters in enumerate(decode(drawn.to_numpy()), start=1):
        for lacking, (place, motif) in enumerate(motifs.items()):
            if number <= first and number % _CYCLE != _CYCLE - 1 - lacking:
                letters = letters[:place] + motif + letters[place + len(motif) :]
        lines.append(f">example_{number}\n{letters}\n")
    return "".join(lines)
