"""The command `causalgia decide`: verdicts on a table of effects of any program."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote

from causalgia.analysis import Analysis
from causalgia.cli.folder import write_text
from causalgia.cli.output import echo, record_files
from causalgia.cli.shell import STDIN, options_of
from causalgia.cli.tables import Printed, effects_text, print_answers
from causalgia.errors import DataError

Asked = options_of(Analysis, "rope", "error", "largest", "ci_prob")


def decide(
    table: Path,
    /,
    *,
    given: Asked = Asked(),  # type: ignore[valid-type]  # noqa: B008 - None in each field
    out: Path | None = None,
    printed: Printed = Printed(),  # noqa: B008 - frozen
) -> None:
    """Decide which effects of a table are large, small, or neither: estimates with
    their standard errors, of any program.

    A row is an effect, not a unit. Columns have the names of broom, metafor, limma,
    DESeq2, GWAS, emmeans or statsmodels: estimate, effect, yi, beta, b or logFC, with
    std.error, se or sei, a variance vi, a t, or limits.

    Example:   causalgia decide effects.csv --rope=-0.2,0.2

    Example:   Rscript fit.R | causalgia decide - --rope=-0.2,0.2 --out decisions.tsv

    Parameters
    ----------
    table
        A table of text, of tabs, commas or semicolons; - reads standard input.
    out
        Write the table of decisions to this file.
    """
    from causalgia.cli.mpra_commands import read_table
    from causalgia.verdicts import decide as decide_on

    text = None
    if table == STDIN:
        if sys.stdin.isatty():
            raise DataError(
                "- is a table from another program, and standard input is a terminal: "
                "causalgia decide - < effects.csv"
            )
        text = "\n".join(sys.stdin.read().splitlines())
    asked = {name: value for name, value in vars(given).items() if value is not None}
    found = decide_on(read_table(table, text).reset_index(drop=True), **asked)
    print_answers(
        found,
        printed=printed,
        command=f"causalgia decide {quote(str(table))} --all",
    )
    if out is not None:
        write_text(out, effects_text(found, all_columns=printed.all_columns))
        record_files(out)
        echo(f"Wrote {out}")
