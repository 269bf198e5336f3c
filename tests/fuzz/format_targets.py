"""Fuzzed files of other tools: lists of variants, patterns, sequences, Keras networks,
tables of tasks, h5ad.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import forked_read
import input_mutation as mutation
import numpy as np
import tomli_w
import xarray as xr

import causalgia as cg
from causalgia import store
from causalgia.sequences import encode, read_variants, split_by_genome
from causalgia.sequences.variant_files import InfoField, annotated_vcf, info_name
from causalgia.sequences.windowed_variants import variant_windows
from causalgia.trial_file.trial_spec import parse_spec, read_analysis

GENOME = (
    b">chr1 first\nACGTACGTACGTACGTACGTTTGACAGATAAGTT\n>chr2\nGGGATTACAGGGATTACAAC\n"
)
VARIANTS = {
    "vcf": b'##fileformat=VCFv4.2\n##INFO=<ID=AF,Number=A,Type=Float,Description="x">\n'
    b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t6\trs1\tC\tG,T\t.\tPASS\tAF=0.1,0.2;CG_effect=1\nchr2\t4\t.\tAT\tA\t.\t.\t.\n",
    "original": b"chr1\t6\trs1\tC\tG\nchr2\t4\t.\tAT\tA\n",
    "bed": b"#chrom\tstart\nchr1\t5\t6\tC\tG,T\trs1\nchr2\t3\t5\tAT\tA\t.\n",
    "plink": b"chr1\trs1\t0\t6\tC\tG\nchr2\trs2\t0\t4\tAT\tA\n",
    "plink2": b"chr1\trs1\t6\tC\tG\nchr2\t.\t4\tAT\tA\n",
    "chrombpnet": b"chr1\t6\tC\tG\trs1\nchr2\t4\tAT\tA\t.\n",
}
MEME = (
    b"MEME version 5\n\nALPHABET= ACGT\n\nMOTIF MA0035.4 GATA1\nletter-probability matrix: alength= 4 w= 3 nsites= 20\n"
    b" 0.1 0.2 0.3 0.4\n 0.25 0.25 0.25 0.25\n 1.0 0 0 0\n"
)
JASPAR = (
    b">MA0035.4\tGATA1\nA  [ 1 2 30 ]\nC  [ 4 0 0 ]\nG  [ 5 20 0 ]\nT  [ 20 8 0 ]\n"
)
HOMER = (
    b">GATAAG\tGata1(Zf)/K562/Homer\t6.1\t-1200.5\t0\tT:10.0(1.2%)\n0.1\t0.2\t0.3\t0.4\n"
    b"0.997\t0.001\t0.001\t0.001\n"
)
HITS = (
    b"chr\tstart\tend\tstart_untrimmed\tend_untrimmed\tmotif_name\thit_coefficient\tstrand\tpeak_name\tpeak_id\n"
    b"chr1\t26\t30\t24\t32\tpos_patterns.pattern_0\t1.5\t+\tp0\t0\nchr2\t3\t7\t1\t9\tneg_patterns.pattern_1\t2\t-\tp1\t1\n"
)
HITS_BED = b"chr1\t26\t30\tpos_patterns.pattern_0\t910.5\t+\nchr2\t3\t7\tneg_patterns.pattern_1\t3\t-\n"
PEAKS = b"track name=x\nchr1\t2\t10\tpeak1\t5\t+\t1.5\t2\t3\t4\nchr2\t4\t12\tpeak2\t0\t-\t1\t1\t1\t0\n"
LENGTHS = (1, 4, 8, 10**12, 2**63, 0, -1, None, "8", 8.0, True)


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _one_worse(rng: Random, *texts: bytes) -> list[bytes]:
    """Return texts of which one is changed."""
    worse = rng.randrange(len(texts)) if rng.random() < 0.5 else 0
    return [
        mutation.of_lines(text, rng) if i == worse else text
        for i, text in enumerate(texts)
    ]


def variants(rng: Random, folder: Path) -> None:
    schema: Any = rng.choice(list(VARIANTS))
    table, genome = _one_worse(rng, VARIANTS[schema], GENOME)
    path, fasta = _file(folder, "x.tsv", table), _file(folder, "g.fa", genome)
    asked: Any = (
        rng.choice([*VARIANTS, *mutation.VALUES]) if rng.random() < 0.1 else schema
    )
    if schema == "vcf" and rng.random() < 0.2:
        annotated_vcf([], [], like=path)
    found = read_variants(path, schema=asked)
    effect = InfoField("CG_effect", "Float", 'of "K562"', [0.5] * len(found))
    text = str(rng.choice([x for x in mutation.PLAIN if not isinstance(x, int)]))[:50]
    odd = InfoField(info_name(text), "String", text, [text] * len(found))
    annotated_vcf(found, [effect, odd], like=path if asked == "vcf" else None)
    kept = split_by_genome(found, fasta).matched
    variant_windows(kept, fasta, length=rng.choice((6, 10, 10**12)))


def patterns(rng: Random, folder: Path) -> None:
    kind = rng.randrange(3)
    options: dict[str, Any] = (
        {"trim": rng.choice(mutation.VALUES)} if rng.random() < 0.1 else {}
    )
    if kind == 0:
        text, genome = _one_worse(rng, rng.choice((MEME, JASPAR, HOMER)), GENOME)
        cg.read_patterns(_file(folder, "x.txt", text), **options)
        return
    hits, genome = _one_worse(rng, rng.choice((HITS, HITS_BED)), GENOME)
    if kind == 1:
        options["genome"] = _file(folder, "g.fa", genome)
    else:
        arrays = _regions()
        worse = hits in (HITS, HITS_BED) or rng.random() < 0.3
        options["regions"] = _packed(
            _arrays_changed(arrays, rng) if worse else arrays, rng, folder, worse
        )
    cg.read_patterns(_file(folder, "hits.tsv", hits), **options)


def _regions() -> dict[str, Any]:
    tokens = encode(["ACGTACGTACGATAAGTTTG", "GGGATTACAGGGATTACAAC"])
    hot = np.eye(4, dtype=np.int8)[tokens].transpose(0, 2, 1)
    scores = np.arange(160, dtype=np.float16).reshape(2, 4, 20) / 100
    places = {
        "chr": np.array(["chr1", "chr2"]),
        "start": np.array([16, 0]),
        "peak_id": np.array([0, 1]),
    }
    return {"sequences": hot, "contributions": scores, **places}


def _arrays_changed(arrays: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Return arrays of which one to three have other values, shapes, dtypes or names;
    some become objects.
    """
    found = dict(arrays)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(found))
        values = np.asarray(found[name])
        kind = rng.randrange(8)
        with np.errstate(all="ignore"):
            if kind == 0 and len(found) > 1:
                del found[name]
            elif kind == 1:
                found[
                    rng.choice(("x", "", "sequences", "é", "a" * 300, "contributions"))
                ] = found.pop(name)
            elif kind == 2:
                found[name] = (
                    values.swapaxes(0, rng.randrange(max(values.ndim, 1)))
                    if values.ndim
                    else values[None]
                )
            elif kind == 3:
                places: Any = (None, 0, slice(0, 0), slice(0, 1), slice(None, None, -1))
                found[name] = values[
                    rng.choice(places) if values.ndim and len(values) else None
                ]
            elif kind == 4:
                dtype: Any = rng.choice(
                    (
                        "f2",
                        "f4",
                        "f8",
                        "i1",
                        "u1",
                        "?",
                        "c8",
                        "S3",
                        "U2",
                        "i8",
                        object,
                        "M8[s]",
                        "g",
                    )
                )
                try:
                    found[name] = values.astype(dtype)
                except (
                    TypeError,
                    ValueError,
                    RuntimeError,
                ):  # RuntimeError: a float as a date
                    continue
            elif kind == 5:
                found[name] = rng.choice(mutation.VALUES[:12])
            elif values.size and values.dtype.kind in "fiu":
                values = values.astype(rng.choice((values.dtype, np.dtype("f8"))))
                worst = (
                    (2, 100, 3)
                    if values.dtype.kind in "iu"
                    else (np.nan, np.inf, -1, 0.25, 1e300)
                )
                values.flat[rng.randrange(values.size)] = rng.choice(worst)
                found[name] = values
            else:
                found[name] = np.resize(
                    values, rng.choice(((0,), (1,), (3,), (2, 4, 4), ()))
                )
    return found


