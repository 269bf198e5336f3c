"""Errors of sequences, motifs, patterns, variants and their files: what each message says
is given or written in their place, and what was meant is read.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from cures import VCF_HEAD, cure_in, cured, evaluated, refusal

import causalgia as cg
from causalgia import sequences, store
from causalgia.errors import SequenceError
from causalgia.sequences import (
    Motif,
    Variant,
    genome,
    pattern_files,
    read_fasta,
    sequence_files,
)
from causalgia.sequences.composition import gc_extremes
from causalgia.sequences.string_distance import edit_distance, nearer_than
from causalgia.sequences.variant_files import InfoField, annotated_vcf

pytestmark = pytest.mark.rotating(6)

CHROMOSOME = "".join(np.random.default_rng(4).choice(list("ACGT"), 60))
STRINGS = [CHROMOSOME[i : i + 20] for i in (0, 20, 40)]
TOKENS = sequences.encode(STRINGS)
ONE_HOT = np.moveaxis(np.eye(4, dtype=np.int8)[TOKENS], 2, 1)
WORD = "GATAAGCC"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a genome and its regions, written and read by this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "_read_in_child", lambda *_, **__: None)
    write("genome.fa", f">chr1\n{CHROMOSOME}\n")
    write("peaks.fa", "".join(f">p{i}\n{x}\n" for i, x in enumerate(STRINGS)))


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def value_in(text: str, cure: str) -> Any:
    """Return the value that a message tells to give."""
    named = cure_in(text, cure)
    try:
        return ast.literal_eval(named)
    except (SyntaxError, ValueError):
        return named


def instead(
    call: Callable[..., Any], given: dict[str, Any], argument: str, cure: str
) -> Any:
    """Call, be refused, and call with the value of the message in place of another."""
    value = value_in(refusal(call, **given), cure)
    return call(**{**given, argument: value})


def edited(
    read: Callable[..., Any],
    name: str,
    edit: Callable[..., str],
    cure: str,
    **given: Any,
) -> Any:
    """Read a file, be refused, edit the text of the file by the groups of the message,
    and read it.
    """
    message = refusal(read, name, **given)
    found = re.search(cure, message)
    assert found, message
    Path(name).write_text(edit(Path(name).read_text(), *found.groups()))
    return read(name, **given)


def same(found: Any) -> bool:
    """Whether sequences are those of this file."""
    return bool(np.array_equal(found.tokens, TOKENS))


def in_line(number: str, edit: Callable[[str], str], text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = int(number) - 1
    return "".join([*lines[:at], edit(lines[at]), *lines[at + 1 :]])


# ---- letters, tokens and FASTA
def shuffled(**given: Any) -> Any:
    null = cg.Shuffle(of=["ACNGTACG", "TTGACCAN"], **given)
    return null.sample(4, rng=0)["sequence"]


def read_peaks_in_bed(**given: Any) -> Any:
    settings = {"path": "peaks.bed", "genome": "genome.fa", "length": 20}
    return cg.read_sequences(**settings | given)


PEAKS = "".join(f"chr1\t{i}\t{i + 20}\n" for i in (0, 20, 40))
SUMMITS = "".join(
    f"chr1\t{i}\t{i + 20}\t.\t0\t.\t1\t1\t1\t{at}\n"
    for i, at in ((0, 10), (20, 10), (40, -1))
)


def headed(edit: Callable[[str], str], cure: str) -> Any:
    write("peaks.bed", "chrom\tchromStart\tchromEnd\n" + PEAKS)
    return edited(
        lambda path: read_peaks_in_bed(path=path),
        "peaks.bed",
        lambda text, number, _: in_line(number, edit, text),
        rf"line (\d+).*({cure})",
    )


def read_large_genome() -> Any:
    with Path("disk.img").open("wb") as file:
        file.truncate(2 * genome._LARGEST_FILE)
    write("peaks.bed", PEAKS)
    given = {"genome": "disk.img"}
    assert cure_in(refusal(read_peaks_in_bed, **given), r"(give a FASTA file)$")
    return read_peaks_in_bed(genome="genome.fa")


LETTERS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a number as strings": (
        lambda: instead(
            sequences.encode, {"strings": 5}, "strings", r"one string such as ('\w+')"
        ),
        lambda found: found.tolist() == [[0, 1, 2, 3]],
    ),
    "a type that is none": (
        lambda: instead(
            sequences.one_hot,
            {"tokens": TOKENS, "dtype": "letters"},
            "dtype",
            r"(float32)",
        ),
        lambda found: found.dtype == np.float32 and (found == ONE_HOT).all(),
    ),
    "a window of no base": (
        lambda: gc_extremes(
            TOKENS,
            {"one": 1}[
                cure_in(refusal(gc_extremes, TOKENS, 0), r"at least (one) base")
            ],
        ),
        lambda found: [x.tolist() for x in found] == [[0.0] * 3, [1.0] * 3],
    ),
    **{
        f"a word for ambiguous letters, {cure}": (
            lambda cure=cure: instead(
                read_fasta,
                {"path": "peaks.fa", "ambiguous": "mask", "rng": 0},
                "ambiguous",
                rf"use .*('{cure}')",
            ),
            same,
        )
        for cure in ("refuse", "draw", "keep")
    },
    "a number as a path of FASTA": (
        lambda: instead(read_fasta, {"path": 7}, "path", r"such as ('peaks\.fa')$"),
        same,
    ),
    "a number as a path": (
        lambda: instead(
            cg.read_sequences, {"path": 7}, "path", r"such as ('peaks\.fa')$"
        ),
        same,
    ),
    **{
        f"a number among strings, {cure}": (
            lambda cure=cure, of=of: (
                cure_in(
                    refusal(sequences.middle_windows, [*STRINGS[:2], 5], 20),
                    rf"give .*({cure})",
                ),
                sequences.middle_windows(of, 20),
            )[1],
            same,
        )
        for cure, of in {
            "strings": STRINGS,
            "a mapping from names to strings": dict(zip("abc", STRINGS, strict=True)),
            "the path of a FASTA file": "peaks.fa",
        }.items()
    },
    "an N among shuffled letters": (
        lambda: cured(shuffled, {}, r"or (keep_n=True) to keep"),
        lambda found: found.shape == (4, 8),
    ),
    "strings that are too long": (
        lambda: (lambda most: nearer_than(TOKENS.reshape(1, -1)[:, : int(most)], 3))(
            cure_in(
                refusal(nearer_than, TOKENS.reshape(1, -1), 3), r"have at most (\d+)$"
            )
        ),
        lambda found: found.tolist() == [-1],
    ),
    "a distance that is none": (
        lambda: instead(
            edit_distance,
            {"one": TOKENS[0, :6], "other": TOKENS[0, 1:7], "distance": "edit"},
            "distance",
            r"one of .*('levenshtein')",
        ),
        lambda found: found <= 2,
    ),
    # ---- intervals
    "a header that is marked": (
        lambda: headed(lambda line: "#" + line, "begin the line with '#'"),
        same,
    ),
    "a header that is dropped": (lambda: headed(lambda _: "", "or drop it"), same),
    "a summit that was not called": (
        lambda: (
            write("peaks.bed", SUMMITS),
            cured(read_peaks_in_bed, {"center": "summit"}, r"use (center='middle')"),
        )[1],
        same,
    ),
    "summits that were not called, left out": (
        lambda: (
            write("peaks.bed", SUMMITS),
            cured(
                read_peaks_in_bed, {"center": "summit"}, r"lines out by (skip='\w+')"
            ),
        )[1],
        lambda found: np.array_equal(found.tokens, TOKENS[:2]),
    ),
    "a disk in place of a genome": (read_large_genome, same),
    "intervals without a genome": (
        lambda: (
            write("peaks.bed", PEAKS),
            cured(
                cg.read_sequences,
                {"path": "peaks.bed"},
                r"give (genome= .* and length=)",
                fill={
                    "genome= (its FASTA or .2bit file) and length=": (
                        "genome='genome.fa', length=20"
                    )
                },
            ),
        )[1],
        same,
    ),
    "a genome of sequences": (
        lambda: cured(
            lambda **given: cg.read_sequences("peaks.fa", **given),
            {"genome": "genome.fa"},
            r"(genome)= is for .*; leave it out$",
        ),
        same,
    ),
    "a genome and its intervals, swapped": (
        lambda: (
            write("peaks.bed", PEAKS),
            cure_in(
                refusal(cg.read_sequences, "genome.fa", genome="peaks.bed", length=20),
                r"this is FASTA, and genome='peaks.bed' is BED; (swap the two)$",
            ),
            cg.read_sequences("peaks.bed", genome="genome.fa", length=20),
        )[2],
        same,
    ),
    "a line that is no interval": (
        lambda: (
            write("peaks.bed", PEAKS + "chr1\tx\ty\n"),
            cured(read_peaks_in_bed, {}, r"such lines out by (skip='malformed')"),
        )[1],
        same,
    ),
}


# ---- arrays
def saved(name: str, *arrays: Any, **named: Any) -> str:
    if name.endswith(".npy"):
        np.save(name, arrays[0])
    else:
        np.savez(name, **named)
    return name


def arrays_saved(wrong: Callable[[], str], cure: str, right: Callable[[], str]) -> Any:
    """Read a file, be refused, save arrays as it says, and read them."""
    cure_in(refusal(cg.read_sequences, wrong()), f"({cure})")
    return cg.read_sequences(right())


def files_split() -> Any:
    """Split a file that is larger than what is read."""
    half = saved("all.npy", TOKENS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence_files, "LARGEST", 170)
        text = refusal(cg.read_sequences, half)
        assert cure_in(text, r"(split the file)$")
        most = int(cure_in(text, r"at most (\d+) are read"))
        assert most < Path(half).stat().st_size
        parts = [saved(f"{i}.npy", row[None]) for i, row in enumerate(TOKENS)]
        assert all(Path(one).stat().st_size <= most for one in parts)
        return np.concatenate([cg.read_sequences(one).tokens for one in parts])


ARRAYS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "several arrays": (
        lambda: (
            saved("x.npz", x=TOKENS, y=1 - TOKENS % 2),
            cured(
                lambda **given: cg.read_sequences("x.npz", **given),
                {},
                r"say which by (key=)",
                fill={"key=": "key='x'"},
            ),
        )[1],
        same,
    ),
    "one row of tokens": (
        lambda: arrays_saved(
            lambda: saved("x.npy", TOKENS[0]),
            r"or tokens \(n, length\)",
            lambda: saved("x.npy", TOKENS),
        ),
        same,
    ),
    "one row of tokens, as one-hot": (
        lambda: arrays_saved(
            lambda: saved("x.npy", TOKENS[0]),
            r"give one-hot \(n, 4, length\)",
            lambda: saved("x.npy", ONE_HOT),
        ),
        same,
    ),
    "a layout that is none": (
        lambda: (
            saved("x.npy", ONE_HOT),
            instead(
                cg.read_sequences,
                {"path": "x.npy", "layout": "NHWC"},
                "layout",
                r"use ('NCL') for \(n, 4, length\)",
            ),
        )[1],
        same,
    ),
    "one-hot of one sequence": (
        lambda: (
            (
                lambda array: saved(
                    "x.npy",
                    evaluated(
                        cg.read_sequences,
                        {"path": saved("x.npy", array)},
                        r"an axis of sequences: (array\[None\])$",
                        array=array,
                    ),
                )
            )(ONE_HOT[0])
            and cg.read_sequences("x.npy")
        ),
        lambda found: np.array_equal(found.tokens, TOKENS[:1]),
    ),
    "an empty file": (
        lambda: arrays_saved(
            lambda: write("x.npy", ""),
            r"write arrays by np\.save",
            lambda: saved("x.npy", TOKENS),
        ),
        same,
    ),
    "numbers of a text file": (
        lambda: (
            np.savetxt("x.npy", TOKENS, fmt="%d"),
            arrays_saved(
                lambda: "x.npy",
                r"write arrays by np\.save or .*\(numbers of a text file: np\.loadtxt\)",
                lambda: saved("x.npy", np.loadtxt("x.npy", dtype=int)),
            ),
        )[1],
        same,
    ),
    "a file that is too large": (files_split, lambda found: (found == TOKENS).all()),
}


# ---- motifs
SCREEN = {"n_units": 10, "null": cg.Uniform(length=30)}
FLAT = Motif("flat", ((0.25, 0.25, 0.25, 0.25), (0.3, 0.2, 0.25, 0.25)))
COUNTS = [[9, 1, 0, 0], [0, 9, 1, 0], [0, 0, 9, 1], [1, 0, 0, 9]]


def screen(motifs: Any, **given: Any) -> Any:
    return cg.experiments.motif_screen(motifs, **SCREEN | given)


def shown(rows: list[list[float]]) -> str:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


def with_letters(text: str, *_: str) -> str:
    head, *rows = text.splitlines()
    rows = [f"{base} [ {row} ]" for base, row in zip("ACGT", rows, strict=True)]
    return "\n".join([head, *rows]) + "\n"


def with_columns(text: str, *_: str) -> str:
    head, *rows = text.splitlines()
    rows = [" ".join([str(i + 1), *row.split()[-4:]]) for i, row in enumerate(rows)]
    name = head.removeprefix(">").strip()
    return "\n".join([f"ID {name}", "PO A C G T", *rows, "//"]) + "\n"


def of_file(text: str, edit: Callable[..., str], cure: str) -> Motif:
    """Return the motif of a file that is edited as a message says."""
    found = edited(sequences.read_motifs, write("m.txt", text), edit, cure)
    assert len(found) == 1
    return next(iter(found.values()))


def tfmodisco(n: int = 1) -> str:
    rows = np.eye(4)[sequences.encode([WORD])[0]] * 0.94 + 0.015
    with h5py.File("modisco.h5", "w") as file:
        for i in range(n):
            group = file.create_group(f"pos_patterns/pattern_{i}")
            for name in ("sequence", "contrib_scores", "hypothetical_contribs"):
                group[name] = rows
            group["seqlets/n_seqlets"] = np.array([90 - i])
    return "modisco.h5"


def of_log_odds() -> Motif:
    """Return the motif of a file of log-odds against a genome rich in A and T."""
    background = (0.3, 0.2, 0.2, 0.3)
    true = Motif(
        "toy", ((0.7, 0.1, 0.1, 0.1), (0.1, 0.2, 0.3, 0.4), (0.4, 0.2, 0.2, 0.2))
    )
    rows = true.log_odds(background=background)
    text = ">toy\n" + shown(np.asarray(rows).round(9).tolist())
    made = eval(
        cure_in(
            refusal(sequences.read_motifs, write("m.txt", text)),
            r"or (cg\.sequences\.Motif\.from_pwm\(.*?\))",
        )
        .replace("background=", f"background={background}")
        .replace("base=", "base=2"),
        {"cg": cg, "name": "toy", "rows": rows},
    )
    assert np.allclose(made.probabilities, true.probabilities, atol=1e-6)
    return made


def several_taxa(cure: str) -> Motif:
    text = refusal(cg.motif, "GATA1", taxon=None)
    if cure == "identifier":
        return cg.motif(cure_in(text, r"taxa: .*?\b(MA\d+\.\d+)"), taxon=None)
    assert cure_in(text, r"or (taxon=)")
    return cg.motif("GATA1", taxon=cure_in(text, r"\((vertebrates)\)"))


MOTIFS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a motif without a core": (
        lambda: (
            lambda name: screen(
                {k: v for k, v in {"flat": FLAT, "W": WORD}.items() if k != name}
            )
        )(
            cure_in(
                refusal(screen, {"flat": FLAT, "W": WORD}),
                r"motif '(\w+)' has no position of .*; leave it out$",
            )
        ),
        lambda made: "W" in made.arm_names and "flat" not in made.arm_names,
    ),
    "a number as a list of motifs": (
        lambda: cured(
            screen,
            {"motifs": 5},
            r"; give .*(a list)",
            fill={"a list": f"motifs=['{WORD}']"},
        ),
        lambda made: WORD in made.arm_names,
    ),
    "a word as a list of motifs": (
        lambda: cured(
            screen, {"motifs": WORD}, r"one motif is given as (motifs=\['\w+'\])"
        ),
        lambda made: WORD in made.arm_names,
    ),
    "two motifs of a name": (
        lambda: cured(
            screen,
            {
                "motifs": [
                    Motif("m", FLAT.probabilities[:0] + COUNTS_OF[i]) for i in (0, 1)
                ]
            },
            r"give a (mapping name -> motif), with names of your own",
            fill={"mapping name -> motif": "motifs=mine"},
            mine={f"mine {i}": Motif("m", COUNTS_OF[i]) for i in (0, 1)},
        ),
        lambda made: {"mine 0", "mine 1"} <= set(made.arm_names),
    ),
    "log-odds of another background": (
        of_log_odds,
        lambda motif: motif.consensus == "ATA",
    ),
    "a matrix without a name": (
        lambda: of_file(
            ">\n" + shown([*COUNTS, [9, 1, 0, 0]]),
            lambda text, line: text.replace(">\n", line.replace("ID", "M1") + "\n"),
            r"write '(>ID NAME)'",
        ),
        lambda motif: (motif.name, motif.consensus) == ("NAME", "ACGTA"),
    ),
    **{
        f"four rows of {n} numbers, {which}": (
            lambda rows=rows, edit=edit, cure=cure: of_file(
                ">box\n" + shown(rows), edit, cure
            ),
            lambda motif, consensus=consensus: motif.consensus == consensus,
        )
        for n, rows, which, edit, cure, consensus in (
            (
                "four",
                COUNTS,
                "letters",
                with_letters,
                r"letters of the rows \('A \[",
                "ACGT",
            ),
            (
                "four",
                COUNTS,
                "columns",
                with_columns,
                r"names \('(PO A C G T)'\)",
                "ACGT",
            ),
            (
                "five",
                [[i, *row] for i, row in enumerate(COUNTS, 1)],
                "letters",
                with_letters,
                r"letters of the rows \('A \[",
                "TACGT",
            ),
            (
                "five",
                [[i, *row] for i, row in enumerate(COUNTS, 1)],
                "columns",
                with_columns,
                r"names \('(PO A C G T)'\)",
                "ACGT",
            ),
        )
    },
    "sequences as motifs": (
        lambda: evaluated(
            lambda path: sequences.read_motifs(path),
            {"path": "peaks.fa"},
            r"read sequences by (cg\.read_sequences\(path\))",
        ),
        same,
    ),
    "a number as a path of patterns": (
        lambda: (
            tfmodisco(),
            instead(cg.read_patterns, {"path": 7}, "path", r"such as ('modisco\.h5')$"),
        )[1],
        lambda found: [one.consensus for one in found.values()] == [WORD],
    ),
    "many patterns": (
        lambda: many_patterns(),
        lambda found: [one.seqlets.n for one in found.values()] == [90, 89],
    ),
    **{
        f"a name of several taxa, {cure}": (
            lambda cure=cure: several_taxa(cure),
            lambda motif: motif.name == "GATA1" and motif.identifier == "MA0035.5",
        )
        for cure in ("identifier", "taxon")
    },
}
COUNTS_OF = [tuple(tuple(x / 10 for x in row) for row in COUNTS[i:]) for i in (0, 1)]


def many_patterns() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pattern_files, "_MOST_PATTERNS", 2)
        path = tfmodisco(4)
        n = int(cure_in(refusal(cg.read_patterns, path), r"at most (\d+) are read"))
        with h5py.File(path, "a") as file:
            for i in range(n, 4):
                del file[f"pos_patterns/pattern_{i}"]
        return cg.read_patterns(path)


# ---- hits of FiNeMo
HITS = "chr\tstart\tend\tmotif_name\tstrand\tpeak_id\n"
ROWS = "".join(f"chr1\t{i}\t{i + 6}\tp0\t+\t{k}\n" for k, i in enumerate((0, 20, 40)))
MEAN = Motif.from_counts("p0", np.eye(4)[TOKENS[:, :6]].sum(0)).probabilities


def hits(rows: str = ROWS, name: str = "hits.tsv") -> str:
    return write(name, HITS + rows)


def regions(name: str = "regions.npz", **given: Any) -> str:
    arrays = {"sequences": ONE_HOT, "contributions": np.ones((3, 20))} | given
    np.savez(name, **arrays)
    return name


STARTS = {
    "chr": np.array(["chr1"] * 3),
    "start": np.array([0, 20, 40]),
    "peak_id": np.arange(3),
}


def is_mean(found: dict[str, Motif]) -> bool:
    return list(found) == ["p0"] and np.allclose(found["p0"].probabilities, MEAN)


def patterns(path: str, cure: str, filled: str, **given: Any) -> Any:
    return cured(
        lambda **given: cg.read_patterns(path, **given), given, cure, fill={"": filled}
    )


PATTERNS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "hits without bases, of a genome": (
        lambda: cured(
            cg.read_patterns,
            {"path": hits()},
            r"give (genome=)",
            fill={"genome=": "genome='genome.fa'"},
        ),
        is_mean,
    ),
    "hits without bases, of regions": (
        lambda: cured(
            cg.read_patterns,
            {"path": hits()},
            r"or (regions=)",
            fill={"regions=": f"regions={regions(**STARTS)!r}"},
        ),
        is_mean,
    ),
    **{
        f"hits {what}": (
            lambda form=form, cure=cure: (
                cure_in(
                    refusal(
                        cg.read_patterns,
                        write("other.tsv", form(HITS, ROWS)),
                        genome="genome.fa",
                    ),
                    cure,
                ),
                cg.read_patterns(hits(), genome="genome.fa"),
            )[1],
            is_mean,
        )
        for what, form, cure in (
            (
                "in capitals",
                lambda head, rows: head.upper() + rows,
                r"; (write the names in lower case)$",
            ),
            (
                "with commas",
                lambda head, rows: (head + rows).replace("\t", ","),
                r"; (separate the columns by tabs)$",
            ),
        )
    },
    "hits with both": (
        lambda: (
            cure_in(
                refusal(
                    cg.read_patterns,
                    hits(),
                    genome="genome.fa",
                    regions=regions(**STARTS),
                ),
                r"(not both)$",
            ),
            cg.read_patterns("hits.tsv", genome="genome.fa"),
        )[1],
        is_mean,
    ),
    "a genome of motifs": (
        lambda: cured(
            cg.read_patterns,
            {"path": tfmodisco(), "genome": "genome.fa"},
            r"leave (genome)= out for motifs$",
        ),
        lambda found: next(iter(found.values())).consensus == WORD,
    ),
    "a trim of text": (
        lambda: evaluated(
            cg.read_patterns,
            {
                "path": write("m.txt", ">M1\n" + shown(COUNTS).replace("9", "8")),
                "trim": 0.3,
            },
            r"(cg\.sequences\.Motif\(motif\.name, .*?\))",
            motif=Motif("m", COUNTS_OF[0]),
        ),
        lambda motif: motif.consensus == "CG",
    ),
    "hits without a chromosome": (
        lambda: cured(
            cg.read_patterns,
            {
                "path": hits("".join(f"NA\t0\t6\tp0\t+\t{k}\n" for k in range(3))),
                "genome": "genome.fa",
            },
            r"give (regions=)",
            fill={"regions=": f"genome=None, regions={regions()!r}"},
        ),
        is_mean,
    ),
    "regions of other hits, and a genome": (
        lambda: cured(
            cg.read_patterns,
            {
                "path": hits(ROWS.replace("\t2\n", "\t9\n")),
                "regions": regions(**STARTS),
            },
            r"or (genome=)$",
            fill={"genome=": "regions=None, genome='genome.fa'"},
        ),
        is_mean,
    ),
    "regions of other hits, and those of their own": (
        lambda: (
            cure_in(
                refusal(
                    cg.read_patterns,
                    hits(ROWS.replace("\t2\n", "\t9\n")),
                    regions=regions(**STARTS),
                ),
                r"(give hits\.tsv with its own regions)",
            ),
            cg.read_patterns(
                "hits.tsv", regions=regions(**STARTS | {"peak_id": np.array([0, 1, 9])})
            ),
        )[1],
        is_mean,
    ),
    "regions without their starts": (
        lambda: cured(
            cg.read_patterns,
            {"path": hits(), "regions": regions()},
            r"or give (genome=)$",
            fill={"genome=": "regions=None, genome='genome.fa'"},
        ),
        is_mean,
    ),
    "regions whose starts are added": (
        lambda: (
            cure_in(
                refusal(cg.read_patterns, hits(), regions=regions()),
                r"(make them with the peaks)",
            ),
            cg.read_patterns("hits.tsv", regions=regions(**STARTS)),
        )[1],
        is_mean,
    ),
}


# ---- variants
def other(base: str) -> str:
    return "A" if base != "A" else "C"


SITES = (10, 30, 45)
ALLELES = [(i, CHROMOSOME[i], other(CHROMOSOME[i])) for i in SITES]
CALLS = [Variant("chr1", i, a, b, f"v{i}") for i, a, b in ALLELES]
BED = "".join(f"chr1\t{i}\t{i + 1}\t{a}\t{b}\tv{i}\n" for i, a, b in ALLELES)
VCF = VCF_HEAD + "".join(
    f"chr1\t{i + 1}\tv{i}\t{a}\t{b}\t.\t.\t.\n" for i, a, b in ALLELES
)
FIVE_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\n" + "".join(
    f"chr1\t{i + 1}\t.\t{a}\t{b}\n" for i, a, b in ALLELES
)


def rows_of(form: str) -> str:
    """Return a table of the variants with lines of this form."""
    return "".join(form.format(i, i + 1, a, b) for i, a, b in ALLELES)


def as_called(found: Any) -> bool:
    return [(x.position, x.reference) for x in found] == [x[:2] for x in ALLELES]


def effects(read_out: Any) -> Any:
    return cg.experiments.variant_effects(
        CALLS, "genome.fa", length=20, read_out=read_out, align="read_out"
    )


def site_rows(strands: str) -> str:
    return "".join(
        f"chr1\t{i + 2}\t{i + 3}\ts\t0\t{strand}\n"
        for i, strand in zip(SITES, strands, strict=True)
    )


VARIANTS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "BED in place of VCF": (
        lambda: cured(
            sequences.read_variants,
            {"path": write("v.bed", BED)},
            r"from 0; give (schema='bed')",
        ),
        as_called,
    ),
    "BED without names in place of VCF": (
        lambda: (
            lambda names: cured(
                sequences.read_variants,
                {"path": write("v.bed", re.sub(r"\tv\d+", "", BED))},
                rf"write {names}, and give (schema='bed')",
                fill={"schema": "path=write('v.bed', BED), schema"},
                write=write,
                BED=BED,
            )
        )("chromosome, position, end, reference, alternate, name"),
        as_called,
    ),
    **{
        f"a table of {schema} without its schema": (
            lambda schema=schema, rows=rows: cured(
                sequences.read_variants,
                {"path": write("v.tsv", rows)},
                rf"not a VCF file: the columns are .*; give (schema='{schema}')",
            ),
            as_called,
        )
        for schema, rows in {
            "chrombpnet": rows_of("chr1\t{1}\t{2}\t{3}\tv{0}\n"),
            "plink": rows_of("chr1\tv{0}\t0\t{1}\t{2}\t{3}\n"),
            "plink2": rows_of("chr1\tv{0}\t{1}\t{2}\t{3}\n"),
        }.items()
    },
    "a table of another tool": (
        lambda: (
            lambda text: cured(
                sequences.read_variants,
                {"path": text},
                r"no line has REF of a VCF file in column 4 \('11' in line 1\); which "
                r"schema has the file\? Give it as (schema=) .* write the columns of one"
                r".*'original': chromosome, position, name, reference, alternate;",
                fill={"schema=": "path=write('v.tsv', ROWS), schema='original'"},
                write=write,
                ROWS=rows_of("chr1\t{1}\tv{0}\t{2}\t{3}\n"),
            )
        )(write("v.tsv", rows_of("chr1\t{1}\tv{0}\t{1}\t{2}\t{3}\t.5\n"))),
        as_called,
    ),
    "a schema that is none": (
        lambda: instead(
            sequences.read_variants,
            {"path": write("v.bed", BED), "schema": "tsv"},
            "schema",
            r"one of .*('bed')",
        ),
        as_called,
    ),
    **{
        f"a header of variants, {cure}": (
            lambda cure=cure, edit=edit: edited(
                sequences.read_variants,
                write("v.bed", "chrom\tstart\tend\tref\talt\tname\n" + BED),
                lambda text, number, _: in_line(number, edit, text),
                rf"line (\d+) is a header.*({cure})",
                schema="bed",
            ),
            as_called,
        )
        for cure, edit in {
            "drop it": lambda line: "",
            "begin it with #": lambda line: "#" + line,
        }.items()
    },
    "a field whose name is a phrase": (
        lambda: instead(
            InfoField,
            {
                "name": "effect in K562",
                "kind": "Float",
                "description": "d",
                "values": [0.5],
            },
            "name",
            r"for example '(\w+)'$",
        ),
        lambda field: "##INFO=<ID=effect_in_K562," in annotated_vcf(CALLS[:1], [field]),
    ),
    "a field with too few values": (
        lambda: (
            cure_in(
                refusal(annotated_vcf, CALLS, [InfoField("e", "Float", "d", [0.5])]),
                r"(give one for each)$",
            ),
            annotated_vcf(CALLS, [InfoField("e", "Float", "d", [0.5] * len(CALLS))]),
        )[1],
        lambda text: text.count("e=0.5") == len(CALLS),
    ),
    "a symbolic allele": (
        lambda: cured(
            sequences.read_variants,
            {"path": write("v.vcf", VCF + "chr1\t50\tv\tA\t<DEL>\t.\t.\t.\n")},
            r"such lines out by (skip='symbolic')",
        ),
        as_called,
    ),
    **{
        f"a VCF file read as {schema}, {kind}": (
            lambda schema=schema, text=text: cured(
                sequences.read_variants,
                {"path": write("v.vcf", text), "schema": schema},
                r"; give (schema='\w+')$",
            ),
            as_called,
        )
        for kind, text in {
            "whole": VCF,
            "of five columns": FIVE_COLUMNS,
            "without a header": FIVE_COLUMNS.split("ALT\n")[1],
        }.items()
        for schema in ("chrombpnet", "plink", "plink2")
    },
    "a malformed line": (
        lambda: cured(
            sequences.read_variants,
            {"path": write("v.vcf", VCF + "chr1\tx\tv\tA\tC\t.\t.\t.\n")},
            r"such lines out by (skip='malformed')",
        ),
        as_called,
    ),
    **{
        f"sites of which some have a strand, {cure}": (
            lambda cure=cure, strands=strands: (
                cure_in(
                    refusal(effects, write("sites.bed", site_rows("+.-"))),
                    rf"(give each site {cure})"
                    if cure == "its strand"
                    else r"(or none)$",
                ),
                effects(write("sites.bed", site_rows(strands))),
            )[1],
            lambda made: made.n_units == 3,
        )
        for cure, strands in {"its strand": "++-", "or none": "..."}.items()
    },
    **{
        f"a site that is a number, {cure}": (
            lambda cure=cure, sites=sites: (
                cure_in(refusal(effects, 5), rf"({cure})"),
                effects(sites()),
            )[1],
            lambda made: made.n_units == 3,
        )
        for cure, sites in {
            "give a BED file of sites": lambda: write("sites.bed", site_rows("++-")),
            "a table with the columns 'position' .* and 'strand'": lambda: pd.DataFrame(
                {"position": [x + 2 for x in SITES], "strand": list("++-")}
            ),
        }.items()
    },
    "sites of some variants": (
        lambda: (
            cure_in(
                refusal(effects, pd.DataFrame({"position": [12]})),
                r"(give each variant its row), in their order",
            ),
            effects(pd.DataFrame({"position": [x + 2 for x in SITES]})),
        )[1],
        lambda made: made.n_units == 3,
    ),
}

# ---- what is called by another name, or is left out
MORE: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "one motif as a list": (
        lambda: cured(
            screen,
            {"motifs": Motif("m", COUNTS_OF[0])},
            r"with a name, (motifs=\{'motif 1': motif\})$",
            motif=Motif("m", COUNTS_OF[0]),
        ),
        lambda made: "motif 1" in made.arm_names,
    ),
    "no motif": (
        lambda: cured(
            screen,
            {"motifs": []},
            r"(give one) or more$",
            fill={"give one": f"motifs=['{WORD}']"},
        ),
        lambda made: WORD in made.arm_names,
    ),
    "numbers as seqlets of a motif": (
        lambda: (
            lambda given: (
                cure_in(
                    refusal(Motif, *given, seqlets=90), r"(leave them out), or take"
                ),
                Motif(*given),
            )[1]
        )(("m", COUNTS_OF[0])),
        lambda motif: motif.consensus == "ACGT",
    ),
    **{
        f"five numbers under four names, {cure}": (
            lambda cure=cure, edit=edit: of_file(
                "A\tC\tG\tT\n" + FIVE, lambda text, *_: edit(text), rf"({cure})"
            ),
            lambda motif: motif.consensus == "ACGT",
        )
        for cure, edit in {
            r"name the columns as in 'PO A C G T'": lambda text: "PO\t" + text,
            r"or leave A, C, G, T alone$": lambda text: re.sub(r"\n\d+ ", r"\n", text),
        }.items()
    },
    "a number as a genome": (
        lambda: (
            write("peaks.bed", PEAKS),
            cure_in(
                refusal(read_peaks_in_bed, genome=5),
                r"give (the path of a FASTA or .2bit file)$",
            ),
            read_peaks_in_bed(genome="genome.fa"),
        )[-1],
        same,
    ),
    "arrays that are packed": (
        lambda: (
            np.savez_compressed("x.npz", x=np.zeros((400, 400), np.uint8)),
            packed("x.npz"),
        )[1],
        lambda found: found.tokens.shape == (400, 400),
    ),
    "a file that was cut short": (
        lambda: (
            Path("whole.h5").write_bytes(Path(tfmodisco()).read_bytes()),
            Path("modisco.h5").write_bytes(Path("whole.h5").read_bytes()[:900]),
            cure_in(refusal(cg.read_patterns, "modisco.h5"), r"(make it anew)$"),
            Path("modisco.h5").write_bytes(Path("whole.h5").read_bytes()),
            cg.read_patterns("modisco.h5"),
        )[-1],
        lambda found: next(iter(found.values())).consensus == WORD,
    ),
    "strings of two lengths": (
        lambda: (
            cure_in(
                refusal(edit_distance, TOKENS[0, :6], TOKENS[0, :5]),
                r"(give two of one length)$",
            ),
            edit_distance(TOKENS[0, :6], TOKENS[0, :6]),
        )[1],
        lambda found: found == 0,
    ),
    "two fields of a name": (
        lambda: (
            lambda name: annotated_vcf(
                CALLS[:1],
                [InfoField(x, "Float", "d", [0.5]) for x in (name, name + "_2")],
            )
        )(
            cure_in(
                refusal(
                    annotated_vcf, CALLS[:1], [InfoField("e", "Float", "d", [0.5])] * 2
                ),
                r"are called '(\w+)'; rename one$",
            )
        ),
        lambda text: "e=0.5;e_2=0.5" in text,
    ),
    "sites by another name": (
        lambda: (
            lambda one: (lambda name, old: effects(one.rename(columns={old: name})))(
                *re.search(
                    r"no column '(\w+)'.* columns are '(\w+)': rename the one that has it",
                    refusal(effects, one),
                ).groups()
            )
        )(pd.DataFrame({"tss": [x + 2 for x in SITES]})),
        lambda made: made.n_units == 3,
    ),
}
FIVE = "".join(
    f"{10 * i} {row}\n" for i, row in enumerate(shown(COUNTS).splitlines(), 3)
)


def packed(path: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence_files, "_FREE_ZIP_BYTES", 1_000)
        patch.setattr(sequence_files, "_ZIP_RATIO", 2)
        text = refusal(cg.read_sequences, path)
        save = eval(cure_in(text, r"save the arrays by (np\.savez), which"), {"np": np})
        with np.load(path) as arrays:
            save("y.npz", **arrays)
        return cg.read_sequences("y.npz")


def of_nuls() -> Any:
    Path("zeros.fa").write_bytes(b">a\nACGT\n" + b"A" * 70_000 + b"\0\n")
    text = refusal(cg.read_sequences, "zeros.fa")
    assert cure_in(text, r"has a NUL byte, .*; give (the text) that it was made from$")
    data = Path("zeros.fa").read_bytes()
    Path("zeros.fa").write_bytes(data.replace(b"A" * 70_000 + b"\0\n", b""))
    return cg.read_sequences("zeros.fa")


def of_a_short_row() -> Any:
    rows = ["0.25\t0.25\t0.25\t0.25", "0.1\t0.2\t0.7", "0.7\t0.1\t0.1\t0.1"]
    rows = [f"{k + 1}\t{row}" for k, row in enumerate(rows)]
    path = write("m.txt", "\n".join(["Pos\tA\tC\tG\tT", *rows, ""]))
    text = refusal(sequences.read_motifs, path)
    line = int(
        cure_in(text, r"line (\d+): .* does not have four numbers.*; correct it$")
    )
    lines = Path(path).read_text().splitlines()
    lines[line - 1] = "2\t0.1\t0.1\t0.1\t0.7"
    return sequences.read_motifs(write("m.txt", "\n".join([*lines, ""])))


AGAIN: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a zero byte in a text": (of_nuls, lambda found: len(found) == 1),
    "a position of three numbers": (
        of_a_short_row,
        lambda found: len(next(iter(found.values())).probabilities) == 3,
    ),
}


CASES = LETTERS | ARRAYS | MOTIFS | PATTERNS | VARIANTS | MORE | AGAIN


@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_sequences_is_applied_and_succeeds(case: str) -> None:
    attempt, holds = CASES[case]
    assert holds(attempt())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
def test_a_genome_that_is_refused_is_closed() -> None:
    """It stayed open for as long as the error was held."""
    write("odd.fa", "no record\n")
    write("peaks.bed", PEAKS)
    with pytest.raises(SequenceError, match="does not begin with a record") as error:
        read_peaks_in_bed(genome="odd.fa")
    files = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
    assert not any(one.endswith("odd.fa") for one in files), error


def test_names_that_differ_after_their_space_are_said_to_end_there():
    path = write("twice.fa", ">chr1 first\nACGT\n>chr1 second\nACGA\n")
    text = refusal(cg.read_sequences, path)
    assert cure_in(text, r"\((a name ends at the first space) of its line\)")
    write("twice.fa", Path(path).read_text().replace(" ", "_"))
    assert cg.read_sequences(path).names == ("chr1_first", "chr1_second")
    write("twice.fa", ">chr1\nACGT\n>chr1\nACGA\n")
    assert "space" not in refusal(cg.read_sequences, path)


ONE_INPUT: dict[str, Callable[[], str]] = {
    "a record": lambda: refusal(cg.read_sequences, write("one.fa", ">a\n")),
    "a record without letters among such": lambda: refusal(
        cg.read_sequences, write("one.fa", ">a\n>b\n")
    ),
    "a short record": lambda: refusal(
        sequences.read_fasta, write("one.fa", ">a\nACGT\n"), length=9
    ),
    "a letter": lambda: refusal(cg.read_sequences, write("one.fa", ">a\nACNT\n")),
    "a variant": lambda: refusal(
        sequences.read_variants,
        write("v.vcf", "chr1\t50\tv\tA\t<DEL>\t.\t.\t.\n"),
    ),
    "a row": lambda: refusal(
        sequences.read_variants, write("v.bed", "chr1\tx\t3\tA\tC\tv\n"), schema="bed"
    ),
    "an interval": lambda: refusal(
        sequences.from_bed, write("one.bed", "chr1\tx\ty\n"), "genome.fa", length=20
    ),
    "an interval at the edge": lambda: refusal(
        sequences.from_bed, write("one.bed", "chr1\t0\t2\n"), "genome.fa", length=20
    ),
}


@pytest.mark.parametrize("refused", ONE_INPUT.values(), ids=list(ONE_INPUT))
def test_what_is_all_there_is_is_not_left_out(refused):
    assert "skip=" not in refused()
