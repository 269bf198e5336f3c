"""Trained networks: ensembles of five small networks, each fitted to noisy outputs of
an oracle.

They learn the oracle imperfectly and disagree, as networks trained on experimental data
do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from operator import index
from pathlib import Path
from typing import Any, Literal, SupportsIndex, TypeAlias, overload

from causalgia import predict
from causalgia.errors import PredictorError, quoted
from causalgia.zoo.grammar import Oracle
from causalgia.zoo.oracles import names as oracle_names, oracle

Architecture: TypeAlias = Literal["residual", "exponential"]

STORIES = ("rbfox1_like", "vts1_like")
ARCHITECTURES = ("residual", "exponential")
MEMBERS = 5
WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weight files and their cards."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Model card of five networks: training data, fit, and accuracy on new sequences.

    R2 is ``1 - sum (y - prediction)^2 / sum (y - mean y)^2`` over test sequences drawn
    like the training sequences. Its ceiling is 1 against the oracle's outputs and
    ``1 / (1 + noise^2)`` against labels.

    Parameters
    ----------
    name, network
        Names of the oracle and of the architecture.
    parameters
        Number of parameters of each network.
    data
        Description of the sequences.
    n_train, n_test
        Training sequences of each member (its own sample), and test sequences shared by
        all.
    noise
        Standard deviation of the normal noise of the labels, relative to that of the
        oracle's outputs.
    loss, optimizer, epochs
        Loss, optimizer, and number of passes through the data.
    command
        Command that trained the networks.
    trained_on
        Repr of the oracle.
    seeds, digests
        For each member: its seed, and the SHA-256 of its weight file.
    test_r2, test_r2_noise_free
        For each member: R2 against the noisy labels, and against the oracle's outputs.
    """

    name: str
    network: str
    parameters: int
    data: str
    n_train: int
    n_test: int
    noise: float
    loss: str
    optimizer: str
    epochs: int
    command: str
    trained_on: str
    seeds: tuple[int, ...]
    digests: tuple[str, ...]
    test_r2: tuple[float, ...]
    test_r2_noise_free: tuple[float, ...]

    def __str__(self) -> str:
        labels, truth = (
            f"{min(r2):.3f} to {max(r2):.3f}"
            for r2 in (self.test_r2, self.test_r2_noise_free)
        )
        return (
            f"{self.name}, {self.network}: {len(self.seeds)} networks of "
            f"{self.parameters:,} parameters\n"
            f"data: {self.n_train:,} {self.data}; noise {self.noise} of the sd of the "
            "oracle's answers\n"
            f"loss: {self.loss}; {self.optimizer}; {self.epochs} epochs\n"
            f"test R2 on {self.n_test:,} new sequences: {labels} against labels, "
            f"{truth} against the oracle\n"
            f"made by: {self.command}"
        )


def card(name: str, *, architecture: Architecture = "residual") -> Card:
    """Return the model card of the five networks of a name.

    Raises
    ------
    PredictorError
        If there is no such name or architecture; the message suggests similar names.

    Examples
    --------
    >>> known = card("rbfox1_like")
    >>> known.loss, len(known.seeds), min(known.test_r2_noise_free) > 0.95
    ('mean squared error', 5, True)
    """
    _check_known(name, STORIES, "no trained networks of")
    _check_known(architecture, ARCHITECTURES, "no architecture")
    return read_card(card_path(WEIGHTS, name, architecture))


