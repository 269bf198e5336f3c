"""Incremental prediction for one predictor: the network is traced once, verified, and
used where counting says that it saves work.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
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
from causalgia.predict.incremental.program import local_network
from causalgia.predict.incremental.trace import NetworkSnapshot, NotLocalError
from causalgia.predict.incremental.work import (
    MOST_SHARE,
    Survey,
    Work,
    may_save,
    survey_tokens,
)
from causalgia.predict.predictor import LONG, as_token_rows, check_finite
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
_BUDGET = 2**24


class Incremental:
    """The incremental paths of one predictor: a network for each length, and for each
    width of edit whether it agrees with full passes.

    Whether a call's edits are recomputed in part is decided by the work of that call
    alone (`Work.saves`), so that equal calls have equal answers. The network is read
    when that is first worth it, and again if it has changed. Only the choices are
    pickled. With `always` also those edits are recomputed in part for which full passes
    are less work. Where nobody has asked for it (`asked`), full passes are used without
    a word where it does not apply.
    """

    def __init__(
        self, predictor: TorchPredictor, *, always: bool = False, asked: bool = True
    ) -> None:
        self._predictor = predictor
        self._always = always
        self._asked = asked
        self._given: dict[str, bool] = {}
        self._tried: dict[tuple[int, int], WidthResult] = {}
        self._warned = ""
        self._forget()

    def _forget(self) -> None:
        """Drop everything known of a network that has changed, except the choices."""
        self._given, self._tried = self._given | self.choices(), {}
        self._seen: NetworkSnapshot | None = None
        self._runners: dict[int, Runner | str] = {}
        self._trusted: dict[int, bool] = {}
        self._deviating: dict[int, str] = {}
        self._spread: dict[int, torch.Tensor] = {}
        self._works: dict[int, Work | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_predictor": self._predictor,
            "_always": self._always,
            "_asked": self._asked,
            "_given": self.choices(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._tried, self._warned = {}, ""
        self._forget()

    def choices(self) -> dict[str, bool]:
        """Return whether edits may be recomputed in part, by ``"length:width"``; a
        width stands for those down to 3/4.
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
        can be. The network is read.
        """
        runner = self._runner(length)
        return runner if isinstance(runner, str) else self._deviating.get(length)

    def report(self) -> str:
        """Return the results as text: a line for each length and each width that
        occurred.
        """
        lines = []
        for length, work in self._works.items():
            runner = self._runners.get(length)
            if isinstance(runner, str):
                how = f"not recomputed in part: {runner}"
            elif length in self._deviating:
                how = f"not recomputed in part: {self._deviating[length]}"
            elif runner is None:
                how = "full passes, which are less work for edits as few as were asked"
            else:
                rest = runner.network.not_local
                how = "edits can be recomputed in part" + (
                    f"; in full from {rest[0]} on" if rest else ""
                )
            if work is not None:
                how += (
                    f"; an edit of one letter changes {100 * work.share(1):.1f} % of "
                    "the work of a pass"
                )
            lines.append(f"length {length}: {how}")
        return "\n".join(lines + [str(tried) for tried in self.tried()])

    def tried(self) -> list[WidthResult]:
        """Return the result for each width that was compared with full passes."""
        return [tried for _, tried in sorted(self._tried.items())]

    def work(self, length: int) -> Work | None:
        """Return the work of a pass, which is counted once for each length; None above
        50 kb, and where four sequences do not fit into memory.
        """
        if length not in self._works:
            self._works[length] = self._surveyed(length) if length <= LONG else None
        return self._works[length]

    def _surveyed(self, length: int) -> Work | None:
        predictor, survey = self._predictor, Survey()
        letters = torch.from_numpy(survey_tokens(length)).to(predictor.device)
        try:
            with predictor._ready(), survey:
                predictor._forward(letters)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return survey.work

    def may_save(self, length: int, n_edits: int) -> bool:
        """Say whether so many edits can be less work in part than in full passes."""
        if self._always or length > LONG:
            return True
        if not may_save(n_edits, 1) or not self.units(length):
            return False
        work = self.work(length)
        return work is not None and work.may_save(n_edits)

    def saves(self, length: int, widths: Ints, n_units: int) -> bool:
        """Say whether a call's edits of these widths, which may be, are less work in
        part, on so many units.
        """
        work = None if self._always else self.work(length)
        return work is None or work.saves(widths, n_units)

    def units(self, length: int) -> int:
        """Return the number of units in a session; 0 if nothing can be recomputed, as
        far as that is known.
        """
        return 0 if isinstance(self._runners.get(length), str) else _UNITS_A_SESSION

    def fall_back(self, text: str) -> None:
        """Warn of full passes, where incremental ones were asked for."""
        if self._asked:
            warnings.warn(FallbackWarning(text), stacklevel=caller_stacklevel())

    def on(self, base: Tokens) -> IncrementalSession:
        """Return a session for edits of backgrounds (n, length)."""
        return IncrementalSession(self, self._predictor, as_token_rows(base))

    def runner(self, length: int) -> Runner | None:
        """Return what runs the network at this length; None, with one warning, if
        nothing can be recomputed.

        Warns
        -----
        FallbackWarning
            If the network is not local; names the layer.
        """
        runner = self._runner(length)
        if isinstance(runner, Runner):
            return runner
        if self._warned != runner:
            text = (
                "incremental=True: edits are predicted by full passes, because "
                f"{runner}"
            )
            self.fall_back(text)
            self._warned = runner
        return None

    def _runner(self, length: int) -> Runner | str:
        with self._predictor._ready():
            module = self._predictor.module
            if self._seen is None or not self._seen.is_still(module):
                works = self._works
                self._forget()
                self._works = works
            if length not in self._runners:
                self._runners[length] = self._new_runner(length)
                # which may count how often it is asked, also as it is read
                self._seen = NetworkSnapshot(module)
        return self._runners[length]

    def _new_runner(self, length: int) -> Runner | str:
        predictor = self._predictor
        if predictor.device.type != "cpu":
            return f"whole batches are faster on {predictor.device}"
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
            full = self.full(some)
            if length not in self._spread:
                # where units are few, the spread is also that of their sequences turned
                turned = [
                    np.roll(base, length * i // _SAMPLE, axis=1)
                    for i in range(1, _SAMPLE)
                ]
                wanted = np.concatenate(turned)[: max(_SAMPLE - len(base), 0)]
                more = [self.full(wanted)] if len(wanted) else []
                self._spread[length] = torch.cat([block.control, *more])
            spread = torch.cat(
                [
                    full,
                    block.control.to(full.dtype),
                    self._spread[length].to(full.dtype),
                ]
            )
            control, passes, sds = (
                _to_numpy(table) for table in (block.control[: len(full)], full, spread)
            )
            off, tolerated = deviation(control, passes, sds)
            if off > tolerated and (exact := self._in_float64(some)) is not None:
                off = min(off, deviation(control, exact, sds)[0])
                rounding = deviation(passes, exact, sds)[0]
                tolerated = max(tolerated, _ROUNDINGS * rounding)
            block.trusted = self._trusted[length] = off <= tolerated
            if off > tolerated:
                why = (
                    f"the control pass deviates by {off:.1e} sd from the full pass "
                    f"(tolerated are {tolerated:.1e})"
                )
                self._deviating[length] = why
                self.fall_back(f"{why}; full passes are used throughout")
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
                share = self._share(length, width)
                return WidthResult(length, width, share=share, chosen=True)
        return None

    def _share(self, length: int, width: int) -> float:
        """Return the share of a pass's work that an edit takes, 0 where it was not
        counted.

        Layers that are not local are recomputed in full, and take twice as long as
        others with as many multiplications.
        """
        work, runner = self.work(length), self._runners[length]
        if work is None:
            return 0.0
        share = float(work.share(width))
        assert isinstance(runner, Runner)
        if not runner.network.not_local:
            return share
        rest = 1 - runner.network.macs / max(work.multiplications, 1.0)
        return max(share, min(1.0, 2 * rest))

    def _try(
        self, block: ControlBlock, groups: list[EditGroup], edited: Tokens, rows: Ints
    ) -> WidthResult:
        """Compare edits of one width, evenly spread over its groups, with full
        passes.
        """
        length, width = edited.shape[1], max(group.widest for group in groups)
        share = self._share(length, width)
        if share > MOST_SHARE and not self._always:
            return WidthResult(length, width, share=share, chosen=False)
        off, tolerated = self._deviation(block, groups, edited, rows)
        if off > tolerated:
            text = (
                f"edits of {width} positions: recomputed in part the answers deviate "
                f"by {off:.1e} sd from the full pass (tolerated are {tolerated:.1e}); "
                "full passes are used for them"
            )
            self.fall_back(text)
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
        the rounding of full passes: both are compared with passes in float64.
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
        units, row_of = np.unique(rows[order], return_inverse=True)
        several, n = len(units) < len(order), len(order)
        # passes of one batch round alike
        tokens = np.concatenate([edited[order], block._tokens[units]])
        both = self.full(tokens)
        control, own = block.control.to(both.dtype), block.runner.index(rows[order])
        full = both[:n]
        spread = full - control[own] if several else torch.cat([full, control])
        answers = _to_numpy(made.to(both.dtype))
        own_control = _to_numpy(control[own])

        def off_from(passes: NDArray[Any]) -> tuple[float, float]:
            shared = own_control - passes[n:][row_of] if several else 0
            return deviation(answers - shared, passes[:n], _to_numpy(spread))

        off, tolerated = off_from(_to_numpy(both))
        if off <= tolerated or (exact := self._in_float64(tokens)) is None:
            return off, tolerated
        rounding = deviation(_to_numpy(full), exact[:n], _to_numpy(spread))[0]
        return min(off, off_from(exact)[0]), max(tolerated, _ROUNDINGS * rounding)

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


class IncrementalSession:
    """Backgrounds with their control pass, so that only what an edit reaches is
    recomputed.
    """

    def __init__(
        self, owner: Incremental, predictor: TorchPredictor, base: Tokens
    ) -> None:
        self._owner = owner
        self._predictor = predictor
        self._read: Runner | None = None
        self._base = base
        self._other = other_strand(base) if predictor.rc_average else None
        self._blocks: dict[tuple[int, int], ControlBlock] = {}
        self._room = True

    @property
    def _runner(self) -> Runner:
        assert self._read is not None
        return self._read

    @property
    def _strands(self) -> list[Tokens]:
        return [self._base] if self._other is None else [self._base, self._other]

    def _reads(self, edited: Tokens, rows: Ints, times: int = 1) -> bool:
        """Say whether edits, so many times, are to be recomputed in part and can be;
        the network is read for the first that are.
        """
        length = self._base.shape[1]
        if not self._owner.may_save(length, len(rows) * times):
            return False
        starts, stops = changed_spans(self._base, edited, rows)
        widths = np.tile((stops - starts)[starts >= 0], times)
        n_units = len(np.unique(rows)) * times
        if not self._owner.saves(length, widths, n_units):
            return False
        self._read = self._read or self._owner.runner(length)
        return self._read is not None

    def answers(self, edited: Tokens, rows: Ints) -> NDArray[Any]:
        """Return answers for edited tokens (m, length), row i made from background
        ``rows[i]``: (m, tasks).

        Raises
        ------
        PredictorError
            As `TorchPredictor.predict`, or if a row is not one of the backgrounds.
        """
        places, base = np.asarray(rows, np.int64), self._base
        if (
            places.shape != (len(edited),)
            or not len(edited)
            or places.min() < 0
            or places.max() >= len(base)
        ):
            raise PredictorError(
                f"give one of the {len(base)} backgrounds for each of {len(edited)} "
                f"edits, not {rows}"
            )
        if not self._owner.may_save(base.shape[1], len(edited)):
            return self._predictor.predict(edited)
        tokens = as_token_rows(edited)
        if tokens.shape[1] != base.shape[1] or not self._reads(tokens, places):
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
                self._owner.fall_back(text)
            return self._predictor.predict(tokens)
        answers = self._predictor._by_position(as_storable(_to_numpy(made)))
        check_finite(
            answers, tasks=self._predictor.tasks, positions=self._predictor.positions
        )
        return answers

    def settle(self, edited: Tokens, rows: Ints, times: int) -> None:
        """Compare with full passes each width of edits of which there will be so many
        times as many, where they are to be recomputed in part; nothing is answered.
        """
        if not self._reads(edited, rows, times):
            return
        size = self._runner.units
        mine = rows < size
        base, tokens, places = self._base[:size], edited[mine], rows[mine]
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
            answers = (
                block.edited(mine, tokens, rows)
                if chosen[width]
                else self._owner.full(tokens[places])
            )
            made[self._runner.index(places)] = answers.to(made.dtype)
        return made

    def _block(self, strand: int, first: int, base: Tokens) -> ControlBlock:
        """Return a block of units with its control pass; the last one of each strand is
        kept.
        """
        if (strand, first) not in self._blocks:
            for key in [key for key in self._blocks if key[0] == strand]:
                del self._blocks[key]
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
    magnitude, if that is 0), and `tolerated` its limit, 0 if it was not compared;
    `share` the share of the work of a pass that an edit of this width changes.
    """

    length: int
    width: int
    deviation: float = 0.0
    tolerated: float = 0.0
    share: float = 1.0
    chosen: bool = False

    @property
    def exact(self) -> bool:
        """Whether the deviation is tolerated."""
        return self.deviation <= self.tolerated

    def __str__(self) -> str:
        parts = [f"{100 * self.share:.1f} % of the work"]
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
