"""What a run will take, as data: told before it, and set beside what it took after it."""

from __future__ import annotations

from typing import Literal

from instructglm.core.records import Record


class MemoryEstimate(Record):
    """Bytes on the device, at the largest of a run. None: not known, and `missing` says why.

    Of several processes, those of one. What a process holds before it loads a
    model (the interpreter, libraries, the accelerator's context) and what is
    lost between allocations are not in it.
    """

    weights: int
    """All of them, in the dtypes in which they are trained: float32 for those that move."""
    gradients: int
    """With DDP twice: as they are, and as they are sent."""
    optimizer: int
    activations: int | None
    """What the layers keep for the way back; with gradient checkpointing, only what goes into each of them."""
    logits: int | None
    """What the head and the loss hold at once beside them."""
    backward: int | None
    """What going backward takes beyond that: layers that are computed again, and gradients on their way."""
    step: int | None
    """All these parts together."""
    validation: int | None
    """Weights, optimizer state, and the largest pass of a validation check, of which nothing is kept."""
    loading: int
    """Bytes at once while the model is loaded, in a dtype that may be larger than the one its weights get."""
    total: int | None
    """The largest of the three: what the device has to have."""


class Workload(Record):
    """What there is to read. A sequence is a prompt with one of its outputs."""

    num_prompts: int
    num_sequences: int
    num_input_tokens_per_epoch: int
    """Padding not counted; where rows are packed, a prompt is counted once."""
    num_trained_tokens_per_epoch: int
    num_steps_per_epoch: int
    """Of the first; where steps are filled with tokens, epochs may differ by a step or so."""
    num_steps: int
    """Optimizer steps of a run that does not stop early."""
    num_input_tokens: int
    num_trained_tokens: int


class Estimate(Record):
    """A run from its experiment file alone; no weight was read."""

    method: str
    dtype: str
    num_trainable_parameters: int
    num_parameters: int
    packed: bool
    """Whether rows are packed; a trial on the weights, when the run starts, has the last word."""
    num_rows: int
    """Of the largest forward pass ..."""
    num_row_tokens: int
    """... and how long they are, padding included."""
    memory: MemoryEstimate
    device: str
    device_memory: int
    """Bytes of the device; of a CPU, the machine's or the container's."""
    device_memory_available: int
    """Bytes that nobody had taken when this was made. Of a CPU, both are what is each process's share."""
    strategy: Literal["ddp", "fsdp"] | None = None
    """How several processes train together; None where there is one."""
    num_processes: int = 1
    workload: Workload | None
    missing: dict[str, str]
    """What could not be told, and why."""


class Probe(Record):
    """What real optimizer steps took, on weights that were thrown away. A first step is not in the times."""

    setting: Literal["micro_batch_size", "tokens_per_micro_batch"]
    """What limits a forward pass: sequences, or tokens where they are not limited."""
    value: int
    """Of it with which was measured: the one of the settings, or the largest that fits where that is smaller."""
    num_timed_steps: int
    input_tokens_per_s: float
    peak_memory: int
    """Bytes at once in the largest pass, beyond what the process held before the model was loaded."""
    memory_measure: Literal["allocated", "resident"]
    """What torch had allocated on an accelerator; of a CPU, the resident set of the process, sampled."""
    largest: int
    """Value that fits; more than `whole_step` would change nothing."""
    whole_step: int
    """Value with which the largest step is one pass."""
    training_s: float
    """Of the whole run, without early stopping."""
    validation_s: float
    """Of all its validation checks."""

    @property
    def seconds(self) -> float:
        return self.training_s + self.validation_s

    def cost(self, price_per_hour: float) -> float:
        """In the currency of the price."""
        return self.seconds / 3600 * price_per_hour
