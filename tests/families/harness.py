"""The parity harness: what every family is held to, written once.

A `Case` names a family and a tiny configuration of its original. `publish` saves a randomly
initialised original with a tokenizer, as anyone publishes a model; `open_folder` opens it here with
its classification head. Every parameter is random, norms and biases too, so that no difference
hides behind a zero or a one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn

import manyheads as mh
from manyheads.core import attend, sparse
from manyheads.core.attention import Attend
from manyheads.core.dense import Scoring
from manyheads.core.head import SequenceHead
from manyheads.core.layout import Layout
from manyheads.core.mask import Blocks, GlobalWindow, Window
from manyheads.core.swap import swap
from manyheads.families import (
    BERT,
    BIG_BIRD,
    DISTILBERT,
    ELECTRA,
    LONGFORMER,
    MODERNBERT,
    ROBERTA,
    VIT,
    XLM_ROBERTA,
    Config,
    Family,
)
from manyheads.hub import Pretrained, load_model
from manyheads.hub.load import fill
from manyheads.predict import Tagger

from .batches import FIRST_WORD, VOCABULARY, Apart, Batch, Images

CLASSES = 3


@dataclass(frozen=True)
class Case:
    """A family, its original's classes and configuration, and lengths that exercise it."""

    family: Family
    config: type[transformers.PreTrainedConfig]
    settings: Config
    dropouts: tuple[str, ...]
    base: type[transformers.PreTrainedModel]
    classifier: type[transformers.PreTrainedModel]
    masked: type[transformers.PreTrainedModel]
    tagger: type[transformers.PreTrainedModel] | None
    lengths: tuple[int, ...] = (5, 1, 9, 9, 3)
    batch: type[Batch | Images] = Batch
    auto: type[Any] = transformers.AutoModelForSequenceClassification

    def draw(
        self, config: transformers.PreTrainedConfig, lengths: tuple[int, ...] | None = None
    ) -> Batch | Images:
        """Random inputs, of these lengths or of those that exercise the family."""
        return self.batch.random(config, lengths or self.lengths)

    def configure(self, dropout: float = 0.0) -> transformers.PreTrainedConfig:
        """The original's configuration, all its dropouts set to one rate."""
        rates = dict.fromkeys(self.dropouts, dropout)
        return self.config(**self.settings, **rates, num_labels=CLASSES)


_BERT_LIKE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
_BERT_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
_MODERNBERT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 200,
    "local_attention": 8,
    "global_attn_every_n_layers": 2,
    **{f"{name}_token_id": i for i, name in enumerate(("pad", "bos", "eos", "cls", "sep"))},
}

