"""SDT's public code as a side of `training.py`, read from a folder that the user gives; nothing of it lies here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import torch
from plain_sdt import PaddedBatch, PlainBackbone
from torch import Tensor, nn


class PublicSDT(nn.Module):
    """The public model with a plain backbone's weights; trained on its own losses, all its loss weights 1.

    Its encoders are named source_target by first letters, its inputs are turn-first, and it moves tensors to a GPU by
    `.cuda()`, which is made to do nothing here.
    """

    def __init__(self, folder: Path, plain: PlainBackbone, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.code = _load(folder / "model.py")
        torch.Tensor.cuda = lambda tensor, *arguments, **options: tensor
        speakers = plain.speaker.num_embeddings - 1
        if speakers not in (2, 9):
            raise SystemExit(f"{folder}: SDT's code knows 2 or 9 speakers, this corpus has {speakers}")
        encoder = plain.encoders[0]
        self.model = self.code.Transformer_Based_Model(
            dataset="MELD" if isinstance(encoder.gate, nn.Identity) else "IEMOCAP",
            temp=1,
            **{f"D_{name}": plain.project[name].in_features for name in plain.names},
            n_head=encoder.heads,
            n_classes=n_classes,
            hidden_dim=plain.speaker.embedding_dim,
            n_speakers=speakers,
            dropout=dropout,
        )
        self.null = speakers
        self._copy_weights(plain)
        self.negative_log_likelihood, self.divergence = self.code.MaskedNLLLoss(), self.code.MaskedKLDivLoss()

    @torch.no_grad()
    def _copy_weights(self, plain: PlainBackbone) -> None:
        model, initials = self.model, [name[0] for name in plain.names]
        model.speaker_embeddings.weight.copy_(plain.speaker.weight)
        inputs = {"text": model.textf_input, "audio": model.acouf_input, "visual": model.visuf_input}
        for name, convolution in inputs.items():
            convolution.weight.copy_(plain.project[name].weight.unsqueeze(2))
        for p, theirs in enumerate(plain.encoders):
            target, source = divmod(p, len(initials))
            pair = f"{initials[source]}_{initials[target]}"
            layer = getattr(model, pair).transformer_inter[0]
            attention, forward = layer.self_attn, layer.feed_forward
            for own, other in (
                (attention.linear_q, theirs.query),
                (attention.linear_k, theirs.key),
                (attention.linear_v, theirs.value),
                (attention.linear, theirs.out),
                (forward.w_1, theirs.inner),
                (forward.w_2, theirs.outer),
                (forward.layer_norm, theirs.norm),
            ):
                own.load_state_dict(other.state_dict())
            if not isinstance(theirs.gate, nn.Identity):
                getattr(model, f"{pair}_gate").fc.load_state_dict(theirs.gate.state_dict())
        model.last_gate.fc.load_state_dict(plain.multimodal_gate.state_dict())
        size = plain.speaker.embedding_dim
        for target, reduce in enumerate(plain.reduce):
            layer = getattr(model, f"features_reduce_{initials[target]}")
            # Their concatenation has the target's own stream first, then the others in the order text, audio, visual.
            order = [target, *(source for source in range(len(initials)) if source != target)]
            layer.weight.copy_(torch.cat([reduce.weight[:, s * size : (s + 1) * size] for s in order], dim=1))
            layer.bias.copy_(reduce.bias)

    def forward(self, batch: PaddedBatch) -> tuple[Tensor, ...]:
        inputs = {name: values.transpose(0, 1) for name, values in batch.features.items()}
        speakers = nn.functional.one_hot(batch.speaker, self.null + 1)[..., : self.null]
        return self.model(
            inputs["text"], inputs["visual"], inputs["audio"], batch.real.float(), speakers, batch.real.sum(1).tolist()
        )

    def loss(self, outputs: tuple[Tensor, ...], batch: PaddedBatch) -> Tensor:
        rows = [values.flatten(0, 1) for values in outputs]
        label, real = batch.label.clamp(min=0), batch.real.float()
        likelihood = sum(self.negative_log_likelihood(log_prob, label, real) for log_prob in rows[:4])
        return likelihood + sum(self.divergence(log_prob, rows[8], real) for log_prob in rows[5:8])

    def fused(self, batch: PaddedBatch) -> Tensor:
        """The representation before its classifier, [B * S, D]."""
        kept: list[Tensor] = []
        hook = self.model.last_gate.register_forward_hook(lambda module, inputs, output: kept.append(output))
        self(batch)
        hook.remove()
        return kept[0].flatten(0, 1)


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; --reference takes the folder of SDT's public code")
    spec = importlib.util.spec_from_file_location("public_sdt_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