_DTYPES: tuple[Any, ...] = (
    "f2",
    "f4",
    "f8",
    "i1",
    "u1",
    "?",
    "c8",
    "S3",
    "U2",
    "i8",
    object,
    "M8[s]",
    "g",
)


def _packed(arrays: dict[str, Any], rng: Random, folder: Path, worse: bool) -> Path:
    """Write arrays as npz or npy; half of those that are to be worse have bytes
    changed, too.
    """
    packed = io.BytesIO()
    kind = rng.randrange(5)
    if kind == 0:
        np.save(packed, np.asarray(next(iter(arrays.values()))), allow_pickle=True)
    else:
        write = np.savez if kind < 4 else np.savez_compressed
        write(
            packed,
            **{str(key).replace("file", "x"): value for key, value in arrays.items()},
        )  # type: ignore[arg-type]
    data = packed.getvalue()
    return _file(
        folder,
        "x.npz",
        mutation.of_bytes(data, rng) if worse and rng.random() < 0.4 else data,
    )


def sequences(rng: Random, folder: Path) -> None:
    given: dict[str, Any] = {"ambiguous": rng.choice(("refuse", "draw")), "rng": 0}
    if rng.random() < 0.1:
        given[rng.choice(("key", "layout", "length", "center", "ambiguous", "rng"))] = (
            rng.choice(mutation.VALUES)
        )
    kind = rng.randrange(3)
    if kind == 0:
        text, genome = _one_worse(rng, PEAKS, GENOME)
        given = {
            "genome": _file(folder, "g.fa", genome),
            "length": rng.choice(LENGTHS[:3]),
            **given,
        }
        if rng.random() < 0.3:
            given |= {
                "length": rng.choice(LENGTHS),
                "stranded": True,
                "center": "summit",
            }
        cg.read_sequences(_file(folder, "x.bed", text), **given)
    elif kind == 1:
        cg.read_sequences(
            _file(
                folder,
                "x.fa",
                mutation.of_lines(GENOME if rng.random() < 0.2 else SAME, rng),
            ),
            **given,
        )
    else:
        arrays = (
            {"x": np.eye(4)[encode(["ACGTT", "GGNAC"], ambiguous="draw", rng=0)]}
            if rng.random() < 0.5
            else _regions()
        )
        cg.read_sequences(
            _packed(_arrays_changed(arrays, rng), rng, folder, worse=True), **given
        )


