# What all rules share. Reads the configuration -> writes results/state/config/<hash>.yaml, the
# merged configuration that the commands are given; its name changes with its content, so a dry run
# of other settings never touches what a running job reads.
import os
import re
import sys
import time
from functools import cache
from pathlib import Path

import yaml

import tpld.report

from tpld.data.extent import Extent, extent_of
from tpld.data.splits import SPLITS
from tpld.data.sources import (
    benchmark_of,
    city_root,
    class_table,
    folders_of,
    has_split,
    has_truth,
    list_files,
)
from tpld.evaluation.paper import PAPER_CSV, our_names, rows_of
from tpld.dag.rows import phase2_rounds, portion_of
from tpld.methods import parse_method, recipe_class
from tpld.stores.provenance import code_hash, digest, fingerprint
from tpld.dag.resources import crops_of, gpu_here, merging, need
from tpld.dag.settings import settings_of
from tpld.errors import TpldError
from tpld.compute.lifetime import this_process
from tpld.stores.atomic import replacing


def write_merged_config():
    text = yaml.safe_dump(
        cfg.model_dump(mode="json"), sort_keys=False, allow_unicode=True
    )
    path = Path(cfg.results, "state", "config", f"{digest(text)}.yaml")
    if not path.exists():
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return path.as_posix()


# The commands find their configuration here (as `tpld --config` would give it), and themselves
# in the environment that runs Snakemake, activated or not.
os.environ.update(
    TPLD_STARTED_BY=this_process(),  # a job does not outlive this Snakemake
    TPLD_CONFIG=write_merged_config(),
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),
)
THREADS = cfg.compute.threads or len(os.sched_getaffinity(0))


ROWS = [parse_method(name) for name in cfg.methods]
CLASSES = len(class_table(cfg).names)
# Networks by the folder of their source model, which all rows of a network share.
NETWORKS = {layout.network(row.network): row.network for row in ROWS}


@cache
def row_settings(stage, method, network=None):
    """`settings_of` a row, or of a network; asked for each of its jobs, computed once."""
    of_network = cfg.with_network(network) if network else cfg
    return settings_of(of_network, stage, method)


def settings(stage):
    """The configuration keys that a stage uses: only these make it rerun."""
    return lambda w: row_settings(stage, getattr(w, "method", None))


def settings_of_network(stage):
    """The same for the stages that all rows of a network share."""
    return lambda w: row_settings(stage, None, NETWORKS[w.network])


def code(*stages):
    """Hash of the package code behind a stage: an edited voting.py reruns labelling."""
    return [code_hash(f"tpld.stages.{stage}") for stage in stages]


def code_of_method(stage):
    """The same for stages that ask the method: an edited clan.py reruns CLAN alone."""
    return lambda w: [
        *code(stage),
        code_hash(recipe_class(parse_method(w.method).base).__module__),
    ]


def network_option(wildcards):
    """Commands that are given no row are told its network, where it is not the model's."""
    if hasattr(wildcards, "network"):
        network = NETWORKS[wildcards.network]
    else:
        network = parse_method(wildcards.method).network
    return f"--network {network}" if network else ""


def one_of(names):
    """Regular expression of some names; of none, one that nothing matches."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    seed=r"\d+",
    method=one_of({row: None for name in ROWS for row in (name.name, name.parent)}),
    network=one_of(NETWORKS),
    round=r"(phase2_)?round\d+",
    split="source_train|source_val|target_train|target_val",


@cache
def listed(split):
    """Files of a split; without them the plan is made all the same, and check_data will say why."""
    try:
        return list_files(cfg, split)
    except TpldError as error:
        sys.stderr.write(f"note: planned without its files: {error}\n")
        return None


@cache
def data_fingerprint(split, file):
    """Names, sizes and times of a split's image or label files: a changed one rebuilds its cache."""
    if cfg.data.kind == "city":
        return None
    files = listed(split)
    return digest(files.names, files.states[file]) if files else None


@cache
def extent(*splits):
    """How many images some splits have together, and their size."""
    found = [
        extent_of(cfg, s, None if cfg.data.kind == "city" else listed(s))
        for s in splits
        if has_split(cfg, s)
    ]
    images = sum(e.megapixels for e in found) * 1e6 / (found[0].height * found[0].width)
    return Extent(round(images), found[0].height, found[0].width)


