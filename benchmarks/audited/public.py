"""Published networks, of which some factors are known from experiments."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from shared_folder import SHARED

import causalgia as cg
from causalgia.sequences import encode
from causalgia.sequences.fasta import read_fasta

from .known import Known, Word

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
from deepstarr import with_sites

NAMES = ("pysster", "DeepSTARR", "ExplaiNN", "MPRA-DragoNN")
FACTORS: Mapping[str, Mapping[str, str]] = {
    # what each is known to read, and letters by which it is recognized
    "DeepSTARR": {
        **{"AP-1": "TGASTCA", "GATA": "GATAA", "DRE": "TATCGATA", "ETS": "CCGGAA"},
        **{"SREBP": "TCACGCGA", "twist": "CATCTG"},
    },
    "pysster": {"PUM2": "TGTANATA", "QKI": "ACTAAY"},
    "ExplaiNN": {"MAX": "CACGTG", "FOXA1": "TGTTTAC", "JUND": "TGASTCA"},
    "MPRA-DragoNN": {
        **{"AP-1": "TGASTCA", "HNF4A": "CAAAGTCCA", "ETS": "CCGGAAG"},
        **{"GATA": "AGATAAG", "CREB": "TGACGTCA", "NRF1": "GCGCATGCGC"},
        "HNF1": "GTTAATNATTAA",
    },
}
_FOLDERS = {
    "DeepSTARR": "deepstarr",
    "ExplaiNN": "explainn_tf",
    "MPRA-DragoNN": "mpra_dragonn",
    "pysster": "pysster_rbp",
}
_SCALES = {
    "DeepSTARR": "log2 enrichment",
    "ExplaiNN": "logit",
    "MPRA-DragoNN": "log2",
    "pysster": "logit",
}
CELLS = tuple(f"{cell} {of}" for cell in ("K562", "HepG2") for of in ("minP", "SV40P"))
SEQUENCES = {
    "DeepSTARR": "600 random sequences, each with sites of four of forty fly factors",
    "pysster": "500 sites of PUM2 in human RNA (CLIP), 200 bases",
    "ExplaiNN": "500 human candidate elements of 200 bp",
    "MPRA-DragoNN": "the middle 145 bp of 500 human candidate elements",
}


def known(name: str, _seed: int) -> Known:
    """Return a published network with sequences; the seed is that of the audit."""
    import torch

    torch.set_num_threads(1)
    folder = Path(SHARED) / "data" / "models" / _FOLDERS[name]
    spec = importlib.util.spec_from_file_location(_FOLDERS[name], folder / "arch.py")
    assert spec is not None
    assert spec.loader is not None
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    more: dict[str, Any] = {"tasks": list(arch.TASKS)}
    if name == "MPRA-DragoNN":
        heads = [f"{cell} {of}" for cell in CELLS for of in ("rep1", "rep2", "pooled")]
        more = {"heads": heads, "tasks": [f"{cell} pooled" for cell in CELLS]}
    predictor = cg.TorchPredictor(
        arch.load(folder / "model.safetensors"),
        scale=_SCALES[name],
        device="cpu",
        **more,
    )
    of = Path(SHARED) / "data" / "sequences"
    if name == "DeepSTARR":
        tokens = np.stack([encode([row])[0] for row in with_sites()])
    elif name == "pysster":
        tokens = read_fasta(of / "pum2_sites_200" / "sites.fasta.gz").tokens
    else:
        tokens = read_fasta(of / "human_lentimpra_200" / "sequences.fasta.gz").tokens
        tokens = tokens[:, 27:172] if name == "MPRA-DragoNN" else tokens
    words = {factor: Word.of(letters) for factor, letters in FACTORS[name].items()}
    motifs = Path(SHARED) / "data" / "motifs" / "jaspar2020_subset.meme"
    return Known(
        name,
        predictor,
        tokens,
        words,
        motifs=None if name == "pysster" else str(motifs),
        published=True,
    )
