"""Errors of discover, variants, the bench and reports in the shell: what each says to
type, edit or run is read from its text and done, and the command then succeeds.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cures import VCF_HEAD, shell_refusal
from test_applied_cures_of_trial_files import TRIAL
from test_cli import call
from test_discover_command import letters

import causalgia as cg
from causalgia.sequences.motif_names import core_motifs

BENCH = TRIAL.replace("length = 60", "length = 200").replace(
    "[arms]",
    'mpra = {oligo_length = 230, adapters = "lentimpra", n_scrambles = 10}\n[arms]',
)
GENOME = "".join(np.random.default_rng(0).choice(list("ACGT"), 1500))
NEXT = {"A": "C", "C": "A", "G": "A", "T": "C"}
SITES = range(200, 1400, 100)
WORDS = [
    "TGCATG",
    *("".join(row) for row in np.random.default_rng(1).choice(list("ACGT"), (59, 6))),
]
MEME = "MEME version 4\n\n" + "".join(
    f"MOTIF M{k} {word}\nletter-probability matrix: w= 6\n"
    + "".join(
        " ".join("0.97" if base == one else "0.01" for base in "ACGT") + "\n"
        for one in word
    )
    for k, word in enumerate(WORDS)
)


def call_line(at: int, chromosome: str = "chr1", alternate: str = "") -> str:
    letter = GENOME[at]
    fields = (chromosome, at + 1, f"v{at}", letter, alternate or NEXT[letter])
    return "\t".join(map(str, (*fields, ".", ".", "."))) + "\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a trial, a library and its counts, virtual and measured effects,
    peaks, a genome and variants.
    """
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("trial.toml").write_text(TRIAL)
        Path("bench.toml").write_text(BENCH.replace("n_units = 30", "n_units = 12"))
        Path("net.toml").write_text('[predictor]\nzoo = "additive"\n')
        rows = [f">peak_{k}\n{row}\n" for k, row in enumerate(letters())]
        Path("peaks.fa").write_text("".join(rows))
        Path("genome.fa").write_text(f">chr1\n{GENOME}\n>chr2\n{GENOME[::-1]}\n")
        Path("calls.vcf").write_text(VCF_HEAD + "".join(map(call_line, SITES)))
        Path("motifs.meme").write_text(MEME)
        call("run", "trial.toml", "--out", "results")
        call("lock", "trial.toml", "--out", "lock.toml")
        call("mpra", "design", "bench.toml", "--out", "LIB")
        call("mpra", "predict", "bench.toml", "--design", "LIB", "--out", "virtual")
        library = cg.mpra.read_library("LIB")
        names = ["oligo_name", "element", "arm", "group"]
        frame = library[names].to_dataframe().drop_duplicates("oligo_name")
        counts = cg.mpra.simulate(
            frame.assign(log2=np.where(frame["arm"] == "GATA1", 1.0, 0.0)),
            n_barcodes=5,
            n_replicates=2,
            noise=cg.mpra.NoiseModel(sd_barcode=0.4, sd_replicate=0.1),
            rng=5,
        )
        cg.mpra.to_igvf(counts, "counts.tsv.gz", "reporter_experiment_barcode")
        shutil.copy("counts.tsv.gz", "again.tsv.gz")
        call(*shlex.split("mpra analyze counts.tsv.gz --design LIB --out measured"))
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    """A copy of it that is the working folder; no forest is drawn."""
    monkeypatch.setattr(cg.plot, "save_forest", lambda *_, **__: None)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(file: str, old: str, new: str) -> Callable[..., None]:
    """Return what changes a file; the cure found is ``{0}`` in the new text."""

    def change(*found: str) -> None:
        text = Path(file).read_text()
        assert old in text
        Path(file).write_text(text.replace(old, new.format(*found), 1))

    return change


def write(file: str, text: str) -> Callable[..., None]:
    return lambda *_: (Path(file).write_text(text), None)[1]


def nothing(*_: str) -> None:
    pass


