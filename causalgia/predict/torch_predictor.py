"""PyTorch networks as predictors; imported on demand, as it needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.parameter import is_lazy

from causalgia.errors import CausalgiaError, PredictorError, quoted, type_in_words
from causalgia.predict.answer_checks import (
    check_not_constant,
    first_line,
)
from causalgia.predict.fingerprint import digest, fingerprint_of, parts_of
from causalgia.predict.incremental import Incremental
from causalgia.predict.predictor import (
    EditSession,
    Layout,
    Scale,
    SinglePredictor,
    as_batch_size,
    as_token_rows,
    as_version_name,
)
from causalgia.predict.torch_batch import (
    BatchSizes,
    is_out_of_memory,
    read_columns,
    reduced_output,
)
from causalgia.predict.torch_device import (
    HostDeviceCopier,
    PendingCopy,
    choose_device,
    copied_network,
    exact_float32,
    in_eval_mode,
    in_full_precision,
    input_dtype,
    lock_of,
    move_to,
    to_eval_mode,
    without_autocast,
)
from causalgia.predict.track import Reduce, Track
from causalgia.types import Tokens

_HELD_BYTES = 2**28


class TorchPredictor(SinglePredictor):
    """A PyTorch network as a predictor: eval mode, inference mode, one-hot encoding on
    the device.

    The network itself is used, not a copy: it is moved to `device`, and its training
    flags are restored after every call; threads take turns. Half-precision answers
    become float32.

    Tokens are sent as uint8 and become one-hot in the dtype of the network's
    parameters, so a float64 network answers in float64. During the call autocast is
    off, and on CUDA TF32 too: such rounding does not cancel in a contrast. A pickled
    predictor includes its network (on the host) and chooses the device again when it is
    loaded: "auto" is the best device of that machine, and one of several workers takes
    the GPU of its number.

    Parameters
    ----------
    module
        Takes one-hot (n, 4, length).
    tasks
        A name for each output, or a selection of `heads` (or of a dict output's keys).
        By default all heads or keys; without them "outcome" for a single output, else
        "task 0", "task 1", ...
    scale
        The scale of the outputs, in words: one text, or one for each task (a dict task
        -> text, or a list in the order of `tasks`). Outcomes then carry them as
        ``task_scale``, and `contrast` subtracts no tasks on different scales.
    device
        A torch device, or "auto": the module's own if that is an accelerator, else
        cuda, mps or cpu.
    batch_size
        Sequences per forward pass, or "auto": as many as keep the largest activation
        under 16 MiB on a CPU (above 32 MiB every layer maps fresh memory, which costs a
        factor of 3), and above 256 rows all activations together under 64 MiB; on an
        accelerator, as many as fit well into its free memory; above 50 kb one. It is
        halved, with a warning, when memory runs out.
    layout
        "NCL" for (n, 4, length), "NLC" for (n, length, 4).
    alphabet
        The letters of the network's one-hot rows, in order. A wrong order raises
        nothing and answers plausibly.
    heads
        Names of the network's output columns, in order.
    reduce
        What is read of the network's output, one step or a list of steps: a key of a
        dict, a place of a tuple, a function that gives a tensor (n,) or (n, tasks), for
        example of a profile its total counts; then windows of a `track`,
        `causalgia.Window`: ``reduce=["human", cg.Window("TSS", -64, 64)]``.
    rc_average
        Whether to average the answers for a sequence and for its reverse complement; a
        track is turned around.
    track
        The axis of the output that runs along the sequence, a `causalgia.Track`:
        outcomes then have a dim position.
    opposite
        Pairs of tasks that change places on the reverse complement, such as ``[("plus",
        "minus")]``, for `rc_average`.
    length
        Bases of the sequences that the network was trained on, where it takes others
        without a word; others are then refused.
    dtype
        The dtype of the one-hot input; by default that of the module's parameters.
        Giving it accepts half precision.
    tf32
        Whether factors of products may be rounded to 10 bits on CUDA; without effect
        elsewhere. The rounding does not cancel in a contrast: root mean square 0.002,
        0.02 and 0.6 standard deviations of the contrast in untrained networks of
        ResidualBind-, DeepSTARR- and BPNet-size, where float32 has 2e-6, 1e-5 and 4e-4.
        `causalgia.check` measures that of your network.
    incremental
        Whether edits of a background are answered by the changes that they make in each
        layer, where that is less work, by counting, and agrees with full passes;
        `incremental_report` says where. On an accelerator full passes are used. See the
        page "Predict many edits of a sequence".
    fingerprint
        Name of this version of the network; by default its weights, structure and code
        are hashed. If an attribute is unreadable the fingerprint ends in ``~``: name
        the version here.

    Raises
    ------
    PredictorError
        If an option is impossible: an absent device, a task that is not among the
        heads, half precision unrequested.

    Examples
    --------
    >>> import numpy as np, torch
    >>> net = torch.nn.Sequential(
    ...     torch.nn.Flatten(), torch.nn.Linear(4 * 3, 2, bias=False)
    ... )
    >>> _ = torch.nn.init.ones_(net[1].weight)
    >>> predictor = TorchPredictor(
    ...     net, tasks=["K562", "HepG2"], scale="log counts", device="cpu"
    ... )
    >>> predictor.predict(np.zeros((1, 3), np.uint8))
    array([[3., 3.]], dtype=float32)
    """

    def __init__(
        self,
        module: torch.nn.Module,
        *,
        tasks: Sequence[str] | None = None,
        scale: Scale = "outcome",
        device: str | torch.device = "auto",
        batch_size: int | Literal["auto"] = "auto",
        layout: Layout = "NCL",
        alphabet: str = "ACGT",
        heads: Sequence[str] | None = None,
        reduce: Reduce = None,
        rc_average: bool = False,
        track: Track | None = None,
        opposite: Sequence[tuple[str, str]] = (),
        length: int | None = None,
        dtype: torch.dtype | str | None = None,
        tf32: bool = False,
        incremental: bool = False,
        fingerprint: str | None = None,
    ) -> None:
        _check_module(module)
        tensors = [*module.named_parameters(), *module.named_buffers()]
        lazy = [name for name, tensor in tensors if is_lazy(tensor)]
        if lazy:
            raise PredictorError(
                f"the network's {lazy[0]} has no shape yet (a lazy layer)"
            )
        absent = [name for name, tensor in tensors if tensor.is_meta]
        if absent:
            raise PredictorError(
                f"the network's {absent[0]} has a shape but no values (device "
                f"'meta', {len(absent)} of {len(tensors)} tensors)"
            )
        super().__init__(
            tasks=tasks,
            scale=scale,
            alphabet=alphabet,
            layout=layout,
            rc_average=rc_average,
            heads=heads,
            reduce=reduce,
            track=track,
            opposite=opposite,
            length=length,
        )
        missing = (
            []
            if self.heads is None
            else [task for task in self._given_tasks or () if task not in self.heads]
        )
        if missing:
            known = quoted(list(self.heads or ()))
            raise PredictorError(
                f"task {quoted(missing[0])} is not among heads={known}"
            )
        self.module = module
        self.dtype = input_dtype(module, dtype)
        self._half_accepted = dtype is not None
        self._asked_device = str(device)
        self.device = choose_device(module, device, self.dtype)
        self.batch_size = as_batch_size(batch_size)
        self._batches = BatchSizes(self.batch_size, self.device)
        self.tf32 = tf32
        self.incremental = incremental
        self._partial = Incremental(self) if incremental else None
        self._prepare()
        self._given = (
            None if fingerprint is None else as_version_name(fingerprint, "network")
        )
        options = (
            self._given_tasks,
            self._given_scale,
            self._order,
            layout,
            self.heads,
            rc_average,
            str(self.dtype),
        )
        self._choices = (*options, *self._track_choices)
        self._reduce_digest = fingerprint_of(self._function)
        move_to(module, self.device)

    def _prepare(self) -> None:
        """Create the state of this process and device, which is not pickled."""
        self._ferry = HostDeviceCopier(self.device)
        self._met = False

    def __getstate__(self) -> dict[str, Any]:
        """Return all attributes but those of this process; the network as a copy on the
        host.
        """
        with lock_of(self.module):
            module = (
                self.module
                if self.device.type == "cpu"
                else copied_network(self.module).cpu()
            )
        own = {"_ferry", "device", "_batches"}
        state = {name: value for name, value in vars(self).items() if name not in own}
        return {**state, "module": module, "_sizes": self._batches.known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Choose the device again: "auto" is the best of this machine, "cuda" this
        worker's own GPU.
        """
        sizes = state.pop("_sizes")
        vars(self).update(state)
        self.device = choose_device(self.module, self._asked_device, self.dtype)
        self._batches = BatchSizes(self.batch_size, self.device)
        self._batches.fix(sizes)
        self._prepare()
        move_to(self.module, self.device)

    @property
    def fingerprint(self) -> str:
        """Digest of the current weights, the network's structure and code, and all
        options.
        """
        identity = (
            digest("given", self._given)
            if self._given is not None
            else fingerprint_of(self.module)
        )
        return digest(
            "torch", identity, *self._choices, self._reduce_digest, *self._ways
        )

    @property
    def fingerprint_parts(self) -> dict[str, str]:
        """Digests of the network's code and weights (or the given version), the options
        and the read-out.
        """
        identity = (
            parts_of(self.module) if self._given is None else {"version": self._given}
        )
        return {
            **identity,
            "options": digest(*self._choices, *self._ways),
            "read-out": self._reduce_digest,
        }

    @property
    def _ways(self) -> tuple[str, ...]:
        ways = {"tf32": self.tf32, "incremental": self.incremental}
        return tuple(way for way in ways if ways[way])

    @property
    def precision(self) -> Any:
        """Dtype of the one-hot input, which is that of the parameters; half if an
        answer was.
        """
        half = bool(self._half) or self.dtype.itemsize == 2
        dtype = torch.float16 if half else self.dtype
        return torch.empty(0, dtype=dtype, device="cpu").numpy().dtype

    @property
    def is_quantized_dynamically(self) -> bool:
        """Whether a layer is one of torch's dynamic quantization."""
        return any(
            "quantized.dynamic" in type(part).__module__
            for part in self.module.modules()
        )

    def resolve_batch_size(self, length: int) -> int:
        """Return the sequences per forward pass; with "auto", measured once for each
        length.

        Raises
        ------
        PredictorError
            If the network refuses sequences of this length.
        """
        return self._batches.resolve(length, self._trace)

    def batches(self) -> dict[int, int]:
        """Return the batch sizes that are fixed so far, by length."""
        return self._batches.known

    def fix_batches(self, sizes: Mapping[int, int]) -> None:
        """Use the batch sizes of an earlier run, by length."""
        self._batches.fix(sizes)

    def choices(self) -> dict[str, bool]:
        """Return whether edits are recomputed in part, by ``"length:width"``, as far as
        they occurred.
        """
        return {} if self._partial is None else self._partial.choices()

    def choose(self, choices: Mapping[str, bool]) -> None:
        """Use the choices of an earlier run; they are verified again."""
        if self._partial is not None:
            self._partial.choose(choices)

    def incremental_report(self) -> str:
        """Return where edits are recomputed in part, and what share of the work of a
        pass they change.

        A line of text for each length, and for each width of edits that was compared
        with full passes.
        """
        return "incremental=False" if self._partial is None else self._partial.report()

    def with_incremental_edits(self, length: int) -> TorchPredictor:
        """Return the same network with ``incremental=True``, and without its warnings;
        itself where nothing can be recomputed in part.

        On an accelerator, where whole batches are fast, it is itself as well.
        """
        if self.incremental or self.device.type != "cpu":
            return self
        made = copy(self)
        made.incremental = True
        made._partial = Incremental(made, asked=False)
        return self if made._partial.reason(length) else made

    def backgrounds_at_once(self, length: int) -> int:
        """Return the number of backgrounds in a session; 0 if whole batches are faster.

        Warns
        -----
        FallbackWarning
            If ``incremental=True`` and the network is not local; names the layer.
        """
        if self._partial is not None and (units := self._partial.units(length)):
            return units
        return max(1, _HELD_BYTES // length) if self.device.type == "cuda" else 0

    def settle(
        self, base: Tokens, edited: Tokens, rows: NDArray[np.int64], times: int
    ) -> None:
        """Compare a sample of each width of edits with full passes, where so many times
        these edits are less work in part.
        """
        if self._partial is not None and self._partial.units(base.shape[1]):
            self._partial.on(base).settle(edited, rows, times)

    def edits(self, base: Tokens) -> EditSession:
        """Return a session that keeps the control pass of backgrounds (n, length), or
        holds them on the device.
        """
        if self._partial is not None and self._partial.units(base.shape[1]):
            return self._partial.on(base)
        return DeviceEdits(self, base)

    def reference(self) -> TorchPredictor:
        """Return a copy of the network in float64, run eagerly, against which rounding
        is measured.

        Its answers differ from those of this predictor by rounding alone.

        Raises
        ------
        PredictorError
            If the network cannot be copied, or was frozen by TorchScript.
        """
        if isinstance(self.module, torch.jit.ScriptModule) and not any(
            True for _ in self.module.parameters()
        ):
            raise PredictorError(
                "the network was frozen by TorchScript: its weights are "
                "constants of its code"
            )
        with lock_of(self.module):
            exact = copied_network(self.module, double=True)
        made = TorchPredictor(
            exact,
            tasks=self._given_tasks,
            scale=self._given_scale,
            device="cpu" if self.device.type == "mps" else self.device,
            batch_size=self.batch_size,
            layout=self.layout,
            alphabet=self.alphabet,
            heads=self.heads,
            reduce=self.reduce,
            rc_average=self.rc_average,
            track=self.track,
            opposite=self.opposite,
            length=self.length,
            dtype=torch.float64,
        )
        made._met = True  # this predictor's output was looked at
        if self.batch_size == "auto":  # activations are twice as large
            made.fix_batches(
                {length: max(1, size // 2) for length, size in self.batches().items()}
            )
        return made

    def _trace(self, n_rows: int, length: int) -> None:
        with self._ready():
            self._forward(
                torch.zeros((n_rows, length), dtype=torch.uint8, device=self.device)
            )

    def _answers(self, tokens: Tokens) -> Iterator[tuple[int, object]]:
        return self._in_batches(
            len(tokens),
            tokens.shape[1],
            lambda start, stop: self._ferry.send(tokens[start:stop]),
        )

    def answer_batches(
        self, n_rows: int, length: int, place: Callable[[int, int], torch.Tensor]
    ) -> NDArray[Any]:
        """Return answers (n_rows, tasks), as `predict`; ``place(start, stop)`` puts
        rows on the device as tokens.
        """
        answers = self._collected(self._in_batches(n_rows, length, place))
        if self._on_track is not None:
            self._on_track.check_length(length)
        return answers

    def _in_batches(
        self, n_rows: int, length: int, place: Callable[[int, int], torch.Tensor]
    ) -> Iterator[tuple[int, object]]:
        """Queue each batch before the previous one is read back, so that an accelerator
        is never idle.
        """
        if not self._met:
            first = self._first_answer(length, partial(place, 0, 1))
            if n_rows == 1:
                yield 1, first
                return
        start = 0
        waiting: PendingCopy | None = None
        while start < n_rows:
            stop = min(n_rows, start + self.resolve_batch_size(length))
            answer = self._attempt(partial(place, start, stop))
            if answer is None:
                self._batches.halve(length, stop - start)
                continue
            if waiting is not None:
                yield len(waiting), self._to_host(waiting)
            waiting, start = answer, stop
        if waiting is not None:
            yield len(waiting), self._to_host(waiting)

    def _first_answer(self, length: int, place: Callable[[], torch.Tensor]) -> object:
        """Return the answer to one sequence, (1, tasks), checked before any other one
        goes through the network.
        """
        try:
            with self._ready():
                ask = partial(self._both_strands, place())
                columns = ask() if self._half_accepted else in_full_precision(ask)
                answer = self._to_host(self._ferry.fetch(columns))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._batches.halve(length, 1)
        self._collected(iter([(1, answer)]))
        self._met = True
        return answer

    def _attempt(self, place: Callable[[], torch.Tensor]) -> PendingCopy | None:
        """Return the answers (n, tasks), possibly pending; None when memory runs
        out.
        """
        try:
            with self._ready():
                return self._ferry.fetch(self._both_strands(place()))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _both_strands(self, tokens: torch.Tensor) -> torch.Tensor:
        if not self.rc_average:
            return self.answers_of(self._columns(tokens))
        forward = self.answers_of(self._columns(tokens))
        return (
            forward / 2
            + self.answers_of(self._columns((3 - tokens).flip(1)), reverse=True) / 2
        )

    def answers_of(self, table: torch.Tensor, *, reverse: bool = False) -> torch.Tensor:
        """Return answers of the columns of an output: of a track turned around, if
        `reverse`, or read by windows.
        """
        if self._on_track is None:
            return self._exchanged(table) if reverse else table
        made: torch.Tensor = self._on_track.answers(table, reverse=reverse)
        return made

    def _columns(self, tokens: torch.Tensor) -> torch.Tensor:
        table, names = self._read(self._forward(tokens), len(tokens))
        self._tasks = self._tasks or names
        return table

    @property
    def channel_order(self) -> tuple[int, int, int, int]:
        """The letter, 0 1 2 3 = A C G T, of each one-hot row of the network."""
        return self._order

    def read_out(
        self, output: object, n_rows: int, *, reverse: bool = False
    ) -> torch.Tensor:
        """Return an output of the network, to reverse complements if `reverse`, as
        answers (n_rows, tasks), on the device; PredictorError if it is none.
        """
        return self.answers_of(self._read(output, n_rows)[0], reverse=reverse)

    def _read(
        self, output: object, n_rows: int
    ) -> tuple[torch.Tensor, tuple[str, ...]]:
        if self._on_track is None:
            return read_columns(
                output,
                n_rows,
                tasks=self._tasks,
                heads=self.heads,
                reduce=self._function,
            )
        table = self._on_track.table(reduced_output(output, self._function), n_rows)
        return table, self._on_track.names or ()

    def _forward(self, tokens: torch.Tensor) -> Any:
        x = self._one_hot(tokens)
        if getattr(self.module, "training", False):  # set by its own last forward pass
            to_eval_mode(self.module)
        try:
            output = self.module(x)
        except CausalgiaError:
            raise
        except (Exception, SystemExit) as error:
            if is_out_of_memory(error):
                raise
            raise PredictorError(
                f"the network refused an input of shape {tuple(x.shape)} ({self.layout}, "
                f"{x.dtype}): {first_line(error)}"
            ) from error
        if (
            not self._met
            and self._function is not None
            and isinstance(output, torch.Tensor)
        ):
            check_not_constant(
                self._function, output, lambda other: torch.from_numpy(other).to(output)
            )
        return output

    def _one_hot(self, tokens: torch.Tensor) -> torch.Tensor:
        order = torch.tensor(self._order, dtype=torch.uint8, device=tokens.device)
        if self.layout == "NCL":
            return (tokens.unsqueeze(1) == order.unsqueeze(1)).to(self.dtype)
        return (tokens.unsqueeze(2) == order).to(self.dtype)

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Set eval mode, inference mode and exact float32, for one thread at a time."""
        exact, whole = (
            exact_float32(self.device, tf32=self.tf32),
            without_autocast(self.device),
        )
        with in_eval_mode(self.module), torch.inference_mode(), exact, whole:
            if (
                next((t.device for t in self.module.parameters()), self.device)
                != self.device
            ):
                move_to(self.module, self.device)
            yield

    def _to_host(self, answer: PendingCopy) -> object:
        host = answer.arrived()
        self._half = self._half or host.dtype.itemsize == 2
        if host.dtype is torch.bfloat16:
            self._rounded_to = "bfloat16"
        return (host.float() if host.dtype is torch.bfloat16 else host).numpy()

    def _what(self) -> str:
        return type(self.module).__name__


def _check_module(module: object) -> None:
    if not isinstance(module, torch.nn.Module):
        raise PredictorError(
            f"TorchPredictor takes a torch.nn.Module, not {type_in_words(module)}"
        )
    try:
        list(module.modules())
    except Exception as error:  # a set of them is made, which calls what classes define
        raise PredictorError(
            f"the layers of {type(module).__name__} cannot be listed: "
            f"{first_line(error)}"
        ) from error


class DeviceEdits:
    """A session that holds the backgrounds on the device and writes the arms into them
    there.

    Every batch is assembled on the device from the backgrounds and the edited columns,
    and goes through the whole network: the answers are those of `predict` with the same
    batches, bit for bit.
    """

    def __init__(self, predictor: TorchPredictor, base: Tokens) -> None:
        self._predictor = predictor
        self._base = as_token_rows(base)
        self._ferry = HostDeviceCopier(predictor.device)
        self._held = self._ferry.send(self._base)

    def answers(self, edited: Tokens, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Answer for edited tokens (m, length), row i made from background ``rows[i]``:
        (m, tasks).
        """
        tokens = as_token_rows(edited)
        base = self._base
        if tokens.shape[1] != base.shape[1] or np.shape(rows) != (len(tokens),):
            raise PredictorError(
                f"edited tokens {tokens.shape} and the backgrounds "
                f"{np.shape(rows)} they came from do not fit backgrounds "
                f"{base.shape}"
            )
        if np.min(rows) < 0 or np.max(rows) >= len(base):
            raise PredictorError(
                f"there are {len(base)} backgrounds; rows go from {np.min(rows)} to "
                f"{np.max(rows)}"
            )

        def place(start: int, stop: int) -> torch.Tensor:
            some, own = tokens[start:stop], rows[start:stop]
            window = changed_window(some, base[own])
            whole = self._held[self._ferry.send(np.asarray(own, np.int64))]
            if window.start < window.stop:
                whole[:, window] = self._ferry.send(some[:, window])
            return whole

        return self._predictor.answer_batches(len(tokens), tokens.shape[1], place)


def changed_window(edited: Tokens, base: Tokens) -> slice:
    """Return the columns from the first to the last in which any row differs from its
    background.

    Examples
    --------
    >>> base = np.zeros((2, 6), np.uint8)
    >>> changed_window(
    ...     np.array([[0, 0, 1, 0, 0, 0], [0, 0, 0, 2, 0, 0]], np.uint8), base
    ... )
    slice(2, 4, None)
    """
    columns = np.flatnonzero((edited != base).any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1) if columns.size else slice(0, 0)