@cache
def row_needs(stage, splits, threads, method, network, parts):
    """`need` of a row, or of a network; asked for each of its jobs, computed once."""
    row = cfg.of(method) if method else cfg.with_network(network)
    read = extent(*splits)
    source, target = extent("source_train"), extent("target_train")
    own = getattr(recipe_class(parse_method(method).base), "steps", 0) if method else 0
    crops = crops_of(row, stage, source, target, own)
    return need(row, stage, read, CLASSES, threads, crops=crops, parts=parts)


def needs(stage, *splits, parts=1):
    """Resources of a stage that reads some splits; twice as much after a failure (retries).

    `gpu` is asked of a cluster. `gpu_slot` keeps jobs from sharing one machine's GPU: there is one
    (profiles/default), and it counts for local jobs alone, and where there is a GPU.
    """

    def of(w, threads):
        if parts == 1 and PARTS > 1 and stage in SHARED:
            return merging(extent(*(splits or ("target_train",))))
        network = NETWORKS[w.network] if hasattr(w, "network") else None
        read = splits or (getattr(w, "split", "target_train"),)
        return row_needs(
            stage, read, threads, getattr(w, "method", None), network, parts
        )

    return {
        "nodes": 1,  # GPUs of one job are asked of one node
        "gpu": lambda w, threads: of(w, threads).gpus,
        "gpu_slot": lambda w, threads: min(1, of(w, threads).gpus) if gpu_here() else 0,
        "mem_mb": lambda w, threads, attempt: attempt * of(w, threads).mem_mb,
        "runtime": lambda w, threads, attempt: attempt * of(w, threads).minutes,
    }


# Stages whose images are shared among several jobs, where the configuration says so (parts.smk).
PARTS = cfg.compute.parts
RUN = os.environ.setdefault(
    "TPLD_RUN", f"{time.time_ns():x}"
)  # the jobs of a run share it
SHARED = ("dump", "thresholds", "label", "label_easy", "score")


def portion(wildcards):
    """Share of each class that a round labels."""
    return portion_of(
        cfg, parse_method(wildcards.method), *parse_round(wildcards.round)
    )


def parts_of(path):
    """Folder in which the parts of a result are found, if there are any."""
    return f"{path}.parts"


def all_parts(wildcards, input):
    """Option of the commands that put parts together."""
    return f"--parts {input.parts}"


def pieces(w):
    """The parts of a result, if it has more than one."""
    count = PARTS if PARTS > 1 else 0
    return [f"{w.folder}/.parts/{w.result}/{i}of{PARTS}" for i in range(count)]


def piece(result, round="{round}", folder=None):
    """Pattern of one of them, of a round or in another folder."""
    folder = folder or layout.round("{method}", "{seed}", round)
    return f"{folder}/.parts/{result}/{{part}}of{{parts}}"


def note(name, folder=None):
    """Pattern of a part's log or benchmark."""
    stem, _, kind = name.partition(".")
    folder = folder or layout.round("{method}", "{seed}", "{round}")
    return f"{folder}/logs/{stem}_{{part}}of{{parts}}.{kind}"


def one_part(wildcards):
    return f"--part {wildcards.part}/{wildcards.parts}"


def second_count(wildcards, input):
    """The thresholds count twice: all parts of the first count tell what the second one counts."""
    return f"{one_part(wildcards)} --counts {input.counts}"


def data_files(split):
    """Files that stand for a split: the city's folder, or the split's list."""
    if cfg.data.kind == "city":
        return [city_root(cfg).as_posix()]
    folders = folders_of(cfg, split)
    found = folders is not None and folders.names is not None
    return [folders.names.as_posix()] if found and folders.names.is_file() else []


def prepare_keys(split):
    """Keys that the decoded arrays depend on: size, and the class table where there are labels."""
    folders, table = folders_of(cfg, split), class_table(cfg, split)
    return [
        cfg.data.kind,
        folders.resize if folders else None,
        cfg.data.cache_gib,
        list(zip(table.ids, table.names)),
        table.ignored_ids,
        table.reader,
    ]


