"""Settings of the tuning of a text encoder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from fmerl.config.parts import DEFAULT_TEXT_ENCODER
from fmerl.config.section import Section, check_positive

InputChoice = Literal["utterance", "name", "past", "both", "mask"]


@dataclass(frozen=True, kw_only=True)
class TuningConfig(Section):
    """Everything that decides a tuned encoder but its data and its seed.

    >>> TuningConfig(input="both").flatten()["tuning.input"]
    'both'

    Raises:
        ValueError: A value of another type or out of its range.
    """

    encoder: str = DEFAULT_TEXT_ENCODER
    """Hugging Face id, local folder, or `package:MODULE`."""
    input: InputChoice = "utterance"
    """What is read of an utterance (`fmerl.finetuning.inputs`)."""
    context_turns: int = 100
    """Most turns read on either side; what fits into `max_length` decides first."""
    max_length: int = 256
    """Tokens of an input."""
    pooling: Literal["cls", "mean"] = "cls"
    """State that stands for the utterance: the first token's, or the mean over its own tokens; of `mask` the mask's."""
    epochs: int = 5
    batch_size: int = 32
    """Utterances of an update, over all workers."""
    learning_rate: float = 1e-5
    """Peak rate of the encoder's top layer."""
    head_rate: float = 1e-4
    """Peak rate of the classifier."""
    layer_decay: float = 1.0
    """Factor on the rate from each layer to the one below it; 1 gives all layers one rate."""
    weight_decay: float = 0.01
    """AdamW's decay; biases and normalisation weights have none."""
    warmup: float = 0.1
    """Share of the updates in which the rate rises; then it falls to 0, both linearly."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    dropout: float = 0.1
    """Dropout of the classifier; the encoder keeps its own."""
    pass_tokens: int = 4096
    """Most tokens of a forward pass: a larger batch goes through in several, with the gradient of one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16`: matrix products under autocast; weights and optimiser stay float32."""
    workers: int = 1
    """Processes that tune one encoder together (DDP), each on its share of every batch."""
    threads: int = 1
    """CPU threads of each process."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "head_rate", "clip", "layer_decay"):
            check_positive(name, getattr(self, name))
        for name in ("epochs", "batch_size", "max_length", "pass_tokens", "workers", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.context_turns < 0 or self.weight_decay < 0:
            raise ValueError("context_turns and weight_decay must not be negative")
        if self.layer_decay > 1 or not 0 <= self.warmup < 1 or not 0 <= self.dropout < 1:
            raise ValueError("layer_decay must be at most 1, warmup and dropout in [0, 1)")

    def flatten(self) -> dict[str, Any]:
        """Values by dotted field path: MLflow's params."""
        return {f"tuning.{name}": value for name, value in asdict(self).items()}