SAME = b">a\nACGTACGT\n>b\nACGTTGCA\n>c x y\nTTGCAACC\n"


def modisco(rng: Random, folder: Path) -> None:
    forked_read.use(rng)
    path = folder / "m.h5"
    if rng.random() < 0.5:
        if not _WHOLE:
            _write_hdf5(path, _modisco_tree())
            _WHOLE.append(path.read_bytes())
        path.write_bytes(mutation.of_bytes(_WHOLE[0], rng))
    else:
        _write_hdf5(path, _hdf5_changed(_modisco_tree(), rng))
    cg.read_patterns(path, trim=rng.choice((0, 0.3, 1)))


_WHOLE: list[bytes] = []


def _modisco_tree() -> dict[str, Any]:
    """Return the arrays of a small tfmodisco file, as group -> array or group."""
    bases = np.eye(4)[encode(["TCGATAAGCA"])[0]]
    size = np.array([0.1, 0.1, 1, 1, 1, 1, 1, 1, 0.1, 0.1])[:, None]

    def one() -> dict[str, Any]:
        arrays = {
            "sequence": bases * 0.9 + 0.025,
            "contrib_scores": bases * size,
            "hypothetical_contribs": bases * size,
        }
        return {
            **arrays,
            "seqlets": {"n_seqlets": np.array([90]), "start": np.arange(90)},
        }

    return {
        "pos_patterns": {"pattern_0": one(), "pattern_1": one()},
        "neg_patterns": {"pattern_0": one()},
    }