CASES = {
    "bert": Case(
        BERT,
        transformers.BertConfig,
        _BERT_LIKE,
        _BERT_DROPOUTS,
        transformers.BertModel,
        transformers.BertForSequenceClassification,
        transformers.BertForMaskedLM,
        transformers.BertForTokenClassification,
    ),
    "roberta": Case(
        ROBERTA,
        transformers.RobertaConfig,
        _BERT_LIKE | {"type_vocab_size": 1, "layer_norm_eps": 1e-5},
        _BERT_DROPOUTS,
        transformers.RobertaModel,
        transformers.RobertaForSequenceClassification,
        transformers.RobertaForMaskedLM,
        transformers.RobertaForTokenClassification,
    ),
    "xlm-roberta": Case(
        XLM_ROBERTA,
        transformers.XLMRobertaConfig,
        _BERT_LIKE | {"hidden_act": "gelu_new"},
        _BERT_DROPOUTS,
        transformers.XLMRobertaModel,
        transformers.XLMRobertaForSequenceClassification,
        transformers.XLMRobertaForMaskedLM,
        transformers.XLMRobertaForTokenClassification,
    ),
    "distilbert": Case(
        DISTILBERT,
        transformers.DistilBertConfig,
        {
            "vocab_size": VOCABULARY,
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 48,
            "max_position_embeddings": 40,
        },
        ("dropout", "attention_dropout", "seq_classif_dropout"),
        transformers.DistilBertModel,
        transformers.DistilBertForSequenceClassification,
        transformers.DistilBertForMaskedLM,
        transformers.DistilBertForTokenClassification,
    ),
    "electra": Case(
        ELECTRA,
        transformers.ElectraConfig,
        _BERT_LIKE | {"embedding_size": 20},
        _BERT_DROPOUTS,
        transformers.ElectraModel,
        transformers.ElectraForSequenceClassification,
        transformers.ElectraForMaskedLM,
        transformers.ElectraForTokenClassification,
    ),
    # Sequences beyond the window, and two beyond the blocks in which a window is computed.
    "modernbert": Case(
        MODERNBERT,
        transformers.ModernBertConfig,
        _MODERNBERT,
        ("embedding_dropout", "mlp_dropout", "attention_dropout", "classifier_dropout"),
        transformers.ModernBertModel,
        transformers.ModernBertForSequenceClassification,
        transformers.ModernBertForMaskedLM,
        transformers.ModernBertForTokenClassification,
        lengths=(5, 140, 1, 30, 30, 150),
    ),
    "modernbert-mean": Case(
        MODERNBERT,
        transformers.ModernBertConfig,
        _MODERNBERT
        | {
            "classifier_pooling": "mean",
            "classifier_bias": True,
            "classifier_activation": "silu",
            "norm_bias": True,
            "attention_bias": True,
            "mlp_bias": True,
            "global_attn_every_n_layers": 3,
        },
        ("embedding_dropout", "mlp_dropout", "attention_dropout", "classifier_dropout"),
        transformers.ModernBertModel,
        transformers.ModernBertForSequenceClassification,
        transformers.ModernBertForMaskedLM,
        transformers.ModernBertForTokenClassification,
        lengths=(12, 3, 70),
    ),
    # Windows narrower than the sequences, and sequences that end inside a block of queries.
    "longformer": Case(
        LONGFORMER,
        transformers.LongformerConfig,
        _BERT_LIKE | {"max_position_embeddings": 300, "attention_window": [8, 4]},
        ("hidden_dropout_prob", "attention_probs_dropout_prob"),
        transformers.LongformerModel,
        transformers.LongformerForSequenceClassification,
        transformers.LongformerForMaskedLM,
        transformers.LongformerForTokenClassification,
        lengths=(5, 1, 140, 9, 9, 270),
    ),
    # Texts within the reach of full attention, beyond it, and of whole blocks.
    "bigbird": Case(
        BIG_BIRD,
        transformers.BigBirdConfig,
        _BERT_LIKE
        | {
            "max_position_embeddings": 100,
            "block_size": 4,
            "num_random_blocks": 2,
            "rescale_embeddings": True,
            "use_bias": False,
        },
        _BERT_DROPOUTS,
        transformers.BigBirdModel,
        transformers.BigBirdForSequenceClassification,
        transformers.BigBirdForMaskedLM,
        transformers.BigBirdForTokenClassification,
        lengths=(5, 37, 1, 36, 80, 80, 99),
        batch=Apart,
    ),
    # Neither images nor patches are square.
    "vit": Case(
        VIT,
        transformers.ViTConfig,
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 48,
            "image_size": [10, 12],
            "patch_size": [2, 4],
            "qkv_bias": False,
        },
        ("hidden_dropout_prob", "attention_probs_dropout_prob"),
        transformers.ViTModel,
        transformers.ViTForImageClassification,
        transformers.ViTForMaskedImageModeling,
        None,
        batch=Images,
        auto=transformers.AutoModelForImageClassification,
    ),
}

# `transformers` gives the layers of ViT other names in memory than on disk.
_ON_DISK = {
    "vit.layers.": "vit.encoder.layer.",
    "attention.q_proj.": "attention.attention.query.",
    "attention.k_proj.": "attention.attention.key.",
    "attention.v_proj.": "attention.attention.value.",
    "attention.o_proj.": "attention.output.dense.",
    "mlp.fc1.": "intermediate.dense.",
    "mlp.fc2.": "output.dense.",
}


def published_name(name: str) -> str:
    """The name on disk of a parameter of an original."""
    for in_memory, on_disk in _ON_DISK.items():
        name = name.replace(in_memory, on_disk)
    return name


def by_blocks(
    q_THK: Tensor,
    k_TGK: Tensor,
    v_TGK: Tensor,
    queries: Layout,
    keys: Layout,
    scoring: Scoring,
) -> Tensor:
    """Blocks of queries wherever a window allows them, however short the sequence."""
    if queries is not keys or not isinstance(scoring.reach, Window | GlobalWindow):
        return attend.by_runs(q_THK, k_TGK, v_TGK, queries, keys, scoring)
    context = []
    for run in queries.runs:
        q, k, v = (run.view(tensor) for tensor in (q_THK, k_TGK, v_TGK))
        plan = sparse.plan(scoring.reach, run.length, q)
        context.append(sparse.by_blocks(q, k, v, plan, scoring).flatten(0, 1))
    return torch.cat(context)


