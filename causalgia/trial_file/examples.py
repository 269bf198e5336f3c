"""What a trial file to begin with gives where an experiment has no default: small sequences, words in known places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

from causalgia.experiments import entries
from causalgia.trial_file.experiment_table import parameters

_ENHANCER, _WEAK, _PROMOTER = "ATGCTGAGTCAT", "CCAGATAAGGAC", "GGCTATAAAAGG"  # of the oracle 'long_range'
_N, _LENGTH = 24, 600

#: setting -> what suits the example sequences
_SETTINGS: dict[str, Any] = {
    "sequences": "example.fa",
    "negatives": "negatives.fa",
    "motif": _WEAK,
    "element": [120, 180],
    "tile": [120, 180],
    "tiles": [[120, 180], [300, 360], [420, 480]],
    "at": [0, 180, 360],
    "tss": [480, 540],
    "tile_width": 60,
    "rope": [-0.1, 0.1],
    "vcf": "example.vcf",
    "fasta": "example.fa",
    "length": 420,
}
_BETTER = ("tile_width", "rope", "length")  # than the default, which is for longer sequences that differ
_OF_ORACLE: dict[str, Mapping[str, Any]] = {"pairs_like": {"rope": [-0.1, 0.1]}}  # its backgrounds hardly vary: no sd


@dataclass(frozen=True, kw_only=True)
class Example:
    """What makes the file of an experiment run as it is.

    Parameters
    ----------
    settings
        Setting -> value, TOML-ready.
    files
        Small files that they name: name -> text.
    zoo
        Oracle that knows their words.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    zoo: str


def example_of(kind: str) -> Example:
    """Return settings of an experiment on real sequences, and these; of one on a null model, what suits its oracle.

    Parameters
    ----------
    kind
        Of the catalogue.

    Examples
    --------
    >>> example_of("copies")
    Example(settings={}, files={}, zoo='rbfox1_like')
    """
    takes, zoo = parameters(kind), entries()[kind].zoo
    if next(iter(takes)) == "null":
        return Example(settings=_OF_ORACLE.get(zoo, {}), zoo=zoo)
    needed = [name for name, p in takes.items() if p.default is Parameter.empty or name in _BETTER]
    settings = {name: _SETTINGS[name] for name in needed if name in _SETTINGS}
    named = [value for value in settings.values() if isinstance(value, str) and value in _PLANTED]
    files = {name: _fasta(_PLANTED[name]) for name in named}
    if "vcf" in settings:
        files[settings["vcf"]] = _vcf(files[settings["fasta"]])
    return Example(settings=settings, files=files, zoo="long_range")


_PLANTED: dict[str, Mapping[int, str]] = {
    "example.fa": {124: _ENHANCER, 304: _WEAK, 504: _PROMOTER},
    "negatives.fa": {504: _PROMOTER},
}


def _fasta(words: Mapping[int, str]) -> str:
    """Return random sequences, always the same, with words at these places."""
    rows = [_planted(letters, words) for letters in _random(len(words))]
    return "".join(f">example_{number}\n{row}\n" for number, row in enumerate(rows, start=1))


def _random(seed: int) -> list[str]:
    from causalgia.design import Uniform
    from causalgia.sequences import decode

    return list(decode(Uniform(length=_LENGTH).sample(_N, rng=seed)["sequence"].to_numpy()))


def _planted(letters: str, words: Mapping[int, str]) -> str:
    for place, word in words.items():
        letters = letters[:place] + word + letters[place + len(word) :]
    return letters


def _vcf(fasta: str) -> str:
    """Return a variant of each sequence: of the first half in the weak enhancer's word, of the others beside it."""
    lines = ["##fileformat=VCFv4.3", "#CHROM\tPOS\tID\tREF\tALT"]
    for number, letters in enumerate(fasta.splitlines()[1::2]):
        at = 308 if number < _N // 2 else 340
        alternate = "C" if letters[at] != "C" else "A"
        lines.append(f"example_{number + 1}\t{at + 1}\tv{number + 1}\t{letters[at]}\t{alternate}")
    return "\n".join(lines) + "\n"