def _hdf5_changed(tree: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Return a tree of groups and arrays with one to three members changed, renamed,
    dropped or made links.
    """
    for _ in range(rng.randint(1, 3)):
        here = tree
        while True:
            groups = [name for name, found in here.items() if isinstance(found, dict)]
            if not groups or (here is not tree and rng.random() < 0.4):
                break
            here = here[rng.choice(groups)]
        if not here:
            continue
        name, kind = rng.choice(list(here)), rng.randrange(7)
        if kind == 0:
            del here[name]
        elif kind == 1:
            here[
                rng.choice(
                    ("pattern_7", "x", "pattern_" + "9" * 5_000, "é", "sequence")
                )
            ] = here.pop(name)
        elif kind == 2:
            here[name] = rng.choice(
                (
                    "link",
                    "external",
                    "loop",
                    {},
                    np.zeros(0),
                    np.array("text", dtype=object),
                )
            )
        elif kind == 3:
            here[name] = {name: here[name]}
        elif isinstance(here[name], np.ndarray):
            changed = _arrays_changed({"x": here[name]}, rng)
            here[name] = next(iter(changed.values()))
    return tree


def _write_hdf5(
    path: Path, tree: dict[str, Any], attrs: dict[str, Any] | None = None
) -> None:
    """Write groups and arrays; what h5py does not write is left out."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs.update(attrs or {})
        left: list[tuple[Any, dict[str, Any]]] = [(file, tree)]
        while left:
            group, members = left.pop()
            for name, value in members.items():
                try:
                    if isinstance(value, dict):
                        left.append((group.create_group(name), value))
                    elif isinstance(value, str) and value in (
                        "link",
                        "external",
                        "loop",
                    ):
                        links = {"link": h5py.SoftLink("/elsewhere"), "loop": group}
                        group[name] = links.get(value) or h5py.ExternalLink(
                            str(path), "/pos_patterns"
                        )
                    else:
                        group[name] = value
                except (
                    TypeError,
                    ValueError,
                    OSError,
                    RuntimeError,
                    KeyError,
                    OverflowError,
                ):
                    continue


def keras(rng: Random, folder: Path) -> None:
    forked_read.use(rng)
    graph, weights = copy.deepcopy(rng.choice(_NETWORKS))
    path, config = folder / "net.h5", None
    kind = rng.randrange(5)
    if kind < 3:
        graph = mutation.of_tree(graph, rng)
    elif kind == 3:
        weights = _hdf5_changed(weights, rng)
    try:
        text = json.dumps(graph)
    except (TypeError, ValueError, RecursionError):
        text = "[" * rng.choice((90, 10**5))
    if rng.random() < 0.15:
        text = mutation.of_lines(text.encode(), rng).decode("utf-8", "surrogateescape")
    if rng.random() < 0.2 or len(text) > 60_000:
        config = rng.choice(
            [text, _file(folder, "net.json", text.encode("utf-8", "surrogatepass"))]
        )
    try:
        _write_hdf5(
            path,
            {"model_weights": weights},
            {} if config is not None else {"model_config": text},
        )
    except (ValueError, TypeError, UnicodeError):
        return  # HDF5 does not hold such text
    if kind == 4:
        path.write_bytes(mutation.of_bytes(path.read_bytes(), rng))
    predictor = cg.predict.from_keras_h5(path, config=config, device="cpu")
    predictor.predict(encode(["ACGTACGTACGTACGTACGT", "GGGATTACAGGGATTACAAC"]))


def _layer(kind: str, name: str, *inputs: str, **config: Any) -> dict[str, Any]:
    called = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": called,
    }


