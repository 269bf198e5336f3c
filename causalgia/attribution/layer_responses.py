"""What layers respond to: channels (`filters`), their motifs (`match`) and pairs of
positions (`attention`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.attribution.map_scores import as_explained, as_torch_predictor
from causalgia.attribution.motif_naming import expected_match, motif_name
from causalgia.attribution.seqlets import threads_of_torch
from causalgia.checks import as_names, listed, nearest
from causalgia.choices import BASES
from causalgia.compiled import caching_if_possible
from causalgia.errors import (
    MissingExtraError,
    PredictorError,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.predict import Predictor
from causalgia.schema import validate
from causalgia.sequences.fasta import Source
from causalgia.sequences.motif_names import (
    MotifList,
    factor_class,
    is_jaspar,
    jaspar_motifs,
    named_motifs,
)
from causalgia.sequences.motifs import Motif
from causalgia.types import Tokens

if TYPE_CHECKING:
    from torch import nn

    from causalgia.predict import TorchPredictor


def filters(
    predictor: Predictor,
    layer: str,
    sequences: Source | xr.Dataset,
    *,
    side: Literal["output", "input"] = "output",
    activation: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> xr.Dataset:
    """Return what each channel of a layer responds to: base frequencies over the sites
    that excite it.

    A site of a channel is a window where its activation exceeds half of its maximum
    over all sequences. A filter that looks like a motif is a hypothesis; a contrast
    with `Nullified` estimates its effect on the network.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor`.
    layer
        Name of a layer, as in ``predictor.module.named_modules()``.
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from
        ``null.sample``.
    side
        ``"output"`` of the layer, or its ``"input"``: an activation that is no module,
        as in ``conv(x).exp()``, is the input of the layer that follows.
    activation
        Applied to what the layer answers, such as ``np.exp``, where no layer has the
        activation: half of a maximum means little before it.

    Returns
    -------
    Dataset
        ``frequency (channel, motif_position, base)``,
        ``information (channel, motif_position)`` in bits, ``n_sites (channel)`` and
        ``maximum (channel)`` of the activation. The width is that of the receptive
        field, found by substitutions; sites that leave the sequence are not counted. A
        channel that is never above 0 has no site, and frequencies of .25. Few sites
        look informative by chance alone: n of them have about ``2.16 / n`` bits at each
        position.

    Raises
    ------
    PredictorError
        If there is no such layer (which lists those that exist), it takes no part in
        the forward pass, or several times, or its places read the whole sequence.
    PredictorError
        If the predictor has no layers.

    References
    ----------
    Koo and Ploenzke (2021), doi:10.1038/s42256-020-00291-x: filters as motifs, half of
    the maximum.

    Examples
    --------
    >>> import causalgia as cg
    >>> predictor = cg.zoo.load("rbfox1_like", architecture="exponential")
    >>> sample = cg.Uniform(length=41).sample(500, rng=0)
    >>> found = filters(predictor, "second", sample, side="input")
    >>> dict(found.sizes)
    {'channel': 32, 'motif_position': 19, 'base': 4}
    """
    network = as_torch_predictor(predictor, "filters")

    import xarray as xr

    from causalgia.attribution.layers import base_counts, filter_sites

    of = as_explained(sequences)
    sites = filter_sites(network, layer, of, side, activation)
    counts = base_counts(of.tokens, sites)
    n_sites = counts[:, 0].sum(-1)
    frequency = np.where(
        n_sites[:, None, None] > 0, counts / np.maximum(n_sites, 1)[:, None, None], 0.25
    )
    logs = np.log2(frequency, where=frequency > 0, out=np.zeros_like(frequency))
    variables = {
        "frequency": (("channel", "motif_position", "base"), frequency),
        "information": (("channel", "motif_position"), 2 + (frequency * logs).sum(-1)),
        "n_sites": ("channel", n_sites),
        "maximum": ("channel", sites.maximum),
    }
    attrs = attributes(
        layer=layer, side=side, predictor=network.fingerprint, sequences=of.digest
    )
    coords = {
        "channel": np.arange(len(counts)),
        "motif_position": np.arange(counts.shape[1]),
        "base": list(BASES),
    }
    return as_result(xr.Dataset(variables, coords, attrs), "filters")


Motifs: TypeAlias = xr.Dataset | MotifList
#: bits of the first and the last column that is compared: with the flanks of 32 filters,
#: 4 to 7 of them with their columns in random order had a q below .05; without, none of
#: 96
_TRIM = 0.25
_LEAST_TARGETS = 50  # motifs; with fewer, those of JASPAR stand beside them
_RANDOM = 20


def match(
    motifs: Motifs,
    database: Motifs = "JASPAR",
    *,
    taxon: str | None = "vertebrates",
    expected: str | Sequence[str] | None = None,
) -> xr.Dataset:
    """Return how alike motifs are to those of a database: Tomtom p-values, q-values
    over the database, and a name for each.

    Each motif is a question of its own, "is it one of these?": its q-values are
    Benjamini-Hochberg's over the database, so that its names are the same whatever
    other motifs stand in the list. Of a list of motifs that are none of the database's,
    a tenth at most would have a name.

    Tomtom treats the columns of a motif as independent draws from those of the
    database. Columns of little information then match the gaps of long motifs too well:
    of 100 filters drawn at random 6 to 100 had a q of .1 or less, most for the 34-bp
    motifs of CTCF. Therefore each motif is also compared as 20 random ones, with the
    bases of each column in random order, and p is raised to the power
    ``1 / max(1, mean of -log p of these)``: exact if -log p is exponential. Of 400
    random filters at each of four strengths, .3 to 4.8 % then had a motif with a q of
    .1 or less.

    Parameters
    ----------
    motifs
        Filters from `filters`; a file of motifs; or a mapping name -> motif, or a list,
        of anything that `causalgia.motif` takes.
    database
        ``"JASPAR"``: the CORE collection inside pyjaspar, newest versions; or motifs,
        in the same forms. The p-value of a pair depends on the columns of the whole database: fewer than
        50 motifs are compared beside those of JASPAR.
    taxon
        Taxonomic group of JASPAR, and of motifs of `database` that are given by their
        names; None: all.
    expected
        Names, identifiers or keys of the database, such as ``["CTCF", "ZNF143"]``, that
        you expect. An expected one has the name at a q of .1 or less over the matrices
        of its own class (over the database, if it has none), unless one of another
        family matches with a p of a hundredth of its own or less: ``CCACGTGG`` is
        nearest to Mlxip, and is called MYC if you expect MYC.

    Returns
    -------
    Dataset
        The same for a motif and its reverse complement, and for a motif alone and in a
        list. ``match_p`` (calibrated as above) and ``match_q (motif, target)``, with the
        names of targets as coordinate ``name``, and of each motif ``nearest``,
        ``nearest_q``; ``label``, its name: that of the best match, or of the expected
        one, empty if its q is above .1; ``runners_up``, the next two names; and
        ``tf_class, tf_family`` of the matrix that has the name. With
        `expected`, ``expected_nearest`` and ``expected_q (motif)``, over its class. A motif without a
        position of .25 bits, as of a filter without sites, has p and q of 1.

    Raises
    ------
    PredictorError
        If there is no motif, two have one name, or the
        database has no motif of an expected name.
    SequenceError
        If `causalgia.motif` does not know a motif.
    MissingExtraError
        If memelite is not installed; or pyjaspar is not, for ``"JASPAR"`` and for fewer
        than 50 motifs.

    References
    ----------
    Gupta et al. (2007), doi:10.1186/gb-2007-8-2-r24: Tomtom, here by memelite.
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> import causalgia as cg
    >>> match({"a filter": cg.motif("CTCF")})["nearest"].values.tolist()
    ['MA0139.2 CTCF']
    >>> found = match(["AGATAAGG"], expected="GATA1")
    >>> found["label"].values.tolist(), found["tf_family"].values.tolist()
    (['GATA1'], ['C4-GATA-related'])
    """
    try:
        with caching_if_possible():
            from memelite import tomtom
    except ImportError as error:
        raise MissingExtraError(
            f"cg.attribution.match needs memelite: {install_command('attribution')}"
        ) from error
    from scipy.stats import false_discovery_control

    queries = _by_name(motifs, "motifs")
    of_jaspar = is_jaspar(database)
    targets = _by_name(database, "database", taxon)
    places = expected_places(expected, targets)
    check_enough_targets(len(targets))
    beside = jaspar_motifs(taxon) if len(targets) < _LEAST_TARGETS else {}
    tables = [_columns(one) for one in (*targets.values(), *beside.values())]
    held = [np.flatnonzero(one.information > _TRIM) for one in queries.values()]
    informative = [i for i, positions in enumerate(held) if len(positions)]
    p = np.ones((len(queries), len(targets)))
    if informative:
        columns = [_columns(one) for one in queries.values()]
        windows = [
            _on_one_strand(columns[i][:, held[i][0] : held[i][-1] + 1])
            for i in informative
        ]
        # a motif's p-values do not depend on the motifs beside it: each has its own
        # stream of the same seed
        streams = [np.random.default_rng(0) for _ in windows]
        random = [
            rng.permuted(one, axis=0)
            for _ in range(_RANDOM)
            for rng, one in zip(streams, windows, strict=True)
        ]
        with threads_of_torch():
            found = np.clip(
                tomtom([*windows, *random], tables, n_jobs=1)[0][:, : len(targets)],
                0.0,
                1.0,
            )
        of_random = found[len(windows) :].reshape(_RANDOM, len(windows), -1)
        nats = -np.log(np.maximum(of_random, np.finfo(float).tiny)).mean(0)
        p[informative] = found[: len(windows)] ** (1 / np.maximum(nats, 1.0))
    q = false_discovery_control(p, axis=1, method="bh")
    return _matches_dataset(
        queries,
        targets,
        p,
        q,
        {"database": "JASPAR" if of_jaspar else "motifs as given"},
        places,
    )


_FORMER_NAMES = {
    **dict.fromkeys(("oct4", "oct34", "oct3"), ("POU5F1",)),
    **{"oct1": ("POU2F1",), "oct2": ("POU2F2",), "brn2": ("POU3F2",)},
    **{"p53": ("TP53",), "p63": ("TP63",), "p73": ("TP73",), "cmyc": ("MYC",)},
    **{"cmyb": ("MYB",), "nrsf": ("REST",), "pu1": ("SPI1",), "cets1": ("ETS1",)},
    **{"krox20": ("EGR2",), "krox24": ("EGR1",), "zif268": ("EGR1",)},
    **{"ap1": ("FOS::JUN", "JUN"), "cfos": ("FOS",), "cjun": ("JUN",)},
    **{"nfkb": ("NFKB1", "NFKB2"), "p65": ("RELA",), "p50": ("NFKB1",)},
    **{"cebpbeta": ("CEBPB",), "cebpalpha": ("CEBPA",), "hnf3b": ("FOXA2",)},
    **{"hnf3a": ("FOXA1",), "aml1": ("RUNX1",), "cbfa1": ("RUNX2",)},
    **{"scl": ("TAL1",), "couptfii": ("NR2F2",)},
}
"""Names by which factors were known, without punctuation -> their gene symbols."""


def _on_one_strand(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a motif (4, w) or its reverse complement, whichever is first in the order
    of letters: both have one name.

    Examples
    --------
    >>> motif = np.eye(4)[:, [3, 0, 0]]  # TAA, on the other strand TTA
    >>> (_on_one_strand(motif) == _on_one_strand(motif[::-1, ::-1])).all()
    np.True_
    """
    strands = [np.ascontiguousarray(x) for x in (columns, columns[::-1, ::-1])]
    return max(strands, key=lambda x: x.T.ravel().tolist())


def _plain_name(name: str) -> str:
    """Return a name without case and punctuation."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def check_enough_targets(n: int) -> None:
    """Raise MissingExtraError where motifs are too few to be compared with alone, and
    JASPAR is not there to stand beside them.
    """
    if n < _LEAST_TARGETS and find_spec("pyjaspar") is None:
        raise MissingExtraError(
            f"{n:,} motifs are compared beside those of JASPAR, in pyjaspar, which is "
            f"not installed: {install_command('jaspar')}; {_LEAST_TARGETS} motifs or "
            "more need none beside them"
        )


def expected_places(
    expected: str | Sequence[str] | None, targets: Mapping[str, Motif]
) -> list[int]:
    """Return which targets have one of these names, identifiers or keys.

    Case and punctuation do not count (``"GATA-1"`` is GATA1), and names by which factors
    were known before their gene symbols are taken (``"OCT4"`` is POU5F1).

    Raises
    ------
    PredictorError
        If a name is that of no target.

    Examples
    --------
    >>> from causalgia import motif
    >>> expected_places("ctcf", {"MA0139.2 CTCF": motif("CTCF"), "SP1": motif("SP1")})
    [0]
    >>> expected_places(["p53", "sp-1"], {"SP1": motif("SP1"), "TP53": motif("GATA")})
    [1, 0]
    """
    if expected is None:
        return []
    names = as_names(expected)
    if not names:
        raise PredictorError(f"expected={quoted(expected)} names no motif")
    spellings = [
        {
            text.casefold()
            for text in (
                key,
                one.name,
                one.identifier or key,
                (one.identifier or key).partition(".")[0],
            )
        }
        for key, one in targets.items()
    ]
    found = []
    for name in names:
        own = [k for k, of in enumerate(spellings) if name.casefold() in of]
        plain = _plain_name(name)
        for other in (plain, *map(_plain_name, _FORMER_NAMES.get(plain, ()))):
            own = own or [
                k for k, of in enumerate(spellings) if other in map(_plain_name, of)
            ]
        if not own:
            known = dict.fromkeys(_displayed(key, one) for key, one in targets.items())
            raise PredictorError(
                f"expected: the database has no motif {quoted(name)}"
                f"{nearest(name, known, most=3, cutoff=0.6)}"
            )
        found += own
    return list(dict.fromkeys(found))


def _displayed(key: str, one: Motif) -> str:
    """Return what a target is called: a factor's name, or the key that was given."""
    return one.name if key == f"{one.identifier} {one.name}" else key


def _matches_dataset(
    queries: Mapping[str, Motif],
    targets: Mapping[str, Motif],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    attrs: dict[str, str],
    expected: list[int],
) -> xr.Dataset:
    import xarray as xr

    called = [_displayed(key, one) for key, one in targets.items()]
    classes = [factor_class(one) for one in targets.values()]
    keys, found = (
        list(targets),
        [motif_name(row, called, classes, expected) for row in p],
    )
    best = p.argmin(1).tolist()
    of = [classes[one.target] for one in found]
    variables = {
        "match_p": (("motif", "target"), p),
        "match_q": (("motif", "target"), q),
        "nearest": ("motif", [keys[k] for k in best]),
        "nearest_q": ("motif", q[np.arange(len(p)), best]),
        "label": ("motif", [one.name for one in found]),
        "runners_up": ("motif", [", ".join(one.runners_up) for one in found]),
        "tf_class": ("motif", [one.tf_class for one in of]),
        "tf_family": ("motif", [one.tf_family for one in of]),
    }
    if expected:
        own = [expected_match(row, classes, expected) for row in p]
        variables |= {
            "expected_nearest": ("motif", [keys[one.target] for one in own]),
            "expected_q": ("motif", [one.q for one in own]),
        }
    names = [one.name for one in targets.values()]
    coords = {
        "motif": list(queries),
        "target": list(targets),
        "name": ("target", names),
    }
    return as_result(xr.Dataset(variables, coords, attrs), "matches")


def _columns(one: Motif) -> NDArray[np.float64]:
    """Return probabilities as (4, width), as memelite takes them."""
    return np.ascontiguousarray(np.array(one.probabilities, np.float64).T)


def _by_name(
    motifs: Any, argument: str, taxon: str | None = "vertebrates"
) -> dict[str, Motif]:
    """Return motifs by name; the channels of filters by their numbers."""
    import xarray as xr

    if isinstance(motifs, xr.Dataset):
        found = validate(motifs, "filters")
        channels = found["channel"].to_numpy()
        table = (
            found["frequency"].transpose("channel", "motif_position", "base").to_numpy()
        )
        return {
            str(c): Motif(str(c), rows.tolist())
            for c, rows in zip(channels, table, strict=True)
        }
    return named_motifs(motifs, argument, taxon=taxon, error=PredictorError)


def attention(
    predictor: Predictor, layer: str, sequences: Source | xr.Dataset
) -> xr.Dataset:
    """Return the attention weights of a layer for each sequence, averaged over its
    heads.

    Use it to propose pairs of positions: give their bases to
    `causalgia.attribution.interactions` (``pairs=``), and test interactions on fresh
    units by `causalgia.experiments.site_pairs`. A weight shows which positions are
    combined, not their effect on the prediction; it has no p-value.

    Parameters
    ----------
    predictor
        A `cg.TorchPredictor` with ``nn.MultiheadAttention``, as each
        ``nn.TransformerEncoderLayer`` has.
    layer
        Name of that module, such as ``"encoder.layers.0.self_attn"``.
    sequences
        Sequences of one length, as for ``cg.Genomic(of=...)``, or a Dataset from
        ``null.sample``.

    Returns
    -------
    Dataset
        ``attention (unit, query, key)``, which sums to 1 over keys, with coordinates
        ``query_base`` and ``key_base``, the base in the middle of what a place reads,
        found by substitutions at the input of the first attention. A place that is no
        part of the sequence, such as a class token before it, has a base outside of the
        sequence.

    Raises
    ------
    PredictorError
        If the layer has no attention weights (which lists those that have), attends
        from one sequence to another, is not called once, its places read the whole
        sequence, or are not those of the first attention.
    PredictorError
        If the predictor has no layers.

    References
    ----------
    Vaswani et al. (2017), arXiv:1706.03762. Jain and Wallace (2019),
    doi:10.18653/v1/N19-1357: attention weights and effects need not agree.

    Examples
    --------
    >>> import causalgia as cg, torch
    >>> class Attends(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scan = torch.nn.Conv1d(4, 8, 5, padding=2)
    ...         self.attends = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    ...
    ...     def forward(self, x):
    ...         h = self.scan(x).transpose(1, 2)
    ...         return self.attends(h, h, h, need_weights=False)[0].mean((1, 2))[
    ...             :, None
    ...         ]
    >>> predictor = cg.TorchPredictor(Attends(), tasks=["answer"])
    >>> found = attention(predictor, "attends", cg.Uniform(length=20).sample(3, rng=0))
    >>> dict(found.sizes), found["key_base"].values[:3]
    ({'unit': 3, 'query': 20, 'key': 20}, array([0, 1, 2]))
    """
    network = as_torch_predictor(predictor, "attention")

    import xarray as xr
    from torch import nn

    from causalgia.attribution.layers import as_layer, receptive_field

    of = as_explained(sequences)
    known = {
        name: one
        for name, one in network.module.named_modules()
        if isinstance(one, nn.MultiheadAttention)
    }
    part = as_layer(network.module, layer, "output", of_use=list(known))
    if layer not in known:
        raise PredictorError(
            f"layer {quoted(layer)} is {type_in_words(part)}, which has no attention "
            f"weights; nn.MultiheadAttention has: {listed(known) or 'none'}"
        )
    network.predict(of.tokens[:1])  # the network's own errors come with their cures
    first = _first_called(network, known, of.tokens[:1])
    weights = np.concatenate(list(_weights(network, layer, known[layer], of.tokens)))
    n_places = weights.shape[2]
    if weights.shape[1] != n_places:
        raise PredictorError(
            f"layer {quoted(layer)} attends from {weights.shape[1]} places to "
            f"{n_places} others; queries and keys must be the same places"
        )
    n_first = (
        n_places
        if first == layer
        else next(_weights(network, first, known[first], of.tokens[:1])).shape[2]
    )
    if n_first != n_places:
        raise PredictorError(
            f"layer {quoted(layer)} has {n_places} places and the first attention, "
            f"{quoted(first)}, {n_first}, so that theirs are unknown in the sequence"
        )
    try:
        start, step, width = receptive_field(network, first, "input", of.length)
    except PredictorError as error:
        raise PredictorError(
            f"the attention weights of {quoted(layer)} cannot be assigned to "
            f"positions of the sequence: {error}"
        ) from error
    bases = start + step * np.arange(n_places) + (width - 1) // 2
    found = xr.Dataset({"attention": (("unit", "query", "key"), weights)})
    found = found.assign_coords(
        unit=np.arange(len(of)),
        parent=("unit", np.asarray(of.parents)),
        query=np.arange(n_places),
        key=np.arange(n_places),
        query_base=("query", bases),
        key_base=("key", bases),
    )
    attrs = attributes(layer=layer, predictor=network.fingerprint, sequences=of.digest)
    return as_result(found.assign_attrs(attrs), "attention")


def _first_called(
    predictor: TorchPredictor, known: dict[str, nn.MultiheadAttention], tokens: Tokens
) -> str:
    """Return the name of the attention that is called first in a forward pass."""
    from causalgia.attribution.layers import call_network

    called: list[str] = []
    hooks = [
        part.register_forward_pre_hook(lambda *_, name=name: called.append(name))
        for name, part in known.items()
    ]
    try:
        call_network(predictor, tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return called[0] if called else next(iter(known))


def _weights(
    predictor: TorchPredictor, layer: str, part: nn.MultiheadAttention, tokens: Tokens
) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield attention weights of tokens (n, length), batch by batch: (b, queries,
    keys), the mean over heads.
    """
    from causalgia.attribution.layers import call_network, check_met

    met: list[Any] = []
    names = list(inspect.signature(part.forward).parameters)

    def ask(
        _: nn.Module, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = dict(zip(names, args, strict=False)) | options
        return (), given | {"need_weights": True, "average_attn_weights": True}

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        met.append(output[1].detach())

    size = predictor.resolve_batch_size(tokens.shape[1])
    hooks = [
        part.register_forward_pre_hook(ask, with_kwargs=True),
        part.register_forward_hook(keep),
    ]
    try:
        for begin in range(0, len(tokens), size):
            met.clear()
            call_network(predictor, tokens[begin : begin + size])
            check_met(len(met), layer)
            yield met[0].float().cpu().numpy()
    finally:
        for hook in hooks:
            hook.remove()
