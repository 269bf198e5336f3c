"""Tables of a `trial.toml`: the keys that each takes, and the files that they name.

The keys of a table are the arguments of a class or a function, and so are their types
and defaults.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache
from inspect import Parameter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from causalgia.analysis import Analysis
from causalgia.checks import Table, check_key, check_keys, is_not_among
from causalgia.design import Design, MatchedVariants, NullModel
from causalgia.design.null_distributions import NULL_MODELS
from causalgia.errors import CausalgiaError, DesignError, quoted
from causalgia.inputs import is_file
from causalgia.predict.track import Track, Window
from causalgia.sequences import read_fasta, read_sequences

Name = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


@dataclass(frozen=True, kw_only=True)
class TrialFile:
    """Keys at the top of a trial file.

    Parameters
    ----------
    name
        What the trial is called.
    n_units
        How many backgrounds are drawn.
    rng
        The seed, a whole number of at least 0.
    assignment
        Which units receive which arm: ``"crossover"`` (every unit gets every arm; the
        default) or ``"parallel"`` (each unit is randomized to one).
    blocks
        Strata inside which the arms of a parallel trial are balanced: ``"parent"``, or
        a list with a label for each unit.
    reserve
        Share of the parents that this trial never uses, so that `causalgia.confirm` can.
    contrasts
        Contrasts that the trial is designed for: the control arm, or
        ``{name = {arm = weight, ...}}``; usually in ``[analysis]``.
    null
        The null model, a table below.
    experiment
        An experiment of the catalogue, instead of ``arms`` and ``placebos``. Or
        ``kind = "trial"``: the question that ``arms`` and ``contrasts`` ask.
    predictor
        The predictor, a table below.
    arms
        The arms, a table each.
    placebos
        Arms of one motif, rearranged. May be left out.
    analysis
        The analysis plan. May be left out.
    mpra
        The design as an oligo library, for ``causalgia mpra design``. Not needed for a
        trial on a predictor.
    """

    name: Name = "trial"
    n_units: Count | None = None
    rng: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    assignment: Literal["crossover", "parallel"] | None = None
    blocks: Literal["parent"] | list[str | int] | None = None
    reserve: float | None = None
    contrasts: str | dict[str, Any] | None = None
    null: dict[str, Any] | None = None
    experiment: dict[str, Any] | None = None
    predictor: dict[str, Any] | None = None
    arms: dict[str, Any] | None = None
    placebos: dict[str, Any] | None = None
    analysis: dict[str, Any] = field(default_factory=dict)
    mpra: dict[str, Any] | None = None

    @classmethod
    def of(cls, plain: Table, folder: Path) -> TrialFile:
        """Return the tables of a file; paths in them, but those of [predictor], are
        relative to `folder`.
        """
        return cls(**arguments(cls, with_absolute_paths(plain, folder), ""))

    def need(self, key: str) -> Any:
        """Return the value of a key, or raise DesignError if the file lacks it."""
        if (value := getattr(self, key)) is None:
            raise DesignError(f"a trial needs {quoted(key)}")
        return value


@dataclass(frozen=True, kw_only=True)
class Placebos:
    """Keys of ``[placebos]``.

    Parameters
    ----------
    of
        The motif that they are rearrangements of.
    at
        Their position.
    n
        How many; 40 or more define a ROPE.
    strand
        Their strand, ``"+"`` or ``"-"``.
    """

    of: str | dict[str, Any]
    at: int
    n: int
    strand: Literal["+", "-"] = "+"


#: the keys that a predictor known by name takes
_BESIDE = {
    "zoo": {"zoo", "device"},
    "network": {"network", "device", "batch_size", "key", "index", "window"},
}


@dataclass(frozen=True, kw_only=True)
class PredictorSpec:
    """Specification of a predictor: one of the zoo or a published network by name, or a
    user's factory.

    Parameters
    ----------
    zoo
        A predictor of the zoo, by its name. The only other key allowed is then
        ``device``.
    network
        Instead: a published network, as `causalgia.networks.load` takes its name. It
        brings its tasks, scale, alphabet and track.
    factory
        Instead: ``"my_net.py:load"``, a file and a function in it; or ``"net.onnx"``.
    weights
        A file of weights for the factory's network: ``.safetensors``, or a state dict in
        ``.pt`` or ``.pth``. A list of two or more files are retrainings of it, which
        form an ensemble.
    alphabet
        The letters of the network's one-hot rows in order, such as ``"ACTG"``.
    tasks
        A name for each output.
    scale
        The scale of the outputs, in words, such as ``"log counts"``; or one for each
        task, ``{K562 = "log counts", CTCF = "share"}``.
    key
        The key of the network's output that is read, where it is a dict.
    index
        Its place, where the output is a tuple.
    track
        The axis of positions of the output, the table of a `causalgia.Track`; with a
        window by default the last.
    window
        The table of a `causalgia.Window`, or a list of them, that are read of it.
    device
        The torch device: ``"auto"``, ``"cpu"``, ``"cuda"`` (``"cuda:1"``) or ``"mps"``;
        ``--device`` on the command line wins. A predictor of the zoo runs on the CPU.
    batch_size
        Sequences in a forward pass, or ``"auto"``.

    Raises
    ------
    DesignError
        If not one of zoo, network and factory is given, the device is unknown, or the
        predictor cannot run on it.

    Examples
    --------
    >>> PredictorSpec(factory="my_net.py:load", weights="net.safetensors").describe()
    'my_net.py:load with net.safetensors'
    """

    zoo: Name | None = None
    network: Name | None = None
    factory: Name | None = None
    weights: Name | tuple[Name, ...] | None = None
    alphabet: Name | None = None
    tasks: Name | tuple[Name, ...] | None = None
    scale: Name | Mapping[str, Name] | tuple[Name, ...] | None = None
    key: Name | None = None
    index: int | None = None
    track: dict[str, Any] | None = None
    window: dict[str, Any] | list[dict[str, Any]] | None = None
    device: str = "auto"
    batch_size: Count | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        given = self.to_dict()
        of_one = given.keys() & {"zoo", "network", "factory"}
        if len(of_one) != 1:
            raise DesignError("[predictor]: give one of zoo, network and factory")
        (kind,) = of_one
        for key in given.keys() - _BESIDE.get(kind, given.keys()):
            raise DesignError(f"[predictor]: {key} is for a factory, not for a {kind}")
        if not re.fullmatch(r".+\.(onnx|py:[^\W\d]\w*)", self.factory or "net.onnx"):
            raise DesignError(
                f"[predictor]: factory = {quoted(self.factory)} must be such as "
                "'my_net.py:load' or 'net.onnx'"
            )
        files = self.weights
        if isinstance(files, tuple) and not len(set(files)) == len(files) > 1:
            raise DesignError(
                f"[predictor]: weights = {quoted(list(files))}: retrainings are two or "
                "more different files"
            )
        check_device(self.device, zoo="zoo" in given, label="[predictor]: device =")
        with errors_of("[predictor]"):
            _ = self.read_out

    @property
    def read_out(self) -> dict[str, Any]:
        """The arguments ``reduce`` and ``track`` of a predictor, as far as given."""
        tables = [self.window] if isinstance(self.window, dict) else self.window or []
        windows = [
            Window(**arguments(Window, table, "[predictor.window]")) for table in tables
        ]
        chosen = [one for one in (self.key, self.index) if one is not None]
        if len(chosen) > 1:
            raise DesignError("give key or index, and not both")
        track = None
        if windows or self.track is not None:
            track = Track(**arguments(Track, self.track or {}, "[predictor.track]"))
        steps = {"reduce": [*chosen, *windows] or None, "track": track}
        return {name: value for name, value in steps.items() if value is not None}

    @classmethod
    def of(cls, plain: Table, folder: Path) -> PredictorSpec:
        """Return the predictor of a table, with absolute paths of files, which must
        exist.
        """
        given = arguments(cls, plain, "[predictor]")
        if isinstance(given.get("tasks"), str):
            given["tasks"] = (given["tasks"],)
        made, found = cls(**given), dict[str, Any]()
        if made.factory is not None:
            file = re.sub(r"(?<=\.py):\w+$", "", made.factory)
            place = existing(folder, file, "[predictor]: factory")
            found["factory"] = place + made.factory[len(file) :]
        if isinstance(made.weights, str):
            found["weights"] = existing(folder, made.weights, "[predictor]: weights")
        elif made.weights is not None:
            found["weights"] = tuple(
                existing(folder, file, "[predictor]: weights") for file in made.weights
            )
        return replace(made, **found)

    def to_dict(self) -> dict[str, Any]:
        """Return fields that differ from their defaults as TOML-ready data."""
        pairs = ((one, getattr(self, one.name)) for one in fields(self))
        return {
            one.name: list(value) if isinstance(value, tuple) else value
            for one, value in pairs
            if value != one.default
        }

    def describe(self) -> str:
        """Return a short description of the predictor, without folders."""
        if self.zoo is not None:
            return f"zoo: {self.zoo}"
        if self.network is not None:
            return f"network: {self.network}"
        weights = (
            (self.weights,) if isinstance(self.weights, str) else self.weights or ()
        )
        factory, *files = (Path(str(name)).name for name in (self.factory, *weights))
        return f"{factory} with {', '.join(files)}" if files else factory


def check_device(device: str, *, zoo: bool, label: str) -> None:
    """Raise DesignError if a device is unknown, or not the CPU for a predictor of the
    zoo.

    Examples
    --------
    >>> check_device("mps", zoo=True, label="--device")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: --device 'mps': a predictor of the zoo runs on the CPU
    """
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device) is None:
        raise DesignError(
            f"{label} {quoted(device)} must be auto, cpu, cuda, cuda:1 or mps"
        )
    if zoo and device not in ("auto", "cpu"):
        raise DesignError(
            f"{label} {quoted(device)}: a predictor of the zoo runs on the CPU"
        )


@contextmanager
def errors_of(place: str) -> Iterator[None]:
    """Begin the errors of the library with the place in the file."""
    try:
        yield
    except CausalgiaError as error:
        raise DesignError(f"{place}: {error}") from error


@cache
def taken_by(make: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Return the arguments of a class or a function: name -> type, default."""
    typed = make.__init__ if inspect.isclass(make) else make
    hints = get_type_hints(typed, include_extras=True)
    takes = inspect.signature(make).parameters
    return {name: (hints[name], one.default) for name, one in takes.items()}