@overload
def load(
    name: Literal["rbfox1_like", "vts1_like"],
    *,
    member: SupportsIndex = ...,
    architecture: Architecture = ...,
) -> predict.TorchPredictor: ...
@overload
def load(
    name: str,
    *,
    member: SupportsIndex = ...,
    architecture: Architecture = ...,
) -> predict.TorchPredictor | Oracle: ...
def load(
    name: str, *, member: SupportsIndex = 0, architecture: Architecture = "residual"
) -> predict.TorchPredictor | Oracle:
    """Return one network as a predictor of 41-nt sequences, trained on labels from the
    `oracle` of that name; or the oracle itself, where no network was trained on it.

    Parameters
    ----------
    name
        ``"rbfox1_like"`` or ``"vts1_like"``, whose networks are in the zoo; or another
        one of `causalgia.zoo.oracles.names`, whose oracle is returned.
    member
        Index of the network, 0 to 4; `ensemble` has all five. An oracle has none.
    architecture
        ``"residual"``: a small network after ResidualBind; ``"exponential"``: a small
        convolutional network with exponential activations.

    Raises
    ------
    PredictorError
        If there is no such name, architecture or member, or its weight file is missing
        or altered; if a member or an architecture is asked of an oracle.
    MissingExtraError
        If torch or safetensors is not installed.

    References
    ----------
    Koo, Majdandzic, Ploenzke, Anand & Paul (2021) Global importance analysis: an
    interpretability method to quantify importance of genomic features in deep neural
    networks. doi:10.1371/journal.pcbi.1008925

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> predictor = load("rbfox1_like")
    >>> predictor.tasks, predictor.scale
    (('RBFOX1',), 'log intensity')
    >>> without, strong = predictor.predict(
    ...     encode(["A" * 41, "A" * 17 + "UGCAUG" + "A" * 18])
    ... )[:, 0]
    >>> bool(2.5 < strong - without < 4.5)
    True
    >>> load("gata1_like").tasks
    ('K562', 'HepG2')
    """
    if name not in STORIES and name in oracle_names():
        requested = {
            "member": member not in (0,),
            "architecture": architecture != "residual",
        }
        for argument in (argument for argument, given in requested.items() if given):
            raise PredictorError(
                f"no networks were trained on {quoted(name)}, only on "
                f"{', '.join(map(quoted, STORIES))}: {argument}= has no meaning"
            )
        return oracle(name)
    if name not in STORIES:
        every = (*STORIES, *(one for one in oracle_names() if one not in STORIES))
        _check_known(name, every, "no predictor")
    known = card(name, architecture=architecture)
    try:
        which = -1 if isinstance(member, bool) else index(member)
    except TypeError:
        which = -1
    if which not in range(MEMBERS):
        raise PredictorError(
            f"member={quoted(member)} must be a whole number from 0 to {MEMBERS - 1}"
        )
    from causalgia.predict import TorchPredictor, load_weights
    from causalgia.zoo.torch_networks import NETWORKS

    path, trained_on, made = (
        weights_path(WEIGHTS, name, architecture, which),
        oracle(name),
        NETWORKS[architecture](),
    )
    if not path.is_file() or file_digest(path) != known.digests[which]:
        raise PredictorError(
            f"{path} is absent or not the file that was trained (its SHA-256 is "
            "in the card)"
        )
    load_weights(made, path)
    return TorchPredictor(made, tasks=trained_on.tasks, scale=trained_on.scale)


def ensemble(name: str, *, architecture: Architecture = "residual") -> predict.Ensemble:
    """Return the five trained networks of a name as an ensemble, with members "member
    0" to "member 4".

    Raises
    ------
    PredictorError
        As `load`.
    MissingExtraError
        If torch or safetensors is not installed.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> ensemble("vts1_like", architecture="exponential").predict(
    ...     encode("A" * 41)
    ... ).shape
    (1, 1, 5)
    """
    from causalgia.predict import Ensemble

    _check_known(name, STORIES, "no trained networks of")
    return Ensemble(
        {
            f"member {i}": load(name, member=i, architecture=architecture)
            for i in range(MEMBERS)
        }
    )


def weights_path(folder: Path, name: str, architecture: str, member: int) -> Path:
    """Return the path of the weights of a member in a folder."""
    return folder / f"{name}_{architecture}_{member}.safetensors"


def card_path(folder: Path, name: str, architecture: str) -> Path:
    """Return the path of a card in a folder."""
    return folder / f"{name}_{architecture}.json"


def read_card(path: Path) -> Card:
    """Return the card in a file."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    frozen: dict[str, Any] = {
        name: tuple(x) if isinstance(x, list) else x for name, x in fields.items()
    }
    return Card(**frozen)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()


def _check_known(name: object, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        raise PredictorError(f"zoo has {what} {quoted(name)}, only {', '.join(known)}")
