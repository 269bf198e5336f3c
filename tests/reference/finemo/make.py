"""Files as FiNeMo and ChromBPNet write them: regions, hits, and contributions
compressed by Blosc.

Made with finemo 0.41 (polars 2.1, torch 2.13), deepdish 0.3.7 (which ChromBPNet 1.0.1
writes its scores with) and PyTables 3.11, on numpy 2.4, by ``python make.py`` in this
folder. Six sequences of 60 bases hold GATAAG, on the minus strand in every second one;
contributions are 1 for its bases and -.3 for the others there, beside noise of sd .01.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

GONE = {
    "ComplexWarning": UserWarning,
    "unicode_": np.str_,
    "string_": np.bytes_,
    "float_": float,
    "complex_": complex,
}
for name, kind in (GONE | {"object": object, "bool": np.bool_, "int": int}).items():
    # names that numpy 2 no longer has, and deepdish still asks for
    setattr(np, name, kind)
import deepdish  # noqa: E402

HERE = Path(__file__).parent
N, LENGTH, WIDTH, WINDOW, AROUND = 6, 60, 40, 30, 12
GATAAG = np.array([2, 0, 3, 0, 0, 2])
BASES = np.eye(4)


def main() -> None:
    rng = np.random.default_rng(1)
    tokens, scores = (
        rng.integers(0, 4, (N, LENGTH)),
        rng.normal(0, 0.01, (N, LENGTH, 4)),
    )
    starts, minus = rng.integers(22, 32, N), np.arange(N) % 2 == 1
    for row, start in enumerate(starts):
        word = (3 - GATAAG)[::-1] if minus[row] else GATAAG
        tokens[row, start : start + 6] = word
        scores[row, start : start + 6] = 1.3 * BASES[word] - 0.3
    one_hot = BASES[tokens].transpose(0, 2, 1).astype(np.int8)
    shap = scores.transpose(0, 2, 1).astype(np.float16)
    contributions = {
        "raw": {"seq": one_hot},
        "shap": {"seq": shap},
        "projected_shap": {"seq": one_hot * shap},
    }
    deepdish.io.save(str(HERE / "chrombpnet.h5"), contributions, compression="blosc")
    np.savez_compressed(
        HERE / "truth.npz",
        tokens=tokens.astype(np.uint8),
        start=starts,
        minus=minus,
        scores=shap,
    )

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with h5py.File(place / "plain.h5", "w") as file:
            file["raw/seq"], file["shap/seq"] = one_hot, shap
        lines = [
            f"chr{1 + i // 3}\t{1000 * i}\t{1000 * i + LENGTH}\t.\t0\t.\t0\t0\t0\t{LENGTH // 2}"
            for i in range(N)
        ]
        (place / "peaks.narrowPeak").write_text("\n".join(lines) + "\n")
        with h5py.File(place / "modisco.h5", "w") as file:
            file.attrs["window_size"] = LENGTH
            pattern = file.create_group("pos_patterns/pattern_0")
            matrix, weights = (
                np.full((WINDOW, 4), 0.25),
                rng.normal(0, 0.003, (WINDOW, 4)),
            )
            matrix[AROUND : AROUND + 6] = weights[AROUND : AROUND + 6] = BASES[GATAAG]
            hypothetical = np.zeros((WINDOW, 4))
            hypothetical[AROUND : AROUND + 6] = 1.3 * BASES[GATAAG] - 0.3
            (
                pattern["sequence"],
                pattern["contrib_scores"],
                pattern["hypothetical_contribs"],
            ) = (
                matrix,
                weights,
                hypothetical,
            )
            seqlets = pattern.create_group("seqlets")
            seqlets["n_seqlets"], seqlets["example_idx"], seqlets["is_revcomp"] = (
                np.array([N]),
                np.arange(N),
                minus,
            )
            seqlets["start"], seqlets["end"] = starts - AROUND, starts - AROUND + WINDOW
            for name in ("sequence", "contrib_scores", "hypothetical_contribs"):
                seqlets[name] = np.zeros((N, WINDOW, 4))
        finemo(
            "extract-regions-chrombpnet-h5",
            "-c",
            "plain.h5",
            "-p",
            "peaks.narrowPeak",
            "-w",
            str(WIDTH),
            "-o",
            "regions.npz",
            at=place,
        )
        finemo(
            "call-hits",
            "-r",
            "regions.npz",
            "-m",
            "modisco.h5",
            "-p",
            "peaks.narrowPeak",
            "-o",
            "hits",
            at=place,
        )
        for name in ("regions.npz", "hits/hits.tsv", "hits/hits.bed"):
            (HERE / Path(name).name).write_bytes((place / name).read_bytes())


def finemo(*words: str, at: Path) -> None:
    subprocess.run([sys.executable, "-m", "finemo", *words], check=True, cwd=at)


if __name__ == "__main__":
    main()
