"""A text encoder small enough for tests, drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

WORDS = ("what", "a", "day", "leave", "me", "alone", "oh", "my", "god", "!")


def save_tiny_bert(folder: Path, positions: int, dropout: float = 0.1, roberta: bool = False) -> None:
    """A BERT, or RoBERTa, of two layers and width 16 that knows `WORDS`."""
    from transformers import BertConfig, BertModel, BertTokenizer, RobertaConfig, RobertaModel

    vocabulary = {word: index for index, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS))}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": len(vocabulary),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": positions,
        "initializer_range": 0.5,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "pad_token_id": 0,
    }
    model = RobertaModel(RobertaConfig(**sizes)) if roberta else BertModel(BertConfig(**sizes))
    model.save_pretrained(folder)