def evaluations(_):
    """Evaluation of each method's last checkpoint, on every labelled validation split."""
    found = []
    for method in cfg.methods:
        on_source = cfg.evaluation.on_source or parse_method(method).kind == "source"
        splits = ["target_val", "source_val"] if on_source else ["target_val"]
        found += [
            layout.evaluation(method, seed, split)
            for seed in cfg.seeds
            for split in splits
            if has_truth(cfg, split)
        ]
    return found


def evaluations_of_table(wildcards):
    """Evaluation of those rows of a table of the paper that `methods` names."""
    names = our_names(cfg.methods, cfg.model.name)
    rows = [row for row in rows_of(wildcards.which, benchmark_of(cfg)) if row in names]
    if not rows:
        raise WorkflowError(
            f"{wildcards.which}: `methods` names no row that the paper has of these data. Use a "
            "preset of its benchmarks, workflow/presets/gta5_cityscapes.yaml or "
            "synthia_cityscapes.yaml"
        )
    return [
        layout.evaluation(names[row], seed, "target_val")
        for row in rows
        for seed in cfg.seeds
    ]


def round_tables(_):
    """Thresholds and label counts of each round, and its evaluation where that is wanted."""
    names = ["thresholds.csv", "labels.csv"]
    if cfg.evaluation.every_round and has_truth(cfg, "target_val"):
        names.append("evaluation.csv")
    return [
        layout.round(method, seed, name, table)
        for method in cfg.methods
        for seed in cfg.seeds
        for name in layout.rounds(method)
        for table in names
    ]


def labelling():
    """Rows that make pseudo labels, each with each seed."""
    rows = [row.name for row in ROWS if row.kind == "self_training"]
    return [(row, seed) for row in rows for seed in cfg.seeds]


def first_labels(_):
    """Counts of the first pseudo labels of every row."""
    if not has_truth(cfg, "target_train") or not labelling():
        raise WorkflowError(
            "label_study: needs a self-training row in `methods`, and ground truth of the target's "
            "training images to judge its labels by (`labels` of the target). Give both"
        )
    return [
        layout.round(row, seed, "round0", "labels.csv") for row, seed in labelling()
    ]


def first_stores(_):
    """The first pseudo labels themselves, and the images that they are shown on."""
    labels = [
        layout.round(row, seed, "round0", "labels.zarr") for row, seed in labelling()
    ]
    return [*labels, layout.data("target_train")]


def first_dumps(_):
    """The dumps that they are made from: those of the source models."""
    return sorted(
        {layout.predictions(row, seed, "round0") for row, seed in labelling()}
    )


def first_splits(_):
    """What the first phase-2 round of every row is split by, and its dump and thresholds."""
    rows = [row.name for row in ROWS if phase2_rounds(cfg, row)]
    if not has_truth(cfg, "target_train") or not rows:
        raise WorkflowError(
            "split_study: needs a row with phase 2 in `methods`, and ground truth of the target's "
            "training images to judge its split by (`labels` of the target). Give both"
        )
    parts = "predictions.zarr", "thresholds.csv", "split.csv"
    return [
        layout.round(row, seed, "phase2_round0", part)
        for row in rows
        for seed in cfg.seeds
        for part in parts
    ]


def final_models(_):
    """Without ground truth there is nothing to evaluate, but still a network to train."""
    return [
        layout.final_model(method, seed) for method in cfg.methods for seed in cfg.seeds
    ]


def report_templates():
    """What the report looks like, beside the code that fills it."""
    folder = Path(tpld.report.__file__).parent
    return [*sorted(folder.glob("*.j2")), *sorted(folder.glob("*.css"))]


def start_model(wildcards):
    """The source model, where training starts from it."""
    if cfg.of(wildcards.method).adversarial.start == "initial":
        return []
    return [layout.source_of(wildcards.method, wildcards.seed, "model.safetensors")]


def soft_predictions(wildcards):
    """The dump, where the method computes soft labels from it."""
    if not recipe_class(parse_method(wildcards.method).base).soft:
        return []
    return [layout.predictions(wildcards.method, wildcards.seed, wildcards.round)]