def check_named(
    make: Callable[..., Any], plain: Table, place: str, *, but: tuple[str, ...] = ()
) -> None:
    """Raise DesignError if a table has a key that is no argument of a class or a
    function, or lacks one that it needs; `but` are arguments that another table gives.
    """
    takes = {name: one for name, one in taken_by(make).items() if name not in but}
    check_keys(plain, place, takes)
    for name, (_, default) in takes.items():
        if default is Parameter.empty:
            check_key(plain, name, place)


def arguments(
    make: Callable[..., Any], plain: Table, place: str, *, but: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the keys of a table as arguments of a class or a function, as
    `check_named`, converted to their types.

    A value of a type that TOML has not, such as a `Motif`, is left to the function.

    Raises
    ------
    DesignError
        If a key is unknown (the nearest is named) or lacks, or a value is of another
        type.

    Examples
    --------
    >>> arguments(Placebos, {"of": "AGATAAG", "at": 20, "n": "5"}, "[placebos]")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [placebos] n = '5': Expected `int`, got `str`
    """
    check_named(make, plain, place, but=but)
    kinds = taken_by(make)
    return {
        key: _converted(value, kinds[key][0], f"{place} {key}".strip())
        for key, value in plain.items()
    }


def _converted(value: Any, kind: Any, place: str) -> Any:
    if not _is_of_toml(kind):
        return value
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        parts = [one for one in (kind, *get_args(kind)) if get_origin(one) is Literal]
        choices = [choice for one in parts for choice in get_args(one)]
        if choices and isinstance(value, str):
            known = is_not_among(value, choices, "choice")
            raise DesignError(f"{place} = {quoted(value)} {known}") from None
        raise DesignError(f"{place} = {quoted(value)}: {error}") from None


def _is_of_toml(kind: Any) -> bool:
    """Return whether a type has no parts but those of TOML."""
    origin = get_origin(kind) or kind
    if origin in (Literal, Any):
        return True
    parts = get_args(kind)[: 1 if origin is Annotated else None]
    return origin in _OF_TOML and all(map(_is_of_toml, parts))


_OF_TOML = {
    *(str, int, float, bool, NoneType, tuple, list, dict, Annotated),
    *(Union, UnionType, Sequence, Mapping, ...),
}


def place_of(folder: Path, file: str) -> Path:
    """Return where a file that a trial file names is.

    The trial file in a folder of results has absolute paths, of the machine of the run.
    Where such a path leads nowhere, a file of the same name beside the trial file is
    taken in its place: what a referee was sent. Fingerprints show whether it is the
    same.

    Examples
    --------
    >>> import tempfile
    >>> results = Path(tempfile.mkdtemp())
    >>> place_of(results, "/author/net.py") == Path("/author/net.py")
    True
    >>> _ = (results / "net.py").write_text("")
    >>> place_of(results, "/author/net.py") == results / "net.py"
    True
    """
    path = folder / file
    if Path(file).is_absolute() and not is_file(path):
        beside = folder / path.name
        return beside if is_file(beside) else path
    return path


def existing(folder: Path, file: str, place: str) -> str:
    """Return where a file is, or raise DesignError if there is none."""
    path = place_of(folder, file)
    if not is_file(path):
        raise DesignError(f"{place} = {quoted(file)}: no such file in {path.parent}")
    return str(path)


#: table -> keys that may name files; None: all of them
_FILES: dict[str, tuple[str, ...] | None] = {
    "null": ("of", "file", "genome"),
    "arms": ("file",),
    "placebos": ("file",),
    "experiment": None,
    "mpra": ("positives", "negatives"),
}
_ENDINGS = re.compile(
    r"\.(fa|fasta|fna|2bit|vcf|meme|jaspar|pfm|bed|narrowPeak|txt|tsv|csv|npz|npy)(\.gz)?$"
)


def with_absolute_paths(plain: Table, folder: Path) -> Table:
    """Return a trial file with absolute paths, except for those of [predictor]: of texts
    that end like the name of a file or name one in `folder`.

    Examples
    --------
    >>> settings = {"kind": "variants", "motif": "GATA1", "vcf": "a.vcf.gz"}
    >>> with_absolute_paths({"experiment": settings}, Path("/data"))["experiment"]
    {'kind': 'variants', 'motif': 'GATA1', 'vcf': '/data/a.vcf.gz'}
    """
    return plain | {
        name: _absolute(plain[name], folder, keys)
        for name, keys in _FILES.items()
        if name in plain
    }


def _absolute(
    value: Any, folder: Path, keys: tuple[str, ...] | None, key: str = ""
) -> Any:
    if isinstance(value, dict):
        return {
            name: one
            if name in ("kind", "levels")
            else _absolute(one, folder, keys, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_absolute(one, folder, keys) for one in value]
    if not isinstance(value, str) or (keys is not None and key not in keys):
        return value
    named = key == "file" or _ENDINGS.search(value) is not None
    # letters are those of a sequence or a motif, and "genome" is that of the variants
    if (key == "of" and value not in ("genome", "variants")) or re.search(
        "[^A-Za-z]", value
    ):
        named = named or is_file(folder / value)
    return str(place_of(folder, value)) if named else value


def is_file_table(value: object) -> bool:
    """Return whether a value is a table that reads sequences of a file: {file = "x.fa",
    ambiguous = "draw"}.
    """
    return isinstance(value, Mapping) and "file" in value and "motif" not in value


def sequences_of(value: Any, *, place: str, rng: int) -> Any:
    """Return the sequences of a table {file = "peaks.fa", ambiguous = "draw"}; another
    value as it is.

    Its other keys are arguments of `cg.read_sequences`; letters are drawn by ``rng``,
    by default that of the file.

    Raises
    ------
    DesignError
        If a key is unknown or its value wrong.
    SequenceError
        As `read_sequences`.
    """
    if not is_file_table(value):
        return value
    options = {key: one for key, one in value.items() if key != "file"}
    arguments(read_sequences, options, place, but=("path",))
    if "ambiguous" in options:
        options = {"rng": rng} | options
    try:
        return read_sequences(value["file"], **options)
    except TypeError as error:  # of a seed that is none
        raise DesignError(f"{place}: {error}") from error


def read_null(table: Table, rng: int) -> NullModel | MatchedVariants:
    """Return the null model of ``[null]``, a table with absolute paths."""
    check_key(table, "kind", "[null]")
    plain = dict(table)
    kind = plain.pop("kind")
    with errors_of("[null]"):
        kinds: dict[str, Any] = {**NULL_MODELS, MatchedVariants.kind: MatchedVariants}
        if not isinstance(kind, str) or kind not in kinds:
            known = is_not_among(str(kind), list(kinds), "kind")
            raise DesignError(f"kind = {quoted(kind)} {known}")
        if "skip" in plain and isinstance(plain.get("of"), str):
            plain["of"] = read_fasta(plain["of"], skip=plain.pop("skip"))
        check_named(kinds[kind], plain, kind)
        if "of" in plain:
            plain["of"] = sequences_of(plain["of"], place="of", rng=rng)
        made: NullModel | MatchedVariants = kinds[kind].from_dict(
            plain | {"kind": kind}
        )
        return made


@dataclass(frozen=True, kw_only=True)
class LibrarySpec:
    """Specification of an oligo library in a trial file.

    Parameters
    ----------
    name
        Name of the trial.
    design
        Design of the trial.
    rng
        Seed, a whole number.
    analysis
        Analysis plan.
    options
        The ``[mpra]`` table as arguments of `causalgia.mpra.library`.
    """

    name: str
    design: Design
    rng: int
    analysis: Analysis
    options: dict[str, Any]


def library_keys() -> dict[str, tuple[str, str]]:
    """Return the keys of ``[mpra]``: key -> the argument of `causalgia.mpra.library`
    that it goes to, and the field of it, or "" if it is that argument.

    Examples
    --------
    >>> keys = library_keys()
    >>> keys["oligo_length"], keys["gc"], keys["barcode_length"]
    (('oligo_length', ''), ('rules', 'gc'), ('barcode_rules', 'length'))
    """
    from causalgia.mpra import Controls, OligoRules, library

    keys = {name: (name, "") for name in taken_by(library)}
    for name in ("design", "rng", "rules", "controls", "barcode_rules"):
        del keys[name]
    keys |= {name: ("rules", name) for name in taken_by(OligoRules)}
    keys |= {name: ("controls", name) for name in taken_by(Controls)}
    keys["barcode_length"] = ("barcode_rules", "length")
    return keys | {name: ("barcode_rules", name) for name in ("min_distance", "seeds")}


def library_options(table: Table) -> dict[str, Any]:
    """Return an ``[mpra]`` table with absolute paths as arguments of
    `causalgia.mpra.library`.

    Raises
    ------
    DesignError
        If a required key is absent, a key is unknown, or a value is wrong.

    Examples
    --------
    >>> library_options({"oligo_length": 230, "adapters": "lentimpra"})
    {'oligo_length': 230, 'adapters': 'lentimpra'}
    """
    from causalgia.mpra import BarcodeRules, Controls, OligoRules, library
    from causalgia.mpra.libraries.constructs import construct

    keys = library_keys()
    check_keys(table, "[mpra]", keys)
    parts: dict[str, dict[str, Any]] = {
        "rules": {},
        "controls": {},
        "barcode_rules": {},
    }
    options = dict[str, Any]()
    for key, value in table.items():
        argument, part = keys[key]
        made = tuple(value) if isinstance(value, list) else value
        (parts[argument] if part else options)[part or key] = made
    arguments(library, options, "[mpra]", but=("design", "rng", *parts))
    with errors_of("[mpra]"):
        if parts["barcode_rules"]:
            length = construct(options["adapters"]).usual_barcode_length
            parts["barcode_rules"] = {"length": length} | parts["barcode_rules"]
        for part, make in zip(parts, (OligoRules, Controls, BarcodeRules), strict=True):
            if parts[part]:
                options[part] = make(**parts[part])
    return options