def _networks() -> list[tuple[Any, dict[str, Any]]]:
    """Return a chain with its weights, and a graph of branches with two outputs."""
    draw = np.random.default_rng(0).normal
    scan = {"kernel:0": draw(size=(3, 4, 5)), "bias:0": draw(size=5)}
    norm = {
        f"{name}:0": np.ones(5)
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    of = {"scan": {"scan": scan}, "norm": {"norm": norm}}
    conv = {
        "filters": 5,
        "kernel_size": [3],
        "strides": [1],
        "padding": "same",
        "activation": "relu",
    }
    chain = [
        _layer(
            "Conv1D",
            "scan",
            **conv,
            dilation_rate=[1],
            groups=1,
            use_bias=True,
            data_format="channels_last",
        ),
        _layer(
            "BatchNormalization",
            "norm",
            axis=[-1],
            epsilon=1e-3,
            scale=True,
            center=True,
        ),
        _layer(
            "Activation",
            "act",
            activation={"class_name": "relu", "config": {"name": "relu"}},
        ),
        _layer("ZeroPadding1D", "pad", padding=[1, 2]),
        _layer("UpSampling1D", "up", size=2),
        _layer("Cropping1D", "crop", cropping=[2, 4]),
        _layer("MaxPooling1D", "pool", pool_size=[2], strides=[2], padding="valid"),
        _layer("Reshape", "shape", target_shape=[5, 20]),
        _layer("Flatten", "flat"),
        _layer("Dense", "out", units=2, activation="linear", use_bias=True),
    ]
    dense = {"out": {"out": {"kernel:0": draw(size=(100, 2)), "bias:0": draw(size=2)}}}
    first = {"class_name": "Sequential", "config": {"name": "net", "layers": chain}}
    graph = [
        _layer("InputLayer", "one_hot", batch_input_shape=[None, 20, 4]),
        _layer("Conv1D", "scan", "one_hot", **conv),
        _layer("Conv1D", "again", "scan", **(conv | {"dilation_rate": [2]})),
        _layer("Add", "sum", "scan", "again"),
        _layer("LayerNormalization", "norm", "sum", axis=[-1], epsilon=1e-3),
        _layer("LeakyReLU", "leak", "norm", alpha=0.1),
        _layer("Concatenate", "both", "leak", "scan", axis=-1),
        _layer("GlobalAveragePooling1D", "mean", "both"),
        _layer("Dense", "a", "mean", units=1),
        _layer("Dense", "b", "mean", units=1, activation="sigmoid"),
    ]
    head = {
        name: {name: {"kernel:0": draw(size=(10, 1)), "bias:0": draw(size=1)}}
        for name in "ab"
    }
    again = {
        "again": {"again": {"kernel:0": draw(size=(3, 5, 5)), "bias:0": draw(size=5)}}
    }
    ends = {
        "input_layers": [["one_hot", 0, 0]],
        "output_layers": [["a", 0, 0], ["b", 0, 0]],
    }
    second = {
        "class_name": "Functional",
        "config": {"name": "net", "layers": graph, **ends},
    }
    return [(first, {**of, **dense}), (second, {**of, **again, **head})]


_NETWORKS = _networks()

_TASKS = """rng = 1
n_units = 4
[null]
kind = "uniform"
length = 40
[predictor]
zoo = "gata1_like"
[arms.a]
[arms.b]
embed = "GATA"
at = 4
[analysis]
control = "a"
tasks = %s
"""
_OF_TASKS: list[Any] = [
    "K562 - HepG2",
    ["K562 - HepG2", "K562 - (HepG2 + SKNSH)/2"],
    "pairwise",
    {"K562 minus HepG2": {"K562": 1, "HepG2": -1}, "twice": {"K562": 2, "SKNSH": -2}},
]


def _several_tasks() -> xr.Dataset:
    values = np.random.default_rng(0).normal(size=(6, 2, 3))
    coords = {
        "unit": list("uvwxyz"),
        "arm": ["a", "b"],
        "task": ["K562", "HepG2", "SKNSH"],
    }
    made = xr.Dataset({"outcome": (("unit", "arm", "task"), values)}, coords=coords)
    return made.assign_attrs(kind="outcomes", scale="log counts")


def tasks(rng: Random, folder: Path) -> None:
    given = mutation.of_tree(copy.deepcopy(rng.choice(_OF_TASKS)), rng)
    if isinstance(given, str):
        given = mutation.of_lines(given.encode("utf-8", "surrogatepass"), rng).decode(
            "utf-8", "replace"
        )
    if rng.random() < 0.5:
        outcomes = _several_tasks()
        found = cg.contrast(outcomes, control="a", tasks=given)
        cg.report(cg.estimate(found))
        return
    try:
        plain = tomli_w.dumps({"x": given})[len("x = ") :]
    except (TypeError, ValueError, AttributeError, RecursionError):
        return
    text = _TASKS % plain if not plain.startswith("\n") and "[x" not in plain else (
        _TASKS.replace("tasks = %s\n", "") + tomli_w.dumps({"analysis": {"tasks": given}}).replace("[analysis]\n", "")
    )  # fmt: skip
    if rng.random() < 0.2:
        text = mutation.of_lines(text.encode("utf-8", "surrogatepass"), rng).decode(
            "utf-8", "replace"
        )
    path = _file(folder, "t.toml", text.encode("utf-8", "surrogatepass"))
    read_analysis(path).check(["a", "b"], ["embed"], tasks=["K562", "HepG2", "SKNSH"])
    parse_spec(text, folder=folder)


def h5ad(rng: Random, folder: Path) -> None:
    if not _TABLES:
        estimates = cg.estimate(cg.contrast(_several_tasks(), control="a"))
        _TABLES.extend([estimates, cg.decide(estimates, rope=(-0.1, 0.1))])
    store.save_h5ad(mutation.of_dataset(rng.choice(_TABLES), rng), folder / "x.h5ad")


_TABLES: list[xr.Dataset] = []
FORMATS: dict[str, Callable[[Random, Path], None]] = {
    read.__name__: read
    for read in (variants, patterns, modisco, sequences, keras, tasks, h5ad)
}
