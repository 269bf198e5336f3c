"""Errors of folders, tables and locks in the shell: what each says is typed or done, and
the command then answers.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cures import VCF_HEAD, shell_refusal
from test_applied_cures_of_commands import DISCOVER
from test_applied_cures_of_protocol import TRIAL
from test_cli import call
from test_discover_command import letters

import causalgia as cg
from causalgia import store
from causalgia.trial_file import read_spec

pytestmark = pytest.mark.rotating(6)

GENOME = "".join(np.random.default_rng(0).choice(list("ACGT"), 400))
SCORE = "variants {} --genome genome.fa --predictor net.toml --length 61 --null none"
COMPARE = "mpra compare virtual.csv {} --out c"


def line(at: int) -> str:
    base = GENOME[at]
    other = "A" if base != "A" else "C"
    return f"chr1\t{at + 1}\tv{at}\t{base}\t{other}\t.\t.\t.\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trial and its results, a lock of Python, tables of effects, a fit,
    a genome and variants.
    """
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("trial.toml").write_text(TRIAL)
        Path("net.toml").write_text('[predictor]\nzoo = "additive"\n')
        Path("genome.fa").write_text(f">chr1\n{GENOME}\n")
        Path("calls.vcf").write_text(VCF_HEAD + "".join(map(line, (100, 200, 300))))
        effects = pd.DataFrame(
            {"element": [f"e{i}" for i in range(12)], "effect": np.arange(12) / 4}
        )
        effects.assign(se=0.1).to_csv("virtual.csv", index=False)
        effects.assign(effect=effects["effect"] * 2, se=0.1).to_csv(
            "measured.csv", index=False
        )
        activity = effects.loc[np.repeat(effects.index, 2)].assign(
            arm=["ref", "alt"] * 12, log2=0.5
        )
        counts = cg.mpra.simulate(
            activity[["element", "arm", "log2"]], n_barcodes=4, n_replicates=2, rng=1
        )
        Path("fitted").mkdir()
        store.save(cg.mpra.fit(counts, control="ref"), "fitted/fit.nc")
        call("run", "trial.toml", "--out", "results")
        plan().lock("python.toml")
        Path("motifs.fa").write_text(
            "".join(f">peak_{k}\n{row}\n" for k, row in enumerate(letters()))
        )
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that is the working folder; no forest is drawn."""
    monkeypatch.setattr(cg.plot, "save_forest", lambda *_, **__: None)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan() -> cg.Protocol:
    spec = read_spec(Path("trial.toml"))
    return cg.Protocol(
        spec.design, analysis=spec.analysis, predictor=oracle(), rng=spec.rng
    )


def oracle() -> Any:
    return cg.zoo.load("gata1_like")


def same(folder: str, other: str = "results") -> bool:
    one, two = (cg.open(x).outcomes["outcome"] for x in (folder, other))
    return bool(np.array_equal(one, two))


def slope_is_two() -> bool:
    found = store.read_netcdf(Path("c/concordance.nc"))
    return bool(np.allclose(found["slope"], 2, atol=0.05))


def has(*files: str) -> Callable[[], bool]:
    return lambda: all(Path(one).is_file() for one in files)


def moved(*pairs: str) -> Callable[[], None]:
    def move() -> None:
        for one, to in zip(pairs[::2], pairs[1::2], strict=True):
            Path(to).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(one, to)

    return move


def folders(*names: str) -> Callable[[], None]:
    return lambda: [Path(one).mkdir(parents=True) for one in names] and None


def written(name: str, change: Callable[[str], str], of: str) -> Callable[[], None]:
    return lambda: Path(name).write_text(change(Path(of).read_text())) and None


def nothing() -> None:
    pass


def run_there(command: str) -> None:
    """Run a protocol in Python as a message writes it, and keep its outcomes."""
    design = read_spec(Path("trial.toml")).design
    names = {
        "causalgia": cg,
        "path": "python.toml",
        "design": design,
        "predictor": oracle(),
    }
    Path("r").mkdir()
    store.save(eval(command, names), "r/outcomes.nc")


def without_seed() -> None:
    spec = read_spec(Path("trial.toml"))
    Path("g").mkdir()
    seed = np.random.default_rng(0)
    found = cg.run(
        spec.design, oracle(), rng=seed, analysis=spec.analysis, progress=False
    )
    store.save(found, "g/outcomes.nc")
    shutil.copy("trial.toml", "g/trial.toml")


def shuffles() -> None:
    """Lock a trial of shuffled sequences in a folder of its own."""
    trial = TRIAL.replace(
        'kind = "uniform", length = 30', 'kind = "shuffle", of = "p.fa"'
    )
    Path("p.fa").write_text(f">a\n{GENOME[:30]}\n>b\n{GENOME[40:70]}\n")
    Path("shuffles.toml").write_text(trial)
    call("lock", "shuffles.toml", "--out", "s.toml")
    call("run", "shuffles.toml", "--out", "shuffled")
    moved("s.toml", "locks/s.toml")()


def twice(name: str) -> Callable[[], None]:
    """Return what writes a table with a column twice."""
    return lambda: (
        pd.read_csv("measured.csv").assign(again=0.5).rename(columns={"again": name})
    ).to_csv("twice.csv", index=False)


def bench_tables() -> None:
    """Write counts of a small library, in a table and a file a replicate."""
    activity = pd.DataFrame(
        [(f"e{i}", arm, 0.2 * i) for i in range(12) for arm in ("ref", "alt")],
        columns=["element", "arm", "log2"],
    )
    counts = cg.mpra.simulate(
        activity, n_barcodes=4, n_replicates=2, p_missing=0, rng=1
    )
    side = counts[["element", "arm", "group"]].to_dataframe().rename_axis("oligo_name")
    side.to_csv("side.tsv", sep="\t")
    cg.mpra.to_igvf(counts, "counts.tsv", "reporter_experiment_barcode")
    table = pd.read_csv("counts.tsv", sep="\t")
    for r in "12":
        own = ["barcode", "oligo_name", f"dna_count_{r}", f"rna_count_{r}"]
        table[own].to_csv(f"{r}.tsv", sep="\t", index=False)


Case = tuple[
    Callable[[], Any], str, str, Callable[..., Any], str | None, Callable[[], bool]
]
CASES: dict[str, Case] = {
    # what is broken, the command, what the message says, what is done, the command that
    # is then run, and what holds
    "two forms of output": (
        lambda: call("analyze", "results", "--rope", "0"),
        "show results --tsv --json",
        r"(--tsv) and --json are two forms of output; give one of them",
        lambda _: None,
        "show results {0}",
        lambda: True,
    ),
    "a folder in place of outcomes": (
        folders("r/outcomes.nc"),
        "run trial.toml --out r",
        r"is a folder; move it away, or (choose another --out)",
        lambda _: None,
        "run trial.toml --out other",
        lambda: same("other"),
    ),
    "a folder in place of outcomes, moved": (
        folders("r/outcomes.nc"),
        "run trial.toml --out r",
        r"(r/outcomes\.nc) is a folder; move it away",
        lambda path: Path(path).rename("away"),
        "run trial.toml --out r",
        lambda: same("r"),
    ),
    "verdicts of another trial": (
        moved("trial.toml", "r/decisions.nc"),
        "run trial.toml --out r --store",
        r"or (--force) to remove it$",
        lambda _: None,
        "run trial.toml --out r --store {0}",
        lambda: same("r") and not Path("r/decisions.nc").exists(),
    ),
    "one table for both trials": (
        nothing,
        "mpra compare virtual.csv virtual.csv --out c",
        r"(give the virtual one first, then the measured one)$",
        lambda _: None,
        COMPARE.format("measured.csv"),
        slope_is_two,
    ),
    "a table that is not there": (
        nothing,
        COMPARE.format("gone.csv"),
        r"or a table with the columns (element, effect and se)$",
        lambda names: (
            pd.read_csv("measured.csv")[re.findall("element|effect|se", names)]
        ).to_csv("gone.csv", index=False),
        COMPARE.format("gone.csv"),
        slope_is_two,
    ),
    "an empty table": (
        written("empty.csv", lambda _: "\n", "measured.csv"),
        COMPARE.format("empty.csv"),
        r"is empty; give columns (element effect se)$",
        lambda names: pd.read_csv("measured.csv")[names.split()].to_csv(
            "empty.csv", index=False
        ),
        COMPARE.format("empty.csv"),
        slope_is_two,
    ),
    "a table of other rows": (
        written("odd.csv", lambda text: text + 'a,"b\n', "measured.csv"),
        COMPARE.format("odd.csv"),
        r"cannot be read as a table .*; give columns (element effect se)$",
        lambda names: pd.read_csv("measured.csv")[names.split()].to_csv(
            "odd.csv", index=False
        ),
        COMPARE.format("odd.csv"),
        slope_is_two,
    ),
    "a column that is twice": (
        twice("effect"),
        COMPARE.format("twice.csv"),
        r"has the column '(\w+)' twice; leave one of them out$",
        lambda name: (
            lambda table: table.loc[:, ~table.columns.duplicated()].to_csv(
                "twice.csv", index=False
            )
        )(pd.read_csv("twice.csv").rename(columns={f"{name}.1": name})),
        COMPARE.format("twice.csv"),
        slope_is_two,
    ),
    "another control of a fit": (
        nothing,
        "mpra compare fitted measured.csv --out c --control alt",
        r"has a fit with the control 'ref'; leave (--control alt) out",
        lambda _: None,
        "mpra compare fitted measured.csv --out c",
        has("c/concordance.nc"),
    ),
    "no numeric seed": (
        without_seed,
        "analyze g --rope=-0.1,0.1",
        r"give (--rng 0) \(or any other\)$",
        lambda _: None,
        "analyze g --rope=-0.1,0.1 {0}",
        has("g/decisions.nc"),
    ),
    "a report of an empty folder": (
        folders("empty"),
        "report empty",
        r"make them with: causalgia (run trial\.toml --out empty)$",
        lambda _: None,
        "{0}",
        lambda: same("empty"),
    ),
    "a folder in place of motifs": (
        folders("m/motifs.tsv"),
        DISCOVER.format("net.toml", "motifs.fa"),
        r"cannot be written over; (choose another --out)$",
        lambda _: None,
        DISCOVER.format("net.toml", "motifs.fa").replace("--out m", "--out n"),
        has("n/motifs.tsv"),
    ),
    "the list of variants as output": (
        moved("calls.vcf", "s/variants.vcf"),
        SCORE.format("s/variants.vcf") + " --out s",
        r"is the list of variants itself; (choose another --out)$",
        lambda _: None,
        SCORE.format("s/variants.vcf") + " --out t",
        has("t/variants.tsv", "s/variants.vcf"),
    ),
    "a skill that was edited": (
        moved("trial.toml", "skills/causalgia/SKILL.md"),
        "skill --install skills",
        r"write over it with (--force)$",
        lambda _: None,
        "skill --install skills {0}",
        lambda: "causalgia" in Path("skills/causalgia/SKILL.md").read_text(),
    ),
    "a lock of Python": (
        nothing,
        "run --protocol python.toml --out r",
        r"run it there: (causalgia\.Protocol\.read\(path\)\.run\(design, predictor\)), in",
        run_there,
        None,
        lambda: same("r"),
    ),
    "a lock of Python, with its trial": (
        nothing,
        "run --protocol python.toml --out r",
        r"the trial file, too: causalgia (run trial\.toml --protocol) python\.toml$",
        lambda _: None,
        "{0} python.toml --out r",
        lambda: same("r"),
    ),
    "a folder without outcomes": (
        lambda: (call("lock", "trial.toml", "--out", "own.toml"), Path("r").mkdir()),
        "verify r --protocol own.toml",
        r"make them with: causalgia (run --protocol own\.toml --out r)$",
        lambda _: None,
        "{0}",
        lambda: same("r"),
    ),
    "a lock whose files are elsewhere": (
        shuffles,
        "run --protocol locks/s.toml --out r",
        r"looked for from the folder of the lock: (put them there)",
        lambda _: shutil.copy("p.fa", "locks/p.fa"),
        "run --protocol locks/s.toml --out r",
        lambda: same("r", "shuffled"),
    ),
    "a lock whose files are elsewhere, with its trial": (
        shuffles,
        "run --protocol locks/s.toml --out r",
        r"the trial file, too: causalgia (run) trial\.toml --protocol locks/s\.toml$",
        lambda _: None,
        "{0} shuffles.toml --protocol locks/s.toml --out r",
        lambda: same("r", "shuffled"),
    ),
    "a link to nowhere": (
        lambda: Path("r").symlink_to("gone"),
        "run trial.toml --out r",
        r"(r) is a link to gone, which is not there; remove it",
        lambda path: Path(path).unlink(),
        "run trial.toml --out {0}",
        lambda: same("r"),
    ),
    "a folder below a file": (
        nothing,
        "run trial.toml --out trial.toml/r",
        r"(choose another place)$",
        lambda _: None,
        "run trial.toml --out r",
        lambda: same("r"),
    ),
    "a virtual trial as the measured one": (
        nothing,
        "mpra compare virtual.csv results --out c",
        r"(give the folder of the measured trial), which is written by",
        lambda _: None,
        "mpra compare virtual.csv fitted --out c",
        has("c/concordance.nc"),
    ),
    "a side table that is not there": (
        bench_tables,
        "mpra analyze counts.tsv --design gone --control ref --out x",
        r"or (a side table of the oligos)$",
        lambda _: None,
        "mpra analyze counts.tsv --design side.tsv --control ref --out x",
        has("x/fit.nc"),
    ),
    "some files of replicates with names": (
        bench_tables,
        "mpra analyze A=1.tsv 2.tsv --design side.tsv --control ref --out x",
        r"(\S+): the other files are given as REPLICATE=FILE; name the replicate",
        lambda _: None,
        "mpra analyze A=1.tsv B={0} --design side.tsv --control ref --out x",
        has("x/fit.nc"),
    ),
    "two files of a replicate": (
        bench_tables,
        "mpra analyze A=1.tsv A=2.tsv --design side.tsv --control ref --out x",
        r"is replicate '(\w+)' already; give each file its own name$",
        lambda _: None,
        "mpra analyze {0}=1.tsv B=2.tsv --design side.tsv --control ref --out x",
        has("x/fit.nc"),
    ),
    "a predictor that is not there": (
        lambda: call("analyze", "results", "--rope", "0"),
        "refute results --predictor gone.toml --check subset_of_units",
        r"(give one with the table \[predictor\]): --predictor net\.toml$",
        lambda _: None,
        "refute results --predictor trial.toml --check subset_of_units",
        has("results/refutation.nc"),
    ),
}


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_shell_is_cured_as_it_says(case: str, here: Path) -> None:
    broken, command, cure, mend, again, holds = CASES[case]
    broken()
    text = shell_refusal(command, lines=1)
    found = re.search(cure, text)
    assert found, text
    mend(*found.groups())
    if again is not None:
        call(*shlex.split(again.format(*found.groups())))
    assert holds()


@pytest.mark.rotating
def test_a_discovery_of_damaged_tables_is_made_anew(here: Path) -> None:
    command = DISCOVER.format("net.toml", "motifs.fa")
    call(*shlex.split(command))
    out = here / "m"
    right = {name: (out / name).read_text() for name in ("motifs.tsv", "sites.bed")}
    wrongs: dict[str, tuple[str, Callable[[str], str]]] = {
        "it has no column 'consensus'": ("motifs.tsv", lambda t: t.replace("\t", ",")),
        "Unable to parse string '#NUM!'": (
            "motifs.tsv",
            lambda t: re.sub(r"\d+\.\d+", "#NUM!", t, count=1),
        ),
        "invalid literal for int": ("sites.bed", lambda t: t.replace("\t", " ")),
    }
    for why, (name, damage) in wrongs.items():
        (out / name).write_text(damage(right[name]))
        text = shell_refusal("report m")
        assert f"{name}: cannot be read ({why}" in text
        (out / name).write_text(right[name])
    (out / "sites.bed").unlink()
    found = re.search(
        r"; make it anew: causalgia discover \.\.\. (.*)$", shell_refusal("report m")
    )
    assert found
    call(*shlex.split(command.replace("--out m", found[1])))
    assert right == {name: (out / name).read_text() for name in right}
    call("report", "m")
    assert (out / "report.html").is_file()
