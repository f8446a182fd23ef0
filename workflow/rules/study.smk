# Studies: what changes when a key changes (rows `method~variant`), laid over a preset.
# They write into studies/<study>/:
#   snakemake study ...        evaluations of all rows -> scores.{csv,md,svg}, seeds.csv
#   snakemake label_study ...  the first labels of all rows, without training of their own
#                              -> labels.{csv,md,svg}, curves.csv, added.{csv,jpg}
#   snakemake split_study ...  easy and hard images of the first phase-2 round
#                              -> split.{csv,md,svg}, split_classes.csv


rule study:
    input:
        asked(targets.evaluations),
    output:
        multiext(layout.study("scores"), ".csv", ".md", ".svg"),
        layout.study("seeds.csv"),
    log:
        layout.study("logs/scores.log"),
    benchmark:
        layout.study("logs/scores.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        out=subpath(output[0], parent=True),
        settings=settings("study"),
        code=behind("study", asked(targets.evaluations)),
    message:
        "comparing the rows of a study"
    shell:
        "tpld study --out {params.out} --log {log}"


rule label_study:
    input:
        labels=asked(targets.first_labels),
        stores=asked(targets.first_stores),
        dumps=asked(targets.first_dumps),
        truth=layout.data("target_train_truth"),
    output:
        multiext(layout.study("labels"), ".csv", ".md", ".svg"),
        layout.study("curves.csv"),
        layout.study("added.csv"),
        # What voting adds, where a row votes.
        [layout.study("added.jpg")] if any(row.tpld for row in plan.rows) else [],
    log:
        layout.study("logs/labels.log"),
    benchmark:
        layout.study("logs/labels.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("label"),
    params:
        out=subpath(output[0], parent=True),
        portion=cfg.thresholds.start_portion,
        settings=settings("label_study"),
        code=behind("label_study", asked(targets.first_stores)),
    message:
        "comparing the first pseudo labels of a study"
    shell:
        "tpld label-study --out {params.out} --log {log}"


rule split_study:
    input:
        asked(targets.first_splits),
        truth=layout.data("target_train_truth"),
    output:
        multiext(layout.study("split"), ".csv", ".md", ".svg"),
        layout.study("split_classes.csv"),
    log:
        layout.study("logs/split.log"),
    benchmark:
        layout.study("logs/split.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("score"),
    params:
        out=subpath(output[0], parent=True),
        settings=settings("split_study"),
        code=behind("split_study", asked(targets.first_splits)),
    message:
        "easy and hard images of a study"
    shell:
        "tpld split-study --out {params.out} --log {log}"