def has(*files: str) -> Callable[[], bool]:
    return lambda: all(Path(file).is_file() for file in files)


def motifs_found() -> bool:
    table = pd.read_csv("m/motifs.tsv", sep="\t")
    return "TGCATG" in set(table["consensus"])


def scored(n: int) -> Callable[[], bool]:
    return lambda: len(pd.read_csv("s/variants.tsv", sep="\t")) == n


def gata1_raises() -> bool:
    """Whether the analyzed counts have the effect that was simulated."""
    found = cg.mpra.average(cg.store.read_netcdf(Path("x/fit.nc")))
    gata1 = found.sel(
        contrast=[one for one in found["contrast"].values if "GATA1" in one]
    )
    return bool((abs(abs(gata1["ace"]) - 1) < 0.3).all())


DISCOVER = (
    "discover {} --sequences {} --out m --method seqlets --n-units 20 --no-progress"
)
MOTIFS = DISCOVER.format("net.toml", "peaks.fa")
VARIANTS = "variants calls.vcf --genome genome.fa --predictor net.toml --out s"
SCORE = f"{VARIANTS} --length 61 --null none"
ANALYZE = "mpra analyze counts.tsv.gz --design LIB --out x"
COMPARE = "mpra compare virtual measured --task K562"

Case = tuple[
    Callable[..., None], str, str, Callable[..., None], str, Callable[[], bool]
]
CASES: dict[str, Case] = {
    # what is broken, the command, what the message says, the edit that follows, the
    # command that is then run, and what holds
    "a method that is misspelled": (
        nothing,
        MOTIFS.replace("seqlets", "seqlet"),
        r"did you mean '(\w+)'",
        nothing,
        MOTIFS.replace("seqlets", "{0}"),
        motifs_found,
    ),
    "few sequences": (
        lambda: Path("few.fa").write_text(Path("peaks.fa").read_text()[:500]) and None,
        DISCOVER.format("net.toml", "few.fa"),
        r"or test given motifs: causalgia (init .*)$",
        nothing,
        "{0}",
        has("screen.toml"),
    ),
    "sequences of unequal lengths": (
        edit("peaks.fa", ">peak_1\n", ">peak_1\nACGT"),
        MOTIFS,
        r"cut all to one length: (--length \d+) takes the middle of each,",
        nothing,
        MOTIFS + " {0}",
        motifs_found,
    ),
    "a sequence of another length": (
        edit("peaks.fa", ">peak_1\n", ">peak_1\nACGT"),
        MOTIFS,
        r"or leave such lines out by (--skip length)$",
        nothing,
        MOTIFS + " {0}",
        motifs_found,
    ),
    "a short sequence": (
        edit("peaks.fa", ">peak_1\n", ">short\nACGT\n>peak_1\n"),
        MOTIFS + " --length 41",
        r"or leave such lines out by (--skip length)$",
        nothing,
        MOTIFS + " --length 41 {0}",
        motifs_found,
    ),
    "a letter that is no base": (
        edit("peaks.fa", ">peak_1\n", ">n\n" + "N" * 41 + "\n>peak_1\n"),
        MOTIFS,
        r"choose (--ambiguous draw) \(in a trial file",
        nothing,
        MOTIFS + " {0}",
        motifs_found,
    ),
    "a record that is left out": (
        edit("peaks.fa", ">peak_1\n", ">n\n" + "N" * 41 + "\n>peak_1\n"),
        MOTIFS,
        r"leave such lines out by (--skip N)",
        nothing,
        MOTIFS + " {0}",
        motifs_found,
    ),
    "a letter that is kept": (
        edit("peaks.fa", ">peak_1\n", ">n\n" + "N" * 41 + "\n>peak_1\n"),
        MOTIFS,
        r"or (--ambiguous keep) \(in a trial file keep_n = true\) to keep its place",
        nothing,
        MOTIFS + " {0}",
        motifs_found,
    ),
    "a record without letters": (
        edit("peaks.fa", ">peak_1\n", ">empty\n\n>peak_1\n"),
        MOTIFS,
        r"record '(\w+)' has no letters; complete or drop it",
        lambda name: edit("peaks.fa", f">{name}\n\n", "")(),
        MOTIFS,
        motifs_found,
    ),
    "how letters are read": (
        nothing,
        MOTIFS + " --ambiguous random",
        r"use 'refuse', '(\w+)' or 'keep'",
        nothing,
        MOTIFS + " --ambiguous {0}",
        motifs_found,
    ),
    "sequences in place of motifs": (
        nothing,
        MOTIFS + " --motifs peaks.fa",
        r"give a file of motifs, such as (motifs\.meme)$",
        nothing,
        MOTIFS + " --motifs {0}",
        motifs_found,
    ),
    "motifs that are there": (
        lambda: (call(*MOTIFS.split()), None)[1],
        MOTIFS,
        r"or (--force) to write over it",
        nothing,
        MOTIFS + " {0}",
        motifs_found,
    ),
    "a folder in place of a network": (
        edit("peaks.fa", ">", ">"),
        DISCOVER.format("results", "peaks.fa"),
        r"give the trial file in it, (\S+)$",
        nothing,
        DISCOVER.format("{0}", "peaks.fa"),
        has("m/motifs.tsv"),
    ),
    "a key without its table": (
        write("net.toml", 'zoo = "additive"\n'),
        MOTIFS,
        r"it is a key of (\[predictor\]): write it below that line",
        edit("net.toml", "zoo", "{0}\nzoo"),
        MOTIFS,
        motifs_found,
    ),
    "a network that is misspelled": (
        write("net.toml", '[predictor]\nzoo = "addittive"\n'),
        MOTIFS,
        r"did you mean '(\w+)'\?",
        edit("net.toml", "addittive", "{0}"),
        MOTIFS,
        motifs_found,
    ),
    "a file of a network that is not there": (
        nothing,
        DISCOVER.format("gone.toml", "peaks.fa"),
        r"`causalgia (init gone\.toml)` writes one",
        lambda command: (call(*command.split()), None)[1],
        DISCOVER.format("gone.toml", "peaks.fa"),
        has("m/motifs.tsv"),
    ),
    "a device": (
        nothing,
        MOTIFS + " --device tpu",
        r"--device 'tpu' is not a device; say one of auto, (cpu),",
        nothing,
        MOTIFS + " --device {0}",
        motifs_found,
    ),
    # ---- variants
    "no length": (
        nothing,
        f"{VARIANTS} --null none",
        r"give (--length) N",
        nothing,
        f"{VARIANTS} --null none {{0}} 61",
        scored(12),
    ),
    "null variants that are misspelled": (
        nothing,
        f"{VARIANTS} --length 61 --null non",
        r"did you mean '(\w+)'",
        nothing,
        f"{VARIANTS} --length 61 --null {{0}}",
        scored(12),
    ),
    "null variants beside none": (
        nothing,
        f"{SCORE} --tail",
        r"(--tail) is of null variants, .*leave one of them out",
        nothing,
        SCORE,
        scored(12),
    ),
    "more null variants than sequences": (
        edit("calls.vcf", call_line(1300), "".join(map(call_line, range(1300, 1330)))),
        f"{VARIANTS} --length 61 --null variants",
        r"give (--n-null \d+), more sequences",
        nothing,
        f"{VARIANTS} --length 61 --null variants --match length {{0}}",
        scored(41),
    ),
    "few sequences of null variants": (
        nothing,
        f"{VARIANTS} --length 61 --null variants",
        r"give (--null genome)",
        nothing,
        f"{VARIANTS} --length 61 {{0}} --n-null 100",
        scored(12),
    ),
    "a region of placebos": (
        nothing,
        f"{SCORE} --rope placebo",
        r"give two numbers, (--rope=\S+),",
        nothing,
        f"{SCORE} {{0}}",
        scored(12),
    ),
    "a region of null variants": (
        nothing,
        f"{SCORE} --rope matched",
        r"or (--rope '0\.2 sd'),",
        nothing,
        f"{SCORE} {{0}}",
        scored(12),
    ),
    "a reason that is none": (
        nothing,
        f"{SCORE} --skip symbolics",
        r"did you mean '(\w+)'",
        nothing,
        f"{SCORE} --skip {{0}}",
        scored(12),
    ),
    "an allele without letters": (
        edit("calls.vcf", call_line(200), call_line(200, alternate="<DEL>")),
        SCORE,
        r"or leave such lines out by (--skip symbolic)$",
        nothing,
        f"{SCORE} {{0}}",
        scored(11),
    ),
    "a variant that is there twice": (
        edit("calls.vcf", call_line(200), call_line(200) * 2),
        SCORE,
        r"or leave such lines out by (--skip repeated)$",
        nothing,
        f"{SCORE} {{0}}",
        scored(12),
    ),
    "a variant near the end": (
        edit("calls.vcf", call_line(200), call_line(2) + call_line(200)),
        SCORE,
        r"or leave such lines out by (--skip edge)$",
        nothing,
        f"{SCORE} {{0}}",
        scored(12),
    ),
    "a window that is too long": (
        nothing,
        f"{VARIANTS} --null none --length 1000",
        r"give a shorter (--length)",
        nothing,
        f"{VARIANTS} --null none {{0}} 61",
        scored(12),
    ),
    "another reference allele": (
        edit("calls.vcf", call_line(200), call_line(200).replace("201", "203")),
        SCORE,
        r" (--skip-mismatches) leaves them out$",
        nothing,
        f"{SCORE} {{0}}",
        scored(11),
    ),
    "chromosomes of another name": (
        lambda: edit("calls.vcf", "", "")() or _renamed("calls.vcf", "chr1", "1"),
        SCORE,
        r"did you mean '(\w+)'\? Rename one file's chromosomes",
        lambda name: _renamed("calls.vcf", "1", name),
        SCORE,
        scored(12),
    ),
    "the genome in place of variants": (
        nothing,
        SCORE.replace("calls.vcf", "genome.fa"),
        r"give (the VCF file) first",
        nothing,
        SCORE,
        scored(12),
    ),
    "variants of other settings": (
        lambda: (call(*SCORE.split()), None)[1],
        f"{VARIANTS} --length 41 --null none",
        r"or (--force) to start anew$",
        nothing,
        f"{VARIANTS} --length 41 --null none {{0}}",
        scored(12),
    ),
    "a trial in place of variants": (
        nothing,
        "variants trial.toml --out s",
        r"causalgia (run trial\.toml) runs other trials",
        nothing,
        "{0} --out s",
        has("s/outcomes.nc"),
    ),
    "an option beside a trial file": (
        lambda: edit("trial.toml", "", "")(),
        "variants trial.toml --length 61 --out s",
        r"(--length) beside trial\.toml",
        nothing,
        "run trial.toml --out s",
        has("s/outcomes.nc"),
    ),
    # ---- the bench: libraries
    "adapters that are misspelled": (
        edit("bench.toml", "lentimpra", "lentimppra"),
        "mpra design bench.toml --out L",
        r"did you mean '(\w+)'\?",
        edit("bench.toml", "lentimppra", "{0}"),
        "mpra design bench.toml --out L",
        has("L/library.nc"),
    ),
    "a key that is misspelled": (
        edit("bench.toml", "n_scrambles", "n_scramble"),
        "mpra design bench.toml --out L",
        r"did you mean '(\w+)'\?",
        edit("bench.toml", "n_scramble ", "{0} "),
        "mpra design bench.toml --out L",
        has("L/library.nc"),
    ),
    "a key that is missing": (
        edit("bench.toml", ', adapters = "lentimpra"', ""),
        "mpra design bench.toml --out L",
        r"\[mpra\] needs '(\w+)'",
        edit("bench.toml", "mpra = {", 'mpra = {{{0} = "lentimpra", '),
        "mpra design bench.toml --out L",
        has("L/library.nc"),
    ),
    "a library that is not there": (
        lambda: shutil.move("bench.toml", "trial.toml") and None,
        "mpra predict trial.toml --design L --out v",
        r"make the library with: causalgia (mpra design trial\.toml --out L)$",
        lambda command: (call(*command.split()), None)[1],
        "mpra predict trial.toml --design L --out v",
        has("v/outcomes.nc"),
    ),
    "a table in place of a library": (
        nothing,
        "mpra predict bench.toml --design LIB/arms.tsv --out v",
        r"give the folder that it lies in, '(\w+)'",
        nothing,
        "mpra predict bench.toml --design {0} --out v",
        has("v/outcomes.nc"),
    ),
    "one flank": (
        nothing,
        "mpra predict bench.toml --design LIB --out v --flanks ACGT",
        r"one may be empty: (ACGT,)$",
        nothing,
        "mpra predict bench.toml --design LIB --out v --flanks {0}",
        has("v/outcomes.nc"),
    ),
    # ---- the bench: counts
    "a trial file in place of a library": (
        nothing,
        "mpra analyze counts.tsv.gz --design bench.toml --out x",
        r"make its library with: causalgia (mpra design bench\.toml --out library)$",
        lambda command: (call(*command.split()), None)[1],
        "mpra analyze counts.tsv.gz --design library --out x",
        gata1_raises,
    ),
    "no control": (
        nothing,
        ANALYZE.replace("LIB", "LIB/arms.tsv"),
        r"give (--control), one of GATA1, (placebo)",
        nothing,
        ANALYZE.replace("LIB", "LIB/arms.tsv") + " {0} {1}",
        gata1_raises,
    ),
    "a control that is misspelled": (
        nothing,
        f"{ANALYZE} --control placeb",
        r"did you mean '(\w+)'\?",
        nothing,
        f"{ANALYZE} --control {{0}}",
        gata1_raises,
    ),
    "an arm that is misspelled": (
        nothing,
        f"{ANALYZE} --arms GATA",
        r"did you mean '(\w+)'\?",
        nothing,
        f"{ANALYZE} --arms {{0}}",
        gata1_raises,
    ),
    "an arm of a contrast that is misspelled": (
        nothing,
        f"{ANALYZE} --contrasts 'GATA1 - placeb'",
        r"did you mean '(\w+)'\?",
        nothing,
        f"{ANALYZE} --contrasts 'GATA1 - {{0}}'",
        gata1_raises,
    ),
    "a control beside contrasts": (
        nothing,
        f"{ANALYZE} --contrasts 'GATA1 - placebo' --control placebo",
        r"leave (--control) and --arms out",
        nothing,
        f"{ANALYZE} --contrasts 'GATA1 - placebo'",
        gata1_raises,
    ),
    "more DNA than there is": (
        nothing,
        f"{ANALYZE} --min-dna 1e9",
        r"give (--min-dna) (\d+) or less",
        nothing,
        f"{ANALYZE} --min-dna 10",
        gata1_raises,
    ),
    "more barcodes than there are": (
        nothing,
        f"{ANALYZE} --min-barcodes 1000",
        r"give (--min-barcodes \d+) or fewer",
        nothing,
        f"{ANALYZE} {{0}}",
        has("x/fit.nc"),
    ),
    "a level of the bench in per cent": (
        nothing,
        f"{ANALYZE} --ci-prob 90",
        r"for example (--ci-prob 0\.95)$",
        nothing,
        f"{ANALYZE} {{0}}",
        gata1_raises,
    ),
    "a region of the bench that is reversed": (
        nothing,
        f"{ANALYZE} --rope 1,-1",
        r"give the lower end first: (--rope=\S+)$",
        nothing,
        f"{ANALYZE} {{0}}",
        gata1_raises,
    ),
    "a replicate that is not there": (
        nothing,
        f"{ANALYZE} --replicates 7",
        r"no replicate '7'; there are (\d), (\d)",
        nothing,
        f"{ANALYZE} --replicates {{0}},{{1}}",
        gata1_raises,
    ),
    "results of the bench that are there": (
        nothing,
        ANALYZE.replace("--out x", "--out measured"),
        r"or (--force) to write over it",
        nothing,
        ANALYZE + " {0}",
        gata1_raises,
    ),
    "a group that is not there": (
        nothing,
        "mpra calls counts.tsv.gz --design LIB --negative scrambled --out c",
        r"name that of the negative controls, for example (--negative \w+)$",
        nothing,
        "mpra calls counts.tsv.gz --design LIB {0} --out c",
        has("c/calls.tsv"),
    ),
    # ---- the bench: comparisons
    "several tasks": (
        nothing,
        "mpra compare virtual measured --out c",
        r"there are the tasks (\w+), .* say which one was measured: (--task)$",
        nothing,
        "mpra compare virtual measured --out c {1} {0}",
        has("c/concordance.nc"),
    ),
    "a contrast that is misspelled": (
        nothing,
        f"{COMPARE} --out c --contrast GATA",
        r"did you mean '(\w+)'\?",
        nothing,
        f"{COMPARE} --out c --contrast {{0}}",
        has("c/concordance.nc"),
    ),
    "a file of measured results": (
        nothing,
        "mpra compare virtual measured/fit.nc --task K562 --out c",
        r"give the folder that it lies in, (\w+)$",
        nothing,
        "mpra compare virtual {0} --task K562 --out c",
        has("c/concordance.nc"),
    ),
    "a table of the report": (
        nothing,
        "mpra compare virtual measured/effects.tsv --task K562 --out c",
        r"give the folder that it lies in, (\w+)$",
        nothing,
        "mpra compare virtual {0} --task K562 --out c",
        has("c/concordance.nc"),
    ),
    "the control of a table": (
        nothing,
        "mpra compare measured/effects.csv measured --control placebo --out c",
        r"leave (--control placebo) out",
        nothing,
        "mpra compare measured/effects.csv measured --out c",
        has("c/concordance.nc"),
    ),
    # ---- the bench: plans
    "a share in per cent": (
        nothing,
        "mpra power --recovery 70",
        r"for example (--recovery 0\.\d)$",
        nothing,
        "mpra power {0}",
        lambda: True,
    ),
    "an error rate in per cent": (
        nothing,
        "mpra power --q 5",
        r"for example (--q 0\.\d+)$",
        nothing,
        "mpra power {0}",
        lambda: True,
    ),
    "numbers that are words": (
        nothing,
        "mpra power --barcodes many",
        r"or several: (\S+)$",
        nothing,
        "mpra power --barcodes {0}",
        lambda: True,
    ),
    "the design of no pilot": (
        nothing,
        "mpra power --design LIB --control placebo",
        r"give its counts, (--pilot)$",
        nothing,
        "mpra power --design LIB --control placebo {0} counts.tsv.gz",
        lambda: True,
    ),
    "a pilot without its design": (
        nothing,
        "mpra power --pilot counts.tsv.gz",
        r"needs (--design) \(its library or side table\) and (--control)",
        nothing,
        "mpra power --pilot counts.tsv.gz {0} LIB {1} placebo",
        lambda: True,
    ),
    "several arms of a pilot": (
        nothing,
        "mpra cheapest --half-width 0.3 --pilot counts.tsv.gz --design LIB "
        "--control placebo --max-barcodes 5 --depth 50",
        r"choose one, (--pilot-arms \w+)$",
        nothing,
        "mpra cheapest --half-width 0.3 --pilot counts.tsv.gz --design LIB "
        "--control placebo --max-barcodes 5 --depth 50 {0}",
        lambda: True,
    ),
    "oligos longer than any pool": (
        nothing,
        "mpra cheapest --half-width 0.3 --max-barcodes 5 --depth 50 --oligo-length 500",
        r"its longest are (\d+)$",
        nothing,
        "mpra cheapest --half-width 0.3 --max-barcodes 5 --depth 50 --oligo-length {0}",
        lambda: True,
    ),
    "no goal": (
        nothing,
        "mpra cheapest --max-barcodes 5 --depth 50",
        r"give a goal \((--half-width) or",
        nothing,
        "mpra cheapest --max-barcodes 5 --depth 50 {0} 0.3",
        lambda: True,
    ),
    "a library that is too small": (
        nothing,
        "mpra cheapest --half-width 0.3 --max-barcodes 5 --depth 50 --oligos 10",
        r"raise (--oligos)",
        nothing,
        "mpra cheapest --half-width 0.3 --max-barcodes 5 --depth 50 {0} 4000",
        lambda: True,
    ),
    # ---- trials and reports
    "a device of the zoo": (
        nothing,
        "check trial.toml --device cuda",
        r"say (cpu) or auto$",
        nothing,
        "check trial.toml --device {0}",
        lambda: True,
    ),
    "a task that is misspelled": (
        nothing,
        "show results --task K56",
        r"did you mean '(\w+)'\?",
        nothing,
        "show results --task {0}",
        lambda: True,
    ),
    "an experiment that is misspelled": (
        nothing,
        "experiments copie",
        r"did you mean '(\w+)'\?",
        nothing,
        "experiments {0}",
        lambda: True,
    ),
    "a library as a table of effects": (
        nothing,
        "report LIB --latex",
        r"causalgia (report LIB --html) shows what there is",
        nothing,
        "{0}",
        has("LIB/report.html"),
    ),
    "a lock that was edited": (
        edit("lock.toml", "rng = 3", "rng = 4"),
        "run --protocol lock.toml --out r",
        r"write a new lock with causalgia (lock trial\.toml --out new_lock\.toml)$",
        lambda command: (call(*command.split()), None)[1],
        "run --protocol new_lock.toml --out r",
        has("r/outcomes.nc"),
    ),
    "another predictor": (
        nothing,
        "refute results --predictor net.toml --check subset_of_units",
        r"(give that one), or run the trial again",
        nothing,
        "refute results --predictor trial.toml --check subset_of_units",
        has("results/refutation.nc"),
    ),
    "no contrast": (
        lambda: (
            edit(
                "trial.toml",
                'analysis = {control = "placebo", rope = [-0.1, 0.1]}\n',
                "",
            )()
            or (call("run", "trial.toml", "--out", "r"), None)[1]
        ),
        "refute r --check subset_of_units",
        r"say (--control)",
        nothing,
        "refute r --check subset_of_units {0} placebo",
        has("r/refutation.nc"),
    ),
}


