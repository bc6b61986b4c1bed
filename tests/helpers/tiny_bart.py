"""An encoder-decoder small enough for tests, drawn at random."""

from __future__ import annotations

from pathlib import Path

import torch

from helpers.tiny_bert import WORDS

SAID = ("feels", "is", "may", "feel", "neutral", "joy", "anger", "calm", "glad", "because", ":", "*", ",")


def save_tiny_bart(folder: Path, positions: int, dropout: float = 0.0) -> None:
    """A BART of two layers on either side and width 16 that knows `WORDS` and `SAID`."""
    from transformers import BartConfig, BartModel, BertTokenizer

    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    vocabulary = {word: index for index, word in enumerate((*special, *WORDS, *SAID))}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=positions,
        init_std=0.5,
        dropout=dropout,
        attention_dropout=dropout,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=3,
        forced_eos_token_id=3,
    )
    BartModel(config).save_pretrained(folder)
