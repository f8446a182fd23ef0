# Two-phase pseudo label densification, from labelled source images to a report.
#
#   snakemake --cores 2                                          the procedural city, minutes
#   snakemake --cores 2 --configfile workflow/presets/X.yaml     another data set
#   snakemake --cores 2 --configfile my_changes.yaml             the city with some keys changed
#
# Every key is documented in config.yaml and checked by tpld/config.
from tpld.config import load_config
from tpld.layout import Layout, parse_round


configfile: "config.yaml"


cfg = load_config(config)
layout = Layout(cfg)


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/source.smk"
include: "workflow/rules/label.smk"
include: "workflow/rules/phase1.smk"
include: "workflow/rules/phase2.smk"
include: "workflow/rules/adversarial.smk"
include: "workflow/rules/evaluate.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        f"{layout.root}/comparison.csv",
        f"{layout.root}/report.html",
