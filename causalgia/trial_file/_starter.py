"""Starter trial files: a commented one for a custom trial, and one for each experiment
of the catalogue, with the sequences that it needs.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from shlex import quote
from typing import Any

_LINE_LETTERS = 116


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
    name = "trial.toml" if experiment is None else "experiment.toml.jinja"
    file = resources.files("causalgia.trial_file") / "starters" / name
    text = file.read_text(encoding="utf-8")
    return text if experiment is None else _of_experiment(text, experiment)


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
            f"causalgia {verb} trial.toml", f"causalgia {verb} {quote(path.name)}"
        )
    found = {}
    for name, content in example_files(experiment).items():
        place = path.parent / name
        if place.exists() and not (
            place.is_file() and place.read_bytes() == content.encode()
        ):
            place = path.parent / f"{path.stem}_{name}"
        text = text.replace(toml_value(name), toml_value(place.name))
        found[place] = content
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
    import docstring_parser

    from causalgia.experiments import entries
    from causalgia.trial_file.trial_experiment import function_of

    function = function_of(kind)
    example = entries()[kind].example
    words = {
        name: _first_sentence(one.description or "")
        for one in docstring_parser.parse(inspect.getdoc(function) or "").params
        for name in one.arg_name.split(", ")
    }
    found = []
    for name, takes in inspect.signature(function).parameters.items():
        if name in ("null", "n_units", "rope"):
            continue
        required = takes.default is takes.empty
        default = None if required else takes.default
        found.append(
            Setting(
                name=name,
                words=words.get(name, ""),
                value=example.get(name, default),
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
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(key)} = {toml_value(x)}" for key, x in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(value)


def toml_key(key: str) -> str:
    """Return a key as written in TOML: quoted unless it is one string.

    Examples
    --------
    >>> toml_key("GATA1"), toml_key("GATA1, core broken")
    ('GATA1', '"GATA1, core broken"')
    """
    if re.fullmatch(r"[A-Za-z0-9_-]+", key):
        return key
    return json.dumps(key, ensure_ascii=False)


def _of_experiment(text: str, experiment: str) -> str:
    """Return the starter of an experiment from its template."""
    from jinja2 import Environment

    from causalgia.design import MatchedVariants
    from causalgia.experiments import entries
    from causalgia.trial_file.trial_experiment import function_of

    page = Environment(trim_blocks=True, keep_trailing_newline=True).from_string(text)
    return page.render(
        takes=inspect.signature(function_of(experiment)).parameters,
        entry=entries()[experiment],
        settings=settings_of(experiment),
        matched=MatchedVariants(of="genome").to_dict(),
        comment=_comment,
        line=_line,
        value=toml_value,
    )


def _line(setting: Setting) -> str:
    if setting.value is None:
        return f"# {setting.name} ="
    line = f"{setting.name} = {toml_value(setting.value)}"
    if isinstance(setting.value, str | Mapping):
        return line
    return textwrap.fill(line, _LINE_LETTERS, subsequent_indent="  ")


def _comment(text: str) -> str:
    return textwrap.fill(
        text, _LINE_LETTERS, initial_indent="# ", subsequent_indent="# "
    )


def _first_sentence(text: str) -> str:
    plain = re.sub(r"`{1,2}([^`]+)`{1,2}", r"\1", " ".join(text.split()))
    plain = re.sub(r"\bNone: ", "left out: ", plain)  # a file has no None
    return re.split(r"(?<=[a-z0-9)\]\"'])\.\s", plain, maxsplit=1)[0].rstrip(".") + "."


# of the oracle 'long_range'
_ENHANCER, _WEAK, _PROMOTER = "ATGCTGAGTCAT", "CCAGATAAGGAC", "GGCTATAAAAGG"
#: example file -> motif by position
_PLANTED: dict[str, Mapping[int, str]] = {
    "example.fa": {124: _ENHANCER, 304: _WEAK, 504: _PROMOTER},
    "negatives.fa": {504: _PROMOTER},
    "genome.fa": {304: "CCTGCATGGGAC"},  # of the oracle 'rbfox1_like'
}
# effects of up to 14.1, and one of exactly 0: (1 - 0.1 / 14.1)^n <= 0.05 from n = 421
_N_BACKGROUNDS = 440
_BACKGROUND_LENGTH = 600
# of so many sequences one lacks each motif, so that effects vary; none of the first 24,
# which have variants
_CYCLE = 30
_N_VARIANTS = 24


def example_files(experiment: str | None) -> dict[str, str]:
    """Return the example files used by the starter of an experiment: name -> text.

    Examples
    --------
    >>> example_files(None), list(example_files("variants"))
    ({}, ['genome.fa', 'example.vcf'])
    """
    if experiment is None:
        return {}
    from causalgia.experiments import entries

    settings = entries()[experiment].example
    first = _N_VARIANTS if "vcf" in settings else _N_BACKGROUNDS
    found = {
        name: _example_fasta(_PLANTED[name], first)
        for name in settings.values()
        if isinstance(name, str) and name in _PLANTED
    }
    if "vcf" in settings:
        found[settings["vcf"]] = _example_vcf(found[settings["fasta"]])
    return found


def _example_fasta(motifs: Mapping[int, str], first: int) -> str:
    """Return fixed random sequences as FASTA, the first of them with motifs at given
    positions, each lacking in one sequence of 30.
    """
    from causalgia.design import Uniform
    from causalgia.sequences import decode

    lines = []
    null = Uniform(length=_BACKGROUND_LENGTH)
    drawn = null.sample(_N_BACKGROUNDS, rng=len(motifs))["sequence"].to_numpy()
    for number, letters in enumerate(decode(drawn), start=1):
        for lacking, (place, motif) in enumerate(motifs.items()):
            if number <= first and number % _CYCLE != _CYCLE - 1 - lacking:
                letters = letters[:place] + motif + letters[place + len(motif) :]
        lines.append(f">example_{number}\n{letters}\n")
    return "".join(lines)


def _example_vcf(genome: str) -> str:
    """Return a variant in each of the first 24 sequences: 12 in the motif, 12 beside."""
    lines = ["##fileformat=VCFv4.3", "#CHROM\tPOS\tID\tREF\tALT"]
    for number, letters in enumerate(genome.splitlines()[1 : 2 * _N_VARIANTS : 2], 1):
        at = 308 if number <= _N_VARIANTS // 2 else 340
        alternate = "C" if letters[at] != "C" else "A"
        lines.append(
            f"example_{number}\t{at + 1}\tv{number}\t{letters[at]}\t{alternate}"
        )
    return "\n".join(lines) + "\n"
