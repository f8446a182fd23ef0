# Two-phase pseudo label densification, from labelled source images to a report.
#
#   snakemake --cores 2                                          the procedural city, minutes
#   snakemake --cores 2 --configfile workflow/presets/X.yaml     another data set
#   snakemake --cores 2 --configfile my_changes.yaml             the city with some keys changed
#   snakemake table1 --cores 8 --configfile workflow/presets/gta5_cityscapes.yaml   (or table2)
#
# Every key is documented in config.yaml and checked by tpld/config.
from tpld.config import check_files, load_config


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


check_files(workflow.configfiles)  # Snakemake's own reader lets a key stand twice
cfg = load_config(config)


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/source.smk"
include: "workflow/rules/oracle.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/phase1.smk"
include: "workflow/rules/phase2.smk"
include: "workflow/rules/adversarial.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/parts.smk"


# Seconds each: on a cluster, not worth a job.
localrules:
    all,
    table1,
    table2,
    make_city,
    split,
    compare,
    table,
    study,


# A bound on this machine's GPU is none on those of a cluster (see `needs`).
resource_scopes:
    gpu_slot="local",


rule all:
    default_target: True
    input:
        f"{layout.root}/comparison.csv",
        f"{layout.root}/report.html",


# The paper's tables, for the rows that `methods` names: presets gta5_cityscapes, synthia_cityscapes.
rule table1:
    input:
        f"{layout.root}/table1.csv",


rule table2:
    input:
        f"{layout.root}/table2.csv",