def padded(
    q_THK: Tensor,
    k_TGK: Tensor,
    v_TGK: Tensor,
    queries: Layout,
    keys: Layout,
    scoring: Scoring,
) -> Tensor:
    """A padded grid wherever one mask holds for all sequences."""
    way = attend.by_runs if isinstance(scoring.reach, Blocks) else attend.padded
    return way(q_THK, k_TGK, v_TGK, queries, keys, scoring)


WAYS = {
    "attend": attend.attend,
    "reference": attend.reference,
    "by_runs": attend.by_runs,
    "padded": padded,
    "by_blocks": by_blocks,
}
Way = Callable[..., Tensor]


class AttendBy(Attend):
    """Attention that always goes one way."""

    def __init__(self, usual: Attend, way: Way) -> None:
        nn.Module.__init__(self)
        self.reach, self.scale, self.dropout = usual.reach, usual.scale, usual.dropout
        self.way = way
        self.train(usual.training)

    def forward(
        self,
        q_THK: Tensor,
        k_SGK: Tensor,
        v_SGK: Tensor,
        queries: Layout,
        keys: Layout,
        bias_HLL: Tensor | None,
    ) -> Tensor:
        return self.way(q_THK, k_SGK, v_SGK, queries, keys, self.scoring(bias_HLL))


def force(model: nn.Module, way: Way) -> None:
    """Let every attention of the model go one way."""
    paths = swap(model, lambda _, m: AttendBy(m, way) if isinstance(m, Attend) else None)
    assert paths


def perturb(model: nn.Module) -> None:
    """Add noise to every parameter."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """A tokenizer of VOCABULARY words, so that a folder is complete."""
    specials = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    tokens = {f"[{name.upper()}]": i for name, i in specials.items()}
    words = tokens | {f"w{i}": i for i in range(FIRST_WORD, VOCABULARY)}
    inner = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, **{f"{name}_token": f"[{name.upper()}]" for name in specials}
    )


def publish(model: transformers.PreTrainedModel, folder: Path) -> Path:
    """Save the original as a complete Hugging Face folder."""
    model.save_pretrained(folder)
    if model.main_input_name == "pixel_values":
        transformers.ViTImageProcessor(image_mean=[0.1, 0.2, 0.3]).save_pretrained(folder)
    else:
        tokenizer().save_pretrained(folder)
    return folder


def original(
    kind: type[transformers.PreTrainedModel], config: transformers.PreTrainedConfig
) -> transformers.PreTrainedModel:
    """A random original, every parameter perturbed, dropout at rest."""
    config._attn_implementation = "eager"
    model = kind(config)
    perturb(model)
    return model.eval()


class Classifier(nn.Module):
    """A published classifier, opened here: body and head."""

    def __init__(self, pretrained: Pretrained) -> None:
        super().__init__()
        self.family = pretrained.family
        self.transformer = pretrained.transformer
        head = self.family.sequence_head
        weights, rest = head.rules.to_ours(pretrained.head_weights)
        self.unused = {name for name in rest if not name.startswith(head.unread)}
        with torch.device("meta"):
            self.head = SequenceHead(
                self.family.sequence_head.to_spec(pretrained.config), len(weights["out.weight"])
            )
        dtype = next(self.transformer.parameters()).dtype
        fill(self.head, weights, "cpu", dtype, source="the head")
        self.eval()

    def forward(self, batch: Batch | Images) -> Tensor:
        """Logits (B, C)."""
        return self.head(batch.pooled(self.transformer, self.head.spec.pooling))

    def published(self, read: Callable[[nn.Parameter], Tensor]) -> dict[str, Tensor]:
        """What `read` says of each parameter, by the original's names."""
        body = {name: read(p) for name, p in self.transformer.named_parameters()}
        head = {name: read(p) for name, p in self.head.named_parameters()}
        return self.family.rules.to_theirs(body) | self.family.sequence_head.rules.to_theirs(head)


def open_tagger(folder: Path) -> Tagger:
    """Open a published head for words here."""
    tagger = mh.load(folder)
    assert isinstance(tagger, Tagger)
    return tagger


def open_folder(folder: Path, dtype: torch.dtype = torch.float32) -> Classifier:
    """Open a published classifier here."""
    return Classifier(load_model(folder, dtype=dtype))
