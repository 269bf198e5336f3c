"""Prediction-powered means by ppi-python; run it where that is installed:
`python case.py`, versions in expected.json.

Three cases: a good predictor, a poor one, and one on another scale whose tuned weight
stays between 0 and 1 (ppi-python cuts it there). Estimates, tuned weights and normal 95
% limits.
"""

import csv
import json
import pathlib
from importlib.metadata import version

import numpy as np
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from ppi_py.ppi import _calc_lam_glm

HERE = pathlib.Path(__file__).parent
CASES = {
    "good": (30, 400, 0.95, 0.2),
    "poor": (50, 300, 0.2, 1.0),
    "skewed": (20, 200, 0.6, 0.5),
}


def main():
    rng = np.random.default_rng(20260711)
    rows, expected = [], {}
    for name, (n, N, slope, noise) in CASES.items():
        f = (
            rng.exponential(1.0, n + N)
            if name == "skewed"
            else rng.normal(0.5, 1.0, n + N)
        )
        y = 0.3 + slope * f[:n] + rng.normal(0, noise, n)
        f, y = f.round(6), y.round(6)
        rows += [[name, y[i] if i < n else "", f[i]] for i in range(n + N)]
        few, rest = f[:n], f[n:]
        start = ppi_mean_pointestimate(y, few, rest, lam=1)
        lam = _calc_lam_glm(y - start, few - start, rest - start, np.eye(1), clip=True)
        expected[name] = {"lam": float(lam)}
        for label, given in (
            ("tuned", None),
            ("given_0.5", 0.5),
            ("given_1", 1.0),
            ("classical", 0.0),
        ):
            lower, upper = ppi_mean_ci(y, few, rest, alpha=0.05, lam=given)
            expected[name][label] = {
                "mean": float(
                    np.squeeze(ppi_mean_pointestimate(y, few, rest, lam=given))
                ),
                "lower": float(np.squeeze(lower)),
                "upper": float(np.squeeze(upper)),
            }
    with (HERE / "input.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["case", "y", "f"], *rows])
    made_with = {
        package: version(package) for package in ("ppi-python", "numpy", "scipy")
    }
    text = json.dumps({"made_with": made_with, "cases": expected}, indent=1)
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