def _renamed(file: str, old: str, new: str) -> None:
    text = re.sub(rf"^{old}\t", f"{new}\t", Path(file).read_text(), flags=re.M)
    Path(file).write_text(text)


@pytest.mark.rotating
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_shell_is_cured_as_it_says(case, here):
    broken, command, cure, mend, again, holds = CASES[case]
    broken()
    text = shell_refusal(command, lines=1)
    found = re.search(cure, text)
    assert found, text
    assert "in Python" not in text
    mend(*found.groups())
    call(*shlex.split(again.format(*found.groups())))
    assert holds()


@pytest.mark.rotating
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("way", ["the package", "a file"])
def test_a_missing_jaspar_is_cured_in_the_words_of_the_shell(way, here):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyjaspar", None)
        core_motifs.cache_clear()
        text = shell_refusal(f"{MOTIFS} --motifs jaspar")
        found = re.search(
            r"(pip install 'causalgia\[jaspar\]') \(in [^)]*\); or give (.*)$", text
        )
        assert found, text
        assert found[2] == "a file of motifs, such as motifs.meme"
        if way == "a file":
            call(*f"{MOTIFS} --motifs motifs.meme".split())
    if way == "the package":  # it is there again, as after pip
        call(*f"{MOTIFS} --motifs jaspar".split())
    assert motifs_found()


def test_an_option_is_no_part_of_an_argument(here):
    """Of ``network``, an argument, "twork" was offered as an option."""
    assert "did you mean" not in shell_refusal(MOTIFS + " --workers 2")
