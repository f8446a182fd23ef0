# What all rules share: answers of tpld.dag, under short names. Writes the merged configuration, which
# the commands read, to results/state/config/<hash>.yaml.
import os
import re
import sys

from tpld.compute.lifetime import this_process
from tpld.dag.feasible import check_plan
from tpld.dag.layout import parse_round
from tpld.dag.merged import write_merged
from tpld.dag.origin import check_origin
from tpld.dag.parts import Parts, part_option
from tpld.dag.plan import Plan
from tpld.dag.terminal import one_line_a_job
from tpld.dag.targets import Targets, report_templates
from tpld.data.sources import city_counts, city_root
from tpld.errors import TpldError
from tpld.evaluation.paper import PAPER_CSV
from tpld.stores.provenance import code_hash, fingerprint

if not workflow.output_settings.dryrun:
    one_line_a_job()

plan = Plan(cfg)
check_plan(plan)
check_origin(cfg)
layout, files = plan.layout, plan.files
settings, behind, needs = plan.settings, plan.behind, plan.needs
targets, parts = Targets(plan), Parts(layout)

# The commands find their configuration here (as `tpld --config` would give it), and themselves
# in the environment that runs Snakemake, activated or not.
os.environ.update(
    TPLD_STARTED_BY=this_process(),  # a job does not outlive this Snakemake
    TPLD_CONFIG=write_merged(cfg),
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),
)
THREADS = cfg.compute.threads or len(os.sched_getaffinity(0))


def one_of(names):
    """Regular expression of some names; of none, one that nothing matches."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


def asked(files_of):
    """An input function; what it refuses is said as Snakemake says its own errors."""

    def of(_):
        try:
            return files_of()
        except TpldError as error:
            raise WorkflowError(str(error))

    return of


def rows_of_table(wildcards):
    """Evaluations that a table of the paper is made from."""
    return asked(lambda: targets.of_table(wildcards.which))(wildcards)


def option(name, role):
    """A command's option whose value is an input that not every job has."""
    return lambda wildcards, input: f"--{name} {input[role]}" if input[role] else ""


wildcard_constraints:
    seed=r"\d+",
    method=one_of(plan.methods()),
    network=one_of(plan.networks),
    round=r"(phase2_)?round\d+",
    split="source_train|source_val|target_train|target_val",
    part=r"\d+",
    parts=r"\d+",
