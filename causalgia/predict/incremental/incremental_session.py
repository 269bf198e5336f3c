"""Incremental prediction for one predictor: the network is traced once, verified, and
used where it saves work.
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from causalgia.errors import FallbackWarning, PredictorError, caller_stacklevel
from causalgia.predict.answer_checks import as_storable
from causalgia.predict.incremental.execution import (
    ControlBlock,
    EditGroup,
    Runner,
    changed_spans,
    grouped,
    other_strand,
    width_class,
)
from causalgia.predict.incremental.multiplications import multiplications
from causalgia.predict.incremental.program import local_network
from causalgia.predict.incremental.trace import NetworkSnapshot, NotLocalError
from causalgia.predict.predictor import as_token_rows, check_finite
from causalgia.predict.torch_batch import is_out_of_memory
from causalgia.types import Ints, Tokens

if TYPE_CHECKING:
    from causalgia.predict.torch_predictor import TorchPredictor

_SAMPLE = 8
_UNITS_A_SESSION = 2**12
"""Units of a session, at most; the network is compared with what was read once for each
session.
"""
_EDITS_COMPARED = 16
_ONE_IN = 64
_ROUNDINGS = 3
"""Times the rounding of a full pass by which two ways that round alike may differ."""
_NO_ROOM = "what is kept of a control pass does not fit into the memory of {}"
_REPEATS = 3
_BUDGET = 2**24
_MOST_SHARE = 0.5
_LEAST_MACS = 2**18
"""Share of a full pass's multiplications above which, and number of these below which,
full passes are faster.
"""


@dataclass
class Spent:
    """Seconds that a number of edits took."""

    edits: int = 0
    seconds: float = 0.0


class Incremental:
    """The incremental paths of one predictor: a network for each length, and a choice
    for each width of edit.

    The network is read again if it has changed. Only the choices are pickled. With
    `always` also those edits are recomputed in part for which full passes are faster.
    """

    def __init__(self, predictor: TorchPredictor, *, always: bool = False) -> None:
        self._predictor = predictor
        self._always = always
        self._given: dict[str, bool] = {}
        self._tried: dict[tuple[int, int], WidthResult] = {}
        self._warned = ""
        self._forget()

    def _forget(self) -> None:
        """Drop everything known of a network that has changed, except the choices."""
        self._given, self._tried = self._given | self.choices(), {}
        self._seen: NetworkSnapshot | None = None
        self._runners: dict[int, Runner | str] = {}
        self._full_seconds: dict[int, float] = {}
        self.spent: dict[tuple[int, int], Spent] = defaultdict(Spent)
        self.control_spent: dict[int, Spent] = defaultdict(Spent)
        self.compared_spent: dict[int, Spent] = defaultdict(Spent)
        self._trusted: dict[int, bool] = {}
        self._deviating: dict[int, str] = {}
        self._spread: dict[int, torch.Tensor] = {}
        self._macs: dict[int, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_predictor": self._predictor,
            "_always": self._always,
            "_given": self.choices(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._tried, self._warned = {}, ""
        self._forget()

    def choices(self) -> dict[str, bool]:
        """Return whether edits are recomputed in part, by ``"length:width"``; a width
        stands for those down to 3/4.
        """
        made = {
            f"{length}:{width}": tried.chosen
            for (length, width), tried in self._tried.items()
        }
        return self._given | {
            key: value
            for key, value in made.items()
            if key not in self._given or not value
        }

    def choose(self, choices: Mapping[str, bool]) -> None:
        """Use the choices of an earlier run; they are verified again."""
        self._given.update(choices)

    def reason(self, length: int) -> str | None:
        """Return why nothing is recomputed in part at this length; None if something
        can be.
        """
        runner = self._runner(length)
        return runner if isinstance(runner, str) else self._deviating.get(length)

    def report(self) -> str:
        """Return the results as text: a line for each length and each width that
        occurred.

        Times are those of the edits that were asked for, beside full passes that are
        timed now. Comparisons are made once for each width, and of a share of the
        control passes.
        """
        lines = [
            f"length {length}: {self._of_length(length, runner)}"
            for length, runner in self._runners.items()
        ]
        return "\n".join(lines + [str(tried) for tried in self.tried()])

    def _of_length(self, length: int, runner: Runner | str) -> str:
        if isinstance(runner, str):
            return f"not recomputed in part: {runner}"
        rest = runner.network.not_local
        where = "edits can be recomputed in part" + (
            f"; in full from {rest[0]} on" if rest else ""
        )
        control, spent = (
            self.control_spent[length],
            [s for (n, _), s in self.spent.items() if n == length],
        )
        edits = sum(each.edits for each in spent)
        deviating = self._deviating.get(length)
        if not edits:
            return f"not recomputed in part: {deviating}" if deviating else where
        in_full = edits * self._seconds_in_full(length)
        ratio = (control.seconds + sum(each.seconds for each in spent)) / in_full
        return (
            f"{where}; {edits:,} edits and {control.edits:,} control passes took "
            f"{ratio:.3f} of the edits' full passes, comparisons with full passes "
            f"another {self.compared_spent[length].seconds / in_full:.3f}"
            + (f"; from then on in full: {deviating}" if deviating else "")
        )

    def tried(self, *, timed: bool = True) -> list[WidthResult]:
        """Return the result for each width that occurred; if `timed`, with its speed
        beside full passes.
        """
        found = []
        for (length, width), tried in sorted(self._tried.items()):
            spent = self.spent.get((length, width))
            if timed and spent is not None and spent.seconds > 0:
                speed = self._seconds_in_full(length) * spent.edits / spent.seconds
                tried = replace(tried, speed=speed, edits=spent.edits)
            found.append(tried)
        return found

    def _seconds_in_full(self, length: int) -> float:
        """Return the seconds of a sequence in a full pass at the predictor's batch
        size, the least of three.
        """
        if length not in self._full_seconds:
            tokens = np.zeros(
                (self._predictor.resolve_batch_size(length), length), np.uint8
            )
            with self._predictor._ready():
                self.full(tokens)
                times = []
                for _ in range(_REPEATS):
                    with self.timed(Spent(), len(tokens)) as spent:
                        self.full(tokens)
                    times.append(spent.seconds / spent.edits)
            self._full_seconds[length] = min(times)
        return self._full_seconds[length]

    @contextmanager
    def timed(self, spent: Spent, n: int) -> Iterator[Spent]:
        """Add the seconds until all queued work is done; this thread's own if it works
        alone.
        """
        device = self._predictor.device
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        # the first excludes other load on the machine
        clock = time.thread_time if alone else time.perf_counter
        start = clock()
        yield spent
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spent.seconds += clock() - start
        spent.edits += n

    def units(self, length: int) -> int:
        """Return the number of units in a session, many blocks; 0, with one warning, if
        nothing can be recomputed.

        Warns
        -----
        FallbackWarning
            If the network is not local; names the layer.
        """
        runner = self._runner(length)
        if isinstance(runner, Runner):
            return runner.units * max(1, _UNITS_A_SESSION // runner.units)
        if self._warned != runner:
            text = (
                "incremental=True: edits are predicted by full passes, because "
                f"{runner}"
            )
            warnings.warn(FallbackWarning(text), stacklevel=caller_stacklevel())
            self._warned = runner
        return 0

    def on(self, base: Tokens) -> IncrementalSession:
        """Return a session for edits of backgrounds (n, length), on the network that
        `units` has just read.
        """
        runner = self._runners.get(base.shape[1]) or self._runner(base.shape[1])
        if isinstance(runner, str):
            raise PredictorError(
                f"nothing can be recomputed in part at {base.shape[1]} letters: "
                f"{runner}"
            )
        return IncrementalSession(self, self._predictor, runner, as_token_rows(base))

    def _runner(self, length: int) -> Runner | str:
        with self._predictor._ready():
            module = self._predictor.module
            if self._seen is None or not self._seen.is_still(module):
                self._forget()
            if length not in self._runners:
                self._runners[length] = self._new_runner(length)
                # which may count how often it is asked, also as it is read
                self._seen = NetworkSnapshot(module)
        return self._runners[length]

    def _new_runner(self, length: int) -> Runner | str:
        predictor = self._predictor
        try:
            sample = predictor._one_hot(
                torch.zeros((2, length), dtype=torch.uint8, device=predictor.device)
            )
            network = local_network(predictor.module, sample, predictor.layout)
        except NotLocalError as reason:
            return str(reason)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return _NO_ROOM.format(predictor.device)
        return Runner(
            network,
            columns=lambda output, n_rows: predictor._read(output, n_rows)[0],
            order=predictor._order,
            dtype=predictor.dtype,
            device=predictor.device,
            budget=_BUDGET,
        )

    def give_up(self, length: int) -> None:
        """Stop recomputing in part at this length, for lack of memory."""
        self._runners[length] = _NO_ROOM.format(self._predictor.device)

    def trusted(self, block: ControlBlock, base: Tokens) -> bool:
        """Say whether a control pass agrees with a full one in some of its units;
        checked once for each block.

        Eight units of the first block of a length are checked, and one in 64 of each
        later one.
        """
        length = base.shape[1]
        if block.trusted is None:
            n = _SAMPLE if length not in self._trusted else -(-len(base) // _ONE_IN)
            # the deviation of a control in its first units, in units of the sd, also
            # that of the first block
            some = base[:n]
            with self.timed(self.compared_spent[length], 0):
                full = self.full(some)
            if length not in self._spread:
                # where units are few, the spread is also that of their sequences turned
                turned = [
                    np.roll(base, length * i // _SAMPLE, axis=1)
                    for i in range(1, _SAMPLE)
                ]
                wanted = np.concatenate(turned)[: max(_SAMPLE - len(base), 0)]
                with self.timed(self.compared_spent[length], 0):
                    more = [self.full(wanted)] if len(wanted) else []
                self._spread[length] = torch.cat([block.control, *more])
            spread = torch.cat(
                [
                    full,
                    block.control.to(full.dtype),
                    self._spread[length].to(full.dtype),
                ]
            )
            off, tolerated = deviation(
                *(
                    _to_numpy(table)
                    for table in (block.control[: len(full)], full, spread)
                )
            )
            block.trusted = self._trusted[length] = off <= tolerated
            if off > tolerated:
                why = (
                    f"the control pass deviates by {off:.1e} sd from the full pass "
                    f"(tolerated are {tolerated:.1e})"
                )
                self._deviating[length] = why
                warnings.warn(
                    FallbackWarning(f"{why}; full passes are used throughout"),
                    stacklevel=caller_stacklevel(),
                )
        return self._trusted[length]

    def refuses(self, length: int, groups: list[EditGroup]) -> bool:
        """Say whether no edit of these groups is recomputed in part, so that no control
        is needed.
        """
        if not self._trusted.get(length, True):
            return True
        choices = self.choices()
        known = [
            choices.get(f"{length}:{width_class(group.widest)}") for group in groups
        ]
        return bool(known) and not any(choice is not False for choice in known)

    def chosen(
        self, block: ControlBlock, groups: list[EditGroup], edited: Tokens, rows: Ints
    ) -> dict[int, bool]:
        """Say for each class of widths whether edits (m, length) are recomputed in
        part.

        A new class is verified, unless edits of at most twice its width were: the same
        layers did more there.
        """
        length, widths = (
            edited.shape[1],
            [width_class(group.widest) for group in groups],
        )
        for width in sorted(set(widths), reverse=True):
            if (length, width) not in self._tried and self._given.get(
                f"{length}:{width}"
            ) is not False:
                mine = [
                    group
                    for group, of in zip(groups, widths, strict=True)
                    if of == width
                ]
                self._tried[length, width] = self._like_wider(
                    mine, length
                ) or self._try(block, mine, edited, rows)
        choices = self.choices()
        return {width: choices[f"{length}:{width}"] for width in widths}

    def _like_wider(self, groups: list[EditGroup], length: int) -> WidthResult | None:
        """Return the result for edits of one width by that of edits up to twice as wide
        that were compared.
        """
        width = max(group.widest for group in groups)
        for wider in self._tried.values():
            if (
                wider.length == length
                and wider.chosen
                and wider.tolerated
                and width <= wider.width <= 2 * width
            ):
                runner = self._runners[length]
                assert isinstance(runner, Runner)
                share = self._share(
                    runner, max(group.width for group in groups), length
                )
                return WidthResult(length, width, share=share, chosen=True)
        return None

    def _try(
        self, block: ControlBlock, groups: list[EditGroup], edited: Tokens, rows: Ints
    ) -> WidthResult:
        """Compare edits of one width, evenly spread over its groups, with full
        passes.
        """
        length, width = edited.shape[1], max(group.widest for group in groups)
        share = self._share(block.runner, max(group.width for group in groups), length)
        slower = share > _MOST_SHARE or self._macs[length] < _LEAST_MACS
        if slower and not (
            self._always or self._given.get(f"{length}:{width_class(width)}")
        ):
            return WidthResult(length, width, share=share, chosen=False)
        with self.timed(self.compared_spent[length], 0):
            off, tolerated = self._deviation(block, groups, edited, rows)
        if off > tolerated:
            text = (
                f"edits of {width} positions: recomputed in part the answers deviate "
                f"by {off:.1e} sd from the full pass (tolerated are {tolerated:.1e}); "
                "full passes are used for them"
            )
            warnings.warn(FallbackWarning(text), stacklevel=caller_stacklevel())
        return WidthResult(
            length, width, off, tolerated, share, chosen=off <= tolerated
        )

    def _deviation(
        self, block: ControlBlock, groups: list[EditGroup], edited: Tokens, rows: Ints
    ) -> tuple[float, float]:
        """Return the largest deviation of some edits from full passes, and how much of
        it is tolerated.

        The unit is the sd of the changes, where sequences have several edits each, or
        that of all answers. Several edits share the rounding of their control, which
        was compared by itself (`trusted`) and is in no difference between them: it is
        subtracted. Where the deviation is more than `deviation` tolerates, so may be
        the rounding of full passes: it is measured in float64.
        """
        places = np.concatenate([group.places for group in groups])
        some = places[
            np.unique(np.linspace(0, len(places) - 1, _EDITS_COMPARED).astype(np.int64))
        ]
        within = [np.isin(group.places, some) for group in groups]
        parts = [
            g._replace(places=g.places[i], starts=g.starts[i])
            for g, i in zip(groups, within, strict=True)
            if i.any()
        ]
        made, order = (
            block.edited(parts, edited, rows),
            np.concatenate([part.places for part in parts]),
        )
        full = self.full(edited[order])
        control, own = block.control.to(full.dtype), block.runner.index(rows[order])
        several = len(np.unique(rows[order])) < len(order)
        spread = full - control[own] if several else torch.cat([full, control])
        if several:
            units, row_of = np.unique(rows[order], return_inverse=True)
            rounding = control[block.runner.index(units)] - self.full(
                block._tokens[units]
            ).to(control.dtype)
            made = made - rounding[block.runner.index(row_of)].to(made.dtype)
        off, tolerated = deviation(_to_numpy(made), _to_numpy(full), _to_numpy(spread))
        if off <= tolerated or (exact := self._in_float64(edited[order])) is None:
            return off, tolerated
        return off, max(
            tolerated,
            _ROUNDINGS * deviation(_to_numpy(full), exact, _to_numpy(spread))[0],
        )

    def _in_float64(self, tokens: Tokens) -> NDArray[Any] | None:
        """Return the answers of full passes in float64; None if the network has no such
        copy.
        """
        try:
            reference = self._predictor.reference()
            letters = torch.from_numpy(tokens.copy()).to(reference.device)
            with reference._ready():
                return _to_numpy(reference._columns(letters))
        except PredictorError:
            return None

    def full(self, tokens: Tokens) -> torch.Tensor:
        """Return the answers (m, tasks) of full passes, in batches that are halved
        until they fit into memory.
        """
        predictor, length = self._predictor, tokens.shape[1]
        letters = torch.from_numpy(tokens.copy()).to(predictor.device)
        size = predictor.resolve_batch_size(length)
        while True:
            try:
                return torch.cat(
                    [
                        predictor._columns(letters[i : i + size])
                        for i in range(0, len(letters), size)
                    ]
                )
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            predictor._batches.halve(length, min(size, len(letters)))
            size = predictor.resolve_batch_size(length)

    def _share(self, runner: Runner, width: int, length: int) -> float:
        """Return the share of the multiplications of a full pass that an edit in the
        middle needs.
        """
        network = runner.network
        if length not in self._macs:
            self._predictor.resolve_batch_size(length)  # which may ask the network
            self._macs[length] = multiplications(
                lambda: self.full(np.zeros((1, length), np.uint8))
            )
        total = max(self._macs[length], network.macs, 1.0)
        start = (length - width) // 2
        return (
            total - network.macs * (1 - network.share((start, start + width)))
        ) / total


class IncrementalSession:
    """Backgrounds with their control pass, so that only what an edit reaches is
    recomputed.
    """

    def __init__(
        self,
        owner: Incremental,
        predictor: TorchPredictor,
        runner: Runner,
        base: Tokens,
    ) -> None:
        self._owner = owner
        self._predictor = predictor
        self._runner = runner
        self._strands = [base, other_strand(base)] if predictor.rc_average else [base]
        self._blocks: dict[tuple[int, int], ControlBlock] = {}
        self._room = True

    def answers(self, edited: Tokens, rows: Ints) -> NDArray[Any]:
        """Return answers for edited tokens (m, length), row i made from background
        ``rows[i]``: (m, tasks).

        Raises
        ------
        PredictorError
            As `TorchPredictor.predict`, or if a row is not one of the backgrounds.
        """
        tokens, places = as_token_rows(edited), np.asarray(rows, np.int64)
        base = self._strands[0]
        if (
            places.shape != (len(tokens),)
            or not len(tokens)
            or places.min() < 0
            or places.max() >= len(base)
        ):
            raise PredictorError(
                f"give one of the {len(base)} backgrounds for each of {len(tokens)} "
                f"edits, not {rows}"
            )
        if tokens.shape[1] != base.shape[1]:
            return self._predictor.predict(tokens)
        made = self._attempt(tokens, places)
        if made is None:  # drop the control passes, and answer by full passes
            self._blocks.clear()
            if self._room:
                self._room = False
                self._owner.give_up(tokens.shape[1])
                text = (
                    f"out of memory on {self._predictor.device} with control passes "
                    "kept; edits take full passes"
                )
                warnings.warn(FallbackWarning(text), stacklevel=caller_stacklevel())
            return self._predictor.predict(tokens)
        answers = self._predictor._by_position(as_storable(_to_numpy(made)))
        check_finite(
            answers, tasks=self._predictor.tasks, positions=self._predictor.positions
        )
        return answers

    def settle(self, edited: Tokens, rows: Ints) -> None:
        """Choose for each width of edits whether it is recomputed in part, without
        answering.
        """
        size = self._runner.units
        mine = rows < size
        base, tokens, places = self._strands[0][:size], edited[mine], rows[mine]
        groups = self._groups(base, tokens, places)
        if not groups or self._owner.refuses(base.shape[1], groups):
            return
        try:
            with self._predictor._ready():
                block = self._block(0, 0, base)
                if self._owner.trusted(block, base):
                    self._owner.chosen(block, groups, tokens, places)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise  # answers of edits meet it again, and take full passes

    def _groups(self, base: Tokens, tokens: Tokens, rows: Ints) -> list[EditGroup]:
        starts, stops = changed_spans(base, tokens, rows)
        return grouped(
            starts, stops, period=self._runner.network.period, step=self._runner.step
        )

    def _attempt(self, tokens: Tokens, rows: Ints) -> torch.Tensor | None:
        """Return the answers; None if control passes do not fit into memory."""
        try:
            return self._of_strands(tokens, rows) if self._room else None
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _of_strands(self, tokens: Tokens, rows: Ints) -> torch.Tensor:
        with self._predictor._ready():
            made = self._of_strand(0, tokens, rows)
            made = self._predictor.answers_of(made)
            if len(self._strands) == 1:
                return made
            other = self._predictor.answers_of(
                self._of_strand(1, other_strand(tokens), rows), reverse=True
            )
            return made / 2 + other / 2

    def _of_strand(self, strand: int, tokens: Tokens, rows: Ints) -> torch.Tensor:
        """Answer for edits of one strand, a block of units at a time."""
        size = self._runner.units
        made: torch.Tensor | None = None
        for first in np.flatnonzero(np.bincount(rows // size)).tolist():
            mine = np.flatnonzero(rows // size == first)
            answers = self._of_block(
                strand, first, tokens[mine], rows[mine] - first * size
            )
            made = (
                answers.new_empty((len(rows), answers.shape[1]))
                if made is None
                else made
            )
            made[torch.from_numpy(mine).to(made.device)] = answers
        assert made is not None
        return made

    def _of_block(
        self, strand: int, first: int, tokens: Tokens, rows: Ints
    ) -> torch.Tensor:
        size = self._runner.units
        base = self._strands[strand][first * size : (first + 1) * size]
        groups = self._groups(base, tokens, rows)
        block = (
            None
            if self._owner.refuses(base.shape[1], groups)
            else self._block(strand, first, base)
        )
        if block is None or not self._owner.trusted(block, base):
            return self._owner.full(tokens)
        made = block.control[self._runner.index(rows)]
        chosen = self._owner.chosen(block, groups, tokens, rows)
        for width in sorted(set(chosen)):
            mine = [group for group in groups if width_class(group.widest) == width]
            places = np.concatenate([group.places for group in mine])
            if chosen[width]:
                with self._owner.timed(
                    self._owner.spent[base.shape[1], width], len(places)
                ):
                    answers = block.edited(mine, tokens, rows)
            else:
                answers = self._owner.full(tokens[places])
            made[self._runner.index(places)] = answers.to(made.dtype)
        return made

    def _block(self, strand: int, first: int, base: Tokens) -> ControlBlock:
        """Return a block of units with its control pass; the last one of each strand is
        kept.
        """
        if (strand, first) not in self._blocks:
            for key in [key for key in self._blocks if key[0] == strand]:
                del self._blocks[key]
            with self._owner.timed(self._owner.control_spent[base.shape[1]], len(base)):
                self._blocks[strand, first] = ControlBlock(self._runner, base)
        return self._blocks[strand, first]


def _to_numpy(table: torch.Tensor) -> NDArray[Any]:
    host = table.detach().cpu()
    made: NDArray[Any] = (
        host.float() if host.dtype in (torch.bfloat16, torch.float16) else host
    ).numpy()
    return made


TOLERANCE = 1e-5
_ULPS = 16


@dataclass(frozen=True)
class WidthResult:
    """Result for edits of one width in sequences of one length.

    `deviation` is the largest difference from the full pass, in units of the sd of a
    sequence's edits (of the outputs, where each sequence has one; or the largest
    magnitude, if that is 0), and `tolerated` its limit; `share` the share of the
    network's multiplications that is repeated; `speed` the time of a full pass over
    that of an edit, None if nothing was recomputed, and `edits` their number.
    """

    length: int
    width: int
    deviation: float = 0.0
    tolerated: float = 0.0
    share: float = 1.0
    speed: float | None = None
    edits: int = 0
    chosen: bool = False

    @property
    def exact(self) -> bool:
        """Whether the deviation is tolerated."""
        return self.deviation <= self.tolerated

    def __str__(self) -> str:
        parts = [f"{100 * self.share:.1f} % of the multiplications"]
        if self.speed is not None:
            parts.append(
                f"{1 / self.speed:.3f} of a full pass's time ({self.edits:,} edits)"
            )
        if self.tolerated:
            parts.append(f"deviation {self.deviation:.1e} sd")
        how = "recomputed in part" if self.chosen else "full pass"
        return f"{self.width} of {self.length} positions: {', '.join(parts)}; {how}"


def deviation(
    made: NDArray[Any], full: NDArray[Any], spread: NDArray[Any]
) -> tuple[float, float]:
    """Return the largest deviation of answers (m, tasks) in units of each task's sd,
    and its tolerance.

    The sd is over the rows of `spread` (rows, tasks); if it is 0 the unit is the
    largest answer. The tolerance is 1e-5, or sixteen times the rounding of the largest
    answer if that is more: the full pass is no more precise. Rows without finite
    answers do not count: they are an error of their own.

    Examples
    --------
    >>> full = np.array([[1.0], [3.0]])
    >>> deviation(full + 1e-9, full, full)[0] < 2e-9
    True
    >>> deviation(full.astype(int), full, full)
    (0.0, 1e-05)
    """
    finite = np.isfinite(full).all(axis=1)
    if not finite.any():
        return 0.0, TOLERANCE
    exact = full[finite].astype(np.float64)
    sd = spread[np.isfinite(spread).all(axis=1)].astype(np.float64).std(axis=0)
    largest = np.abs(exact).max(axis=0)
    unit = np.where(sd > 0, sd, np.where(largest > 0, largest, 1))
    found = np.abs(made[finite].astype(np.float64) - exact).max(axis=0) / unit
    exact_digits = made.dtype.kind != "f"  # whole numbers, as of an argmax
    eps = 0.0 if exact_digits else float(np.finfo(made.dtype).eps)
    floor = _ULPS * eps * largest / unit
    worst = int((found / np.maximum(floor, TOLERANCE)).argmax())
    return float(found[worst]), float(max(floor[worst], TOLERANCE))
