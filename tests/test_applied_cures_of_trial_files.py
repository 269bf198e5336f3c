"""Errors about a trial file: the cure that each names is taken from its text, the file
is edited by it, and it is then the trial that was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cures import shell_refusal

from causalgia.trial_file import read_spec

TRIAL = """
n_units = 30
rng = 3
null = {kind = "uniform", length = 60}
predictor = {zoo = "gata1_like"}
analysis = {control = "placebo", rope = [-0.1, 0.1]}
[arms]
untreated = {}
placebo = {placebo = "AGATAAG", at = 20}
GATA1 = {embed = "AGATAAG", at = 20}
"""
EXPERIMENT = """
n_units = 30
rng = 3
null = {kind = "uniform", length = 60}
predictor = {zoo = "gata1_like"}
experiment = {kind = "copies", motif = "AGATAAG", at = [10, 30]}
"""
VARIANTS = """
rng = 3
predictor = {zoo = "gata1_like"}
analysis = {rope = [-0.1, 0.1]}
experiment = {kind = "variant_effects", vcf = "a.vcf", fasta = "a.fa", length = 40}
"""
CONTEXTS = """
rng = 3
predictor = {zoo = "gata1_like"}
analysis = {rope = [-0.1, 0.1]}
experiment = {kind = "context_dependence", element = [5, 11]}
null = {kind = "genomic", of = "peaks.fa"}
"""
SHUFFLES = TRIAL.replace(
    'kind = "uniform", length = 60', 'kind = "shuffle", of = "peaks.fa"'
)
PLACEBOS = TRIAL + '[placebos]\nof = "AGATAAG"\nat = 20\nn = 40\n'


def of(key: str, value: str, *, trial: str = TRIAL) -> str:
    """Return a trial whose analysis has one more key, or another region."""
    if key == "rope":
        return trial.replace("rope = [-0.1, 0.1]", f"rope = {value}")
    return trial.replace("rope = [-0.1, 0.1]", f"rope = 0, {key} = {value}")


def put(key: str) -> Callable[..., str]:
    """Return an edit that gives a key the value that a message names."""

    def edit(text: str, value: str) -> str:
        return re.sub(
            rf"\b{key} = (\[[^]]*\]|\"[^\"]*\"|[\w.-]+)",
            lambda _: f"{key} = {value}",
            text,
            count=1,
        )

    return edit


def put_text(key: str) -> Callable[..., str]:
    return lambda text, value: put(key)(text, f'"{value}"')


def rename(key: str) -> Callable[..., str]:
    """Return an edit that gives a key the name that a message says."""
    return lambda text, new: re.sub(rf"\b{key}\b", new, text, count=1)


def leave_out(text: str, key: str) -> str:
    """Return a text without a key, or a table, that a message says to leave out."""
    text = re.sub(rf"(?m)^{key} = .*\n", "", text)
    text = re.sub(rf"(?ms)^\[{key}\]\n.*?(?=^\[|\Z)", "", text)
    return re.sub(
        rf",? ?\b{key} = (\{{[^}}]*\}}\}}?|\[[^]]*\]|\"[^\"]*\"|[\w.-]+)", "", text
    )


def replaced(old: str, new: str, trial: str = TRIAL) -> str:
    assert old in trial
    return trial.replace(old, new, 1)


UNTREATED = TRIAL.replace('control = "placebo"', 'control = "untreated"')
TO_ARMS, OF_ARMS = UNTREATED.split("[arms]\n")
NO_TABLES = {
    "null": (
        replaced('{kind = "uniform", length = 60}', '"uniform"'),
        replaced("length = 60", "length = 200"),
    ),
    "predictor": (replaced('{zoo = "gata1_like"}', '"gata1_like"'), TRIAL),
    "analysis": (
        UNTREATED.replace('{control = "untreated", rope = [-0.1, 0.1]}', '"untreated"'),
        UNTREATED,
    ),
    "arms": (
        f'{TO_ARMS}arms = "AGATAAG"\n',
        re.sub(r"\nplacebo = .*", "", UNTREATED),
    ),
    "placebos": (
        f'placebos = "AGATAAG"\n{UNTREATED}',
        f'placebos = {{of = "AGATAAG", at = 20, n = 40}}\n{UNTREATED}',
    ),
    "experiment": (
        re.sub(r"experiment = .*", 'experiment = "copies"', EXPERIMENT),
        EXPERIMENT.replace(", at = [10, 30]", ""),
    ),
    "mpra": (
        f'mpra = "lentimpra"\n{TRIAL}',
        f'mpra = {{oligo_length = 230, adapters = "lentimpra"}}\n{TRIAL}',
    ),
}


Case = tuple[str, str, Callable[..., str], str]
CASES: dict[str, Case] = {
    # ---- the top of the file
    "a key that is misspelled": (
        replaced("n_units", "n_unit"),
        r"did you mean '(\w+)'",
        rename("n_unit"),
        TRIAL,
    ),
    "a seed by another word": (
        replaced("rng", "seed"),
        r"did you mean '(\w+)'",
        rename("seed"),
        TRIAL,
    ),
    "no units": (
        replaced("n_units = 30\n", ""),
        r"a trial needs '(n_units)'",
        lambda text, key: f"{key} = 30\n{text}",
        TRIAL,
    ),
    "no predictor": (
        replaced('predictor = {zoo = "gata1_like"}\n', ""),
        r"a trial needs '(predictor)'",
        lambda text, key: f'{key} = {{zoo = "gata1_like"}}\n{text}',
        TRIAL,
    ),
    "a number as text": (
        replaced("n_units = 30", 'n_units = "1"'),
        r"must be a whole number of at least (\d+)",
        put("n_units"),
        replaced("n_units = 30", "n_units = 1"),
    ),
    "an assignment that is misspelled": (
        replaced("rng = 3", 'rng = 3\nassignment = "paralel"'),
        r"did you mean '(\w+)'",
        put_text("assignment"),
        replaced("rng = 3", 'rng = 3\nassignment = "parallel"'),
    ),
    "equal arms": (
        replaced("GATA1 =", 'twin = {embed = "AGATAAG", at = 20}\nGATA1 ='),
        r'for an A/A trial use (assignment = "parallel")',
        lambda text, line: f"{line}\n{text}",
        'assignment = "parallel"\n'
        + replaced("GATA1 =", 'twin = {embed = "AGATAAG", at = 20}\nGATA1 ='),
    ),
    # ---- the null model and the predictor
    "a null model that is misspelled": (
        replaced('"uniform"', '"unifrom"'),
        r"did you mean '(\w+)'",
        put_text("kind"),
        TRIAL,
    ),
    "a null model without a kind": (
        replaced('kind = "uniform", ', ""),
        r"\[null\] needs '(kind)'",
        lambda text, key: text.replace("length", f'{key} = "uniform", length', 1),
        TRIAL,
    ),
    "a length that is misspelled": (
        replaced("length", "lenght"),
        r"did you mean '(\w+)'",
        rename("lenght"),
        TRIAL,
    ),
    "a key of another null model": (
        replaced("length = 60", "length = 60, order = 2"),
        r"\[null\] has no key '(order)'; it takes kind, length",
        leave_out,
        TRIAL,
    ),
    "shuffles of nothing": (
        replaced('kind = "uniform", length = 60', 'kind = "shuffle"'),
        r"\[null\] of kind 'shuffle' needs '(\w+)'",
        lambda text, key: text.replace('"shuffle"', f'"shuffle", {key} = "peaks.fa"'),
        SHUFFLES,
    ),
    "blocks of a crossover": (
        SHUFFLES.replace("rng = 3", 'rng = 3\nblocks = "parent"'),
        r"is for (assignment = \"parallel\")",
        lambda text, line: f"{line}\n{text}",
        'assignment = "parallel"\nblocks = "parent"\n' + SHUFFLES,
    ),
    "an option of a file at the wrong place": (
        SHUFFLES.replace('of = "peaks.fa"', 'of = "peaks.fa", length = 40'),
        r"write (of = \{.*\})",
        lambda text, line: text.replace('of = "peaks.fa", length = 40', line),
        SHUFFLES.replace('"peaks.fa"', '{file = "peaks.fa", length = 40}'),
    ),
    "a predictor by two ways": (
        replaced('"gata1_like"', '"gata1_like", factory = "my_net.py:load"'),
        r"say either zoo = \"...\" or (factory) = ",
        leave_out,
        TRIAL,
    ),
    "tasks of a predictor of the zoo": (
        replaced('"gata1_like"', '"gata1_like", tasks = ["K562"]'),
        r"'(tasks)' is for a factory",
        leave_out,
        TRIAL,
    ),
    "a predictor of the zoo on a GPU": (
        replaced('"gata1_like"', '"gata1_like", device = "cuda"'),
        r"say (cpu) or auto",
        put_text("device"),
        replaced('"gata1_like"', '"gata1_like", device = "cpu"'),
    ),
    "a device that is none": (
        replaced('"gata1_like"', '"gata1_like", device = "gpu"'),
        r"say one of (auto),",
        put_text("device"),
        replaced('"gata1_like"', '"gata1_like", device = "auto"'),
    ),
    # ---- arms
    "an arm that is no table": (
        replaced('{embed = "AGATAAG", at = 20}', '"AGATAAG"'),
        r"is not a table such as (\{.*\})",
        lambda text, table: text.replace(
            'GATA1 = "AGATAAG"', f"GATA1 = {table.replace('1000', '20')}"
        ),
        TRIAL,
    ),
    "an intervention that is misspelled": (
        replaced("embed", "embd"),
        r"did you mean '(\w+)'",
        rename("embd"),
        TRIAL,
    ),
    "two interventions in one arm": (
        replaced('"AGATAAG", at = 20}\nGATA1', '"AGATAAG", at = 20}\nGATA1').replace(
            '{embed = "AGATAAG", at = 20}',
            '{embed = "AGATAAG", delete = [1, 3], at = 20}',
        ),
        r"combine them with (steps = \[.*\])",
        lambda text, steps: text.replace(
            'embed = "AGATAAG", delete = [1, 3], at = 20',
            steps.replace("embed = ...", 'embed = "AGATAAG", at = 20').replace(
                "delete = ...", "delete = [1, 3]"
            ),
        ),
        replaced(
            '{embed = "AGATAAG", at = 20}',
            '{steps = [{embed = "AGATAAG", at = 20}, {delete = [1, 3]}]}',
        ),
    ),
    "an intervention beside steps": (
        replaced(
            '{embed = "AGATAAG", at = 20}',
            '{embed = "AGATAAG", at = 20, steps = [{delete = [1, 3]}]}',
        ),
        r"put (\{embed = )\.\.\.\} among its (steps)",
        lambda text, step, key: text.replace(
            'embed = "AGATAAG", at = 20, steps = [',
            f'{key} = [{step}"AGATAAG", at = 20}}, ',
        ),
        replaced(
            '{embed = "AGATAAG", at = 20}',
            '{steps = [{embed = "AGATAAG", at = 20}, {delete = [1, 3]}]}',
        ),
    ),
    "steps that are no list": (
        replaced(
            '{embed = "AGATAAG", at = 20}', '{steps = {embed = "AGATAAG", at = 20}}'
        ),
        r"must be (a list of tables)",
        lambda text, _: text.replace("{steps = {", "{steps = [{").replace(
            "20}}", "20}]}"
        ),
        replaced(
            '{embed = "AGATAAG", at = 20}', '{steps = [{embed = "AGATAAG", at = 20}]}'
        ),
    ),
    "levels that are no table": (
        replaced(
            '{embed = "AGATAAG", at = 20}', '{embed = "AGATAAG", at = 20, levels = 3}'
        ),
        r"must be a table such as (\{.*\})",
        lambda text, table: text.replace("levels = 3", f"levels = {table}"),
        replaced(
            '{embed = "AGATAAG", at = 20}',
            '{embed = "AGATAAG", at = 20, levels = {distance = 10}}',
        ),
    ),
    "a pattern without a place": (
        replaced('{embed = "AGATAAG", at = 20}', '{embed = "AGATAAG"}'),
        r"embed needs (at =) a 0-based position",
        lambda text, key: text.replace(
            '{embed = "AGATAAG"', f'{{embed = "AGATAAG", {key} 20'
        ),
        TRIAL,
    ),
    "a pattern past the end": (
        replaced('{embed = "AGATAAG", at = 20}', '{embed = "AGATAAG", at = 58}'),
        r"the last valid start is (\d+)",
        lambda text, at: text.replace("at = 58", f"at = {at}"),
        replaced('{embed = "AGATAAG", at = 20}', '{embed = "AGATAAG", at = 53}'),
    ),
    "one arm": (
        replaced('untreated = {}\nplacebo = {placebo = "AGATAAG", at = 20}\n', ""),
        r"this has 1: (add a control arm)",
        lambda text, _: text.replace(
            "[arms]", '[arms]\nplacebo = {placebo = "AGATAAG", at = 20}'
        ),
        replaced("untreated = {}\n", ""),
    ),
    "placebos without a place": (
        TRIAL + '[placebos]\nof = "AGATAAG"\nn = 40\n',
        r"\[placebos\] needs '(at)'",
        lambda text, key: f"{text}{key} = 20\n",
        PLACEBOS,
    ),
    "no placebos": (
        TRIAL + '[placebos]\nof = "AGATAAG"\nat = 20\nn = 0\n',
        r"must be a whole number of at least (\d+)",
        put("n"),
        TRIAL + '[placebos]\nof = "AGATAAG"\nat = 20\nn = 1\n',
    ),
    # ---- the analysis
    "a key of the analysis that is misspelled": (
        replaced("control =", "contrl ="),
        r"did you mean '(\w+)'",
        rename("contrl"),
        TRIAL,
    ),
    "a control that is misspelled": (
        replaced('control = "placebo"', 'control = "placeb"'),
        r"did you mean '(\w+)'",
        put_text("control"),
        TRIAL,
    ),
    "a reversed region": (
        of("rope", "[0.1, -0.1]"),
        r"the lower end first: rope = (\[[^]]*\])$",
        put("rope"),
        TRIAL,
    ),
    "a region of one number": (
        of("rope", "0.1"),
        r"a region has two ends: rope = (\[[^]]*\])$",
        put("rope"),
        TRIAL,
    ),
    "a region that is a word": (
        of("rope", '"small"'),
        r"or rope = ('0.2 sd') of the control",
        put("rope"),
        of("rope", '"0.2 sd"'),
    ),
    "a region of placebos without placebos": (
        of("rope", '"placebo"'),
        r"add arms with (\[placebos\]), (of =) pattern, (at =) and (n = \d+)$",
        lambda text, table, pattern, at, n: (
            f'{text}{table}\n{pattern} "AGATAAG"\n{at} 20\n{n}\n'
        ),
        of("rope", '"placebo"', trial=PLACEBOS),
    ),
    "a level in per cent": (
        of("ci_prob", "95"),
        r"for example ci_prob = (0\.95)$",
        put("ci_prob"),
        of("ci_prob", "0.95"),
    ),
    "an error rate in place of a level": (
        of("ci_prob", "0.05"),
        r"give ci_prob = (0\.95)$",
        put("ci_prob"),
        of("ci_prob", "0.95"),
    ),
    "an error by another name": (
        of("error", '"bh"'),
        r"'bh' has another name: '(\w+)'",
        put_text("error"),
        of("error", '"fdr"'),
    ),
    "a target that is misspelled": (
        of("target", '"unit"'),
        r"did you mean '(\w+)'",
        put_text("target"),
        of("target", '"units"'),
    ),
    "a scale by another name": (
        of("scale", '"ln"'),
        r"must be one of \"identity\", \"(\w+)\"",
        put_text("scale"),
        of("scale", '"log"'),
    ),
    "a cluster that is misspelled": (
        of("cluster", '"parents"'),
        r"did you mean '(\w+)'",
        put_text("cluster"),
        of("cluster", '"parent"'),
    ),
    "two questions": (
        of("contrasts", "{a = {GATA1 = 1, placebo = -1}}"),
        r"^.*control and (contrasts) ask different questions; keep one of them",
        leave_out,
        of("rope", "0"),
    ),
    # ---- experiments
    "an experiment that is misspelled": (
        replaced('"copies"', '"copis"', EXPERIMENT),
        r"did you mean '(\w+)'",
        rename("copis"),
        EXPERIMENT,
    ),
    "a setting that is misspelled": (
        replaced("motif =", "motiv =", EXPERIMENT),
        r"did you mean '(\w+)'",
        rename("motiv"),
        EXPERIMENT,
    ),
    "a setting of another experiment": (
        replaced("at = ", "copies = 2, at = ", EXPERIMENT),
        r"has no '(copies)'.* [iI]t takes motif, at, control, rope",
        lambda text, key: text.replace(f"{key} = 2, ", ""),
        EXPERIMENT,
    ),
    "arms beside an experiment": (
        EXPERIMENT + "[arms]\na = {}\n",
        r"leave (arms) out",
        leave_out,
        EXPERIMENT,
    ),
    "an assignment of an experiment": (
        'assignment = "parallel"\n' + EXPERIMENT,
        r"leave (assignment) out",
        leave_out,
        EXPERIMENT,
    ),
    "a control of an experiment's analysis": (
        EXPERIMENT + '[analysis]\ncontrol = "a"\n',
        r"(control) is not for an experiment, .*; leave it out",
        leave_out,
        EXPERIMENT,
    ),
    "a seed inside an experiment": (
        replaced('kind = "copies"', 'kind = "copies", rng = 3', EXPERIMENT),
        r"\[experiment\]: (rng) belongs at the top of the file",
        lambda text, key: text.replace(f", {key} = 3", ""),
        EXPERIMENT,
    ),
    "units inside an experiment": (
        replaced(
            'kind = "copies"',
            'kind = "copies", n_units = 30',
            EXPERIMENT.replace("n_units = 30\n", ""),
        ),
        r"(n_units) belongs at the top of the file",
        lambda text, key: f"{key} = 30\n" + text.replace(f", {key} = 30", ""),
        EXPERIMENT,
    ),
    "two regions of an experiment": (
        replaced('"copies"', '"copies", rope = 0', EXPERIMENT)
        + "[analysis]\nrope = [-0.1, 0.1]\n",
        r"(rope) is in \[experiment\] and another one is in \[analysis\]; keep one",
        lambda text, key: text.replace(f", {key} = 0", ""),
        EXPERIMENT + "[analysis]\nrope = [-0.1, 0.1]\n",
    ),
    "units of an experiment on sequences": (
        VARIANTS + "n_units = 50\n",
        r"has the units of its sequences.*; leave (n_units) out$",
        leave_out,
        VARIANTS,
    ),
    "a null model of variants in their own contexts": (
        VARIANTS + '[null]\nkind = "uniform"\nlength = 60\n',
        r"takes no \[(null)\]: leave it out",
        lambda text, key: text[: text.index(f"[{key}]")],
        VARIANTS,
    ),
    "sequences of an experiment twice": (
        CONTEXTS.replace("[5, 11]", '[5, 11], sequences = "peaks.fa"'),
        r"(sequences) and \[null\] are both given; keep one of them",
        leave_out,
        CONTEXTS,
    ),
    "a predictor of a file alone": (
        replaced('zoo = "gata1_like"', 'factory = "my_net.py", tasks = ["a"]'),
        r"must be a file and a function, such as '(my_net\.py:load)'",
        put_text("factory"),
        replaced('zoo = "gata1_like"', 'factory = "my_net.py:load", tasks = ["a"]'),
    ),
    "an untreated arm by its kind": (
        replaced("untreated = {}", 'untreated = "untreated"'),
        r"is the arm of an empty table; write (\{\}) for it$",
        lambda text, table: text.replace('= "untreated"', f"= {table}"),
        TRIAL,
    ),
    # ---- tables that are values
    **{
        f"{key} that is no table": (
            wrong,
            r"must be a table such as (\{.*\})$",
            lambda text, table, key=key: put(key)(text, table),
            right,
        )
        for key, (wrong, right) in NO_TABLES.items()
    },
    # ---- the bench
    "a key of the bench that is misspelled": (
        TRIAL + '[mpra]\noligo_lenght = 230\nadapters = "lentimpra"\n',
        r"did you mean '(\w+)'",
        rename("oligo_lenght"),
        TRIAL + '[mpra]\noligo_length = 230\nadapters = "lentimpra"\n',
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trials")
    (folder / "peaks.fa").write_text(
        "".join(f">s{i}\n{'ACGTTGCA' * 5}{'ACGT'[i % 4] * 20}\n" for i in range(8))
    )
    (folder / "my_net.py").write_text("def load(): ...\n")
    (folder / "a.fa").write_text(f">1\n{'ACGTTGCA' * 25}\n")
    (folder / "a.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "1\t81\ta\tA\tC\t.\t.\t.\n1\t97\tb\tA\tG\t.\t.\t.\n"
    )
    return folder


def read(text: str, place: Path) -> dict[str, Any]:
    (place / "read.toml").write_text(text)
    return read_spec(place / "read.toml").to_dict()


def message(text: str, place: Path) -> str:
    """Return what the shell says of a trial file."""
    (place / "trial.toml").write_text(text)
    found = shell_refusal("plan", place / "trial.toml")
    return found.removeprefix(f"{place / 'trial.toml'}: ")


@pytest.mark.parametrize("case", CASES)
def test_a_trial_file_is_edited_by_the_cure_and_is_the_one_that_was_meant(case, place):
    broken, cure, edit, right = CASES[case]
    text = message(broken, place)
    found = re.search(cure, text)
    assert found, text
    assert read(edit(broken, *found.groups()), place) == read(right, place)


@pytest.mark.parametrize(
    "key", ["n_units", "rng", "length", "at", "batch_size", "n_replicates"]
)
def test_a_whole_number_has_no_point(key, tmp_path):
    text = TRIAL.replace(
        'zoo = "gata1_like"}', 'zoo = "gata1_like", batch_size = 8}'
    ).replace("[arms]", "mpra = {n_replicates = 3}\n[arms]")
    right, path = re.search(rf"\b{key} = (\d+)", text), tmp_path / "trial.toml"
    path.write_text(text.replace(right[0], f"{right[0]}.0"))
    said = shell_refusal("check", path)
    assert re.search(rf"; for example {key} ?= ?{right[1]}$", said), said
