# What all rules share. Reads the configuration -> writes results/state/config/<hash>.yaml, the
# merged configuration that the commands are given; its name changes with its content, so a dry run
# of other settings never touches what a running job reads.
import os
import sys
from pathlib import Path

import yaml

from tpld.data.splits import SPLITS
from tpld.data.sources import (
    city_root,
    domain_of,
    folder_data,
    has_split,
    has_truth,
    list_items,
)
from tpld.methods import parse_method, portion_of
from tpld.provenance import code_hash, digest
from tpld.settings import settings_of
from tpld.errors import TpldError
from tpld.stores.atomic import replacing


def write_merged_config():
    text = yaml.safe_dump(cfg.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path = Path(cfg.results, "state", "config", f"{digest(text)}.yaml")
    if not path.exists():
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return path.as_posix()


# The commands of the environment that runs Snakemake, activated or not.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])

CONFIG = write_merged_config()
THREADS = cfg.compute.threads or len(os.sched_getaffinity(0))


def settings(stage):
    """The configuration keys that a stage uses: only these make it rerun."""
    return lambda wildcards: settings_of(cfg, stage, getattr(wildcards, "method", None))


def code(*stages):
    """Hash of the package code behind a stage: an edited voting.py reruns labelling."""
    return [code_hash(f"tpld.stages.{stage}") for stage in stages]


def is_tpld(wildcards):
    return parse_method(wildcards.method).tpld


wildcard_constraints:
    seed=r"\d+",
    method="|".join(m.replace("+", r"\+") for m in cfg.methods),
    round=r"(phase2_)?round\d+",
    split="source_train|source_val|target_train|target_val",
