"""Two workers against one on the same turns, predictions per second of a worker, and
bytes that move for each.

Run `python benchmarks/workers.py` (`--quick` for a smaller one; needs two free cores
and causalgia[dask,torch]). Both clusters stand all the while, a process and a thread
for each worker, and take turns; a run includes sending the trial and loading it. Beside
them the same processes run bare forwards: what two of them do on this machine, with
other work on it and one memory for both, is what two workers can do. The network is
DeepSTARR-sized, the turns are of 512 sequences: a trial's own are longer, and lose
less. Bytes are those that every process (client, scheduler and workers) writes to its
connections, so that what passes through two of them counts twice; a share that does not
grow with the trial is taken out by a second, longer run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import networks
import numpy as np
from timing import interleaved, ratios, tell, tell_ratios

import causalgia as cg
from causalgia.streams import root_key
from causalgia.trial.distributed_turns import run_on_cluster
from causalgia.trial.outcomes import outcome_dims
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import AllOutcomes, Trial
from causalgia.workers import local_cluster

if TYPE_CHECKING:
    from distributed import Client

ROWS = 512
MOTIFS = [
    "ATGACTCAT",
    "AGATAAGA",
    "TATCGATA",
    "CACGTG",
    "GGAATG",
    "TGACGTCA",
    "CCGGAAGT",
    "GATTA",
    "AACAATGG",
    "CACCC",
]
KEEPS = ("outcomes", "effects", "moments")


def design_of(length: int, n_units: int) -> cg.Design:
    """Return ten motifs embedded in the middle, and the control."""
    arms = {
        "control": cg.Untreated(),
        **{motif: cg.Embed(motif, at=length // 2) for motif in MOTIFS},
    }
    return cg.Design(
        null=cg.Uniform(length=length), arms=arms, n_units=n_units, contrasts="control"
    )


def network(name: str) -> cg.TorchPredictor:
    """Return a network of random weights as a predictor."""
    return cg.TorchPredictor(networks.SIZES[name].load(), device="cpu")


def carried(
    client: Client,
    design: cg.Design,
    predictor: cg.predict.Predictor,
    seed: int,
    *,
    rows: int,
) -> int:
    """Carry a trial out over workers, in turns of some rows; return how many outcomes
    it had.
    """
    trial = Trial(design, predictor, root_key(seed))
    turn = max(1, rows // outcomes_per_unit(design))
    plan = TurnPlan(design.n_units, turn, 1)
    kept = AllOutcomes(outcome_dims(design, predictor))
    done = run_on_cluster(
        client, trial, plan, ((i, None) for i in range(len(plan))), reduction=kept
    )
    return sum(
        parts["outcome"].shape[0] * parts["outcome"].shape[1] for _, _, parts in done
    )


@contextmanager
def clusters(*sizes: int) -> Iterator[list[Client]]:
    """Start clusters of so many workers, of one thread each."""
    import torch

    torch.set_num_threads(1)
    with ExitStack() as stack:
        clients = [stack.enter_context(local_cluster(n)) for n in sizes]
        for client in clients:
            client.run(torch.set_num_threads, 1)
        yield clients


def count_bytes(start: bool) -> int:
    """Return the bytes that this process has written to connections since it was told
    to start counting them.
    """
    from distributed.comm.tcp import TCP

    if start and not hasattr(TCP, "written"):
        write = TCP.write

        async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            n = await write(self, *args, **kwargs)
            TCP.written += n
            return n

        TCP.write = counted
    TCP.written = 0 if start else TCP.written
    return int(TCP.written)


@dataclass(frozen=True)
class Spent:
    """What moves between the processes, and the processor's seconds of the client with
    its scheduler.
    """

    bytes_: float
    seconds: float


def spent(client: Client, run: Callable[[], object]) -> Spent:
    """Return what a run takes beside its workers."""
    client.run(count_bytes, True)
    count_bytes(True)
    start = time.process_time()
    run()
    seconds = time.process_time() - start
    return Spent(
        sum(client.run(count_bytes, False).values()) + count_bytes(False), seconds
    )


def a_prediction(client: Client, keep: str, *, n_units: int) -> Spent:
    """Return what a prediction more takes of a stored trial that keeps this; its
    predictor answers at once.
    """
    predictor = cg.FunctionPredictor(
        lambda x: x[:, 1:3].sum(2) / x.shape[2], tasks=["C", "G"], scale="share"
    )

    def run(n: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = f"{folder}/trial.zarr"
            cg.run(
                design_of(41, n),
                predictor,
                rng=0,
                keep=keep,
                store=store,
                client=client,
                progress=False,
            )

    run(n_units)
    few, many = (spent(client, partial(run, n)) for n in (n_units, 3 * n_units))
    more = (1 + len(MOTIFS)) * 2 * n_units
    return Spent((many.bytes_ - few.bytes_) / more, (many.seconds - few.seconds) / more)


def rate_of_a_worker(client: Client, name: str, *, seconds: float) -> float:
    """Return the predictions per second of a worker's processor, drawing and editing
    included.
    """
    size, predictor = networks.SIZES[name], network(name)
    rows = 8 * max(predictor.resolve_batch_size(size.length), 16)

    def run(n_units: int) -> float:
        before = _processor_seconds(client)
        n = carried(
            client, design_of(size.length, n_units), predictor, n_units, rows=rows
        )
        return n / (_processor_seconds(client) - before)

    run(rows // 11)
    return run(int(seconds * run(rows // 11) / 11) + 1)


def _processor_seconds(client: Client) -> float:
    return sum(client.run(time.process_time).values())


def forwards(n_rows: int, seed: int) -> None:
    """Answer random sequences in this process, with nothing around it."""
    tokens = np.random.default_rng(seed).integers(0, 4, (n_rows, 249), np.uint8)
    network("DeepSTARR").predict(tokens)


def bare(client: Client, n_rows: int, seed: int) -> None:
    """Have every worker answer its share of the sequences, side by side."""
    client.run(forwards, n_rows // len(client.nthreads()), seed)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measure, print, and return the share of linear that two workers reach, and what
    moves for a prediction.
    """
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    quick = asked.parse_args(argv).quick
    rows, repeats = (64, 1) if quick else (ROWS, 5)
    n_units = rows // 11 * (4 if quick else 72)
    design, predictor = design_of(249, n_units), network("DeepSTARR")
    n = outcomes_per_unit(design) * n_units
    predictor.predict(np.zeros((1, 249), np.uint8))
    with clusters(1, 2) as (one, two):
        times = interleaved(
            {
                "1 worker": lambda seed: carried(
                    one, design, predictor, seed, rows=rows
                ),
                "2 workers": lambda seed: carried(
                    two, design, predictor, seed, rows=rows
                ),
                "1 bare process": lambda seed: bare(one, n, seed),
                "2 bare processes": lambda seed: bare(two, n, seed),
            },
            repeats,
            clock=time.perf_counter,
        )
        each = {
            keep: a_prediction(two, keep, n_units=50 if quick else 20_000)
            for keep in KEEPS
        }
    tell(times)
    share, machine = (
        ratios(times, "1 worker", "2 workers") / 2,
        ratios(times, "1 bare process", "2 bare processes") / 2,
    )
    found = {
        "2 workers / 1 worker, share of linear": share,
        "2 bare processes / 1, share of linear": machine,
        "share of what the machine gives to two processes": share / machine,
        "predictions per second and worker": n
        / float(np.median(times["2 workers"]))
        / 2,
        **{
            f"bytes moved for a prediction, {keep} kept": one.bytes_
            for keep, one in each.items()
        },
    }
    tell_ratios(found)
    return found


if __name__ == "__main__":
    main()
