"""Which configuration keys each stage depends on: for rerun triggers, resume points and records.

One table serves all three, so that a changed key reruns exactly the stages whose result it can
change, and no stage resumes from a state made with other settings.
"""

from __future__ import annotations

from typing import Any, Literal

from tpld.config import Config
from tpld.dag.rows import loss_of, options_of
from tpld.methods import parse_method

Stage = Literal[
    "train_source", "dump", "thresholds", "label", "train_round",
    "score", "split", "label_easy", "train_phase2", "train_adversarial", "evaluate", "compare",
    "table", "study", "label_study", "split_study",
]  # fmt: skip

_NETWORK = ("model.name", "model.output_stride", "model.aspp_dilations")
_UPDATE = ("head_factor", "momentum", "weight_decay", "batch_norm")
_CROPS = ("crop", "scale", "jitter")
_BOOTSTRAP = ("beta", "bootstrap_target", "stop_gradient")


def _in(section: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for name in names)


_KEYS: dict[str, tuple[str, ...]] = {
    "train_source": ("model", "source_training"),
    "dump": (*_NETWORK, "dump"),
    "thresholds": _in("thresholds", "factor", "every", "mined_share"),
    "label": ("voting", "options"),
    "train_round": (
        *_NETWORK,
        "options",
        *_in("loss", "mrkld_weight", "on_unlabelled", *_BOOTSTRAP),
        *_in("self_training", *_UPDATE, *_CROPS, "epochs", "batch_size", "learning_rate"),
        *_in("self_training", "source_share", "source_share_step", "max_source_share"),
        *_in("self_training", "mining_probability"),
    ),
    "score": _in("phase2", "divide_by", "weight_by_threshold"),
    "split": _in("phase2", "easy_portion", "easy_step"),
    "label_easy": _in("phase2", "gamma", "full_label"),
    "train_phase2": (
        *_NETWORK,
        *_in("loss", *_BOOTSTRAP),
        *_in("self_training", *_UPDATE, *_CROPS),
        *_in("phase2", "gamma", "full_label", "hard_label", "source_crops"),
        *_in("phase2", "epochs", "pairs", "learning_rate"),
        *_in("phase2", "adversarial_weight", "discriminator_learning_rate"),
    ),
    "train_adversarial": ("model", "adversarial", "options"),
    "evaluate": (*_NETWORK, *_in("evaluation", "protocols")),
    "compare": ("methods", "seeds", "evaluation.subsets"),
    "study": ("methods", "seeds", "variants", "evaluation.subsets"),
    "label_study": ("methods", "seeds", "variants", "thresholds.every"),
    "split_study": ("methods", "seeds", "variants"),
    "table": ("methods", "model.name", "seeds", "evaluation.subsets"),
}


def settings_of(config: Config, stage: Stage, method: str | None = None) -> dict[str, Any]:
    """Dotted keys and values that the result of a stage depends on.

    With a method (a row of the table): those of its network and of its own options. A base method
    votes in no iteration and bootstraps with nothing, whatever TPLD's keys say; so they do not
    count for it.
    """
    config = config.of(method)
    found = {key: config.get(key) for key in _KEYS[stage] if key != "options"}
    if method is None:
        return found
    row = parse_method(method)
    if "options" in _KEYS[stage]:
        options = options_of(config, row).model_dump(mode="json")
        found |= {f"options.{row.base}.{key}": value for key, value in options.items()}
    if not row.tpld and stage == "label":
        del found["voting"]
    if stage == "train_round":
        if not row.tpld:
            found = {key: v for key, v in found.items() if not key.startswith("loss.")}
        found["loss.mrkld_weight"] = loss_of(config, row).mrkld_weight
    if stage == "train_adversarial" and config.adversarial.start == "source":
        del found["model"]  # its weights come with the source model, an input
        found |= {key: config.get(key) for key in _NETWORK}
    return found
