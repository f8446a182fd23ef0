# Evaluation: the last checkpoint of each method and data/target_val -> <method>/seed<s>/evaluation/
# target_val.csv (of each round: round<r>/evaluation.csv) -> comparison.{csv,md,tex} -> report.html


rule evaluate:
    input:
        model=lambda w: layout.final_model(w.method, w.seed),
        data=layout.data("{split}"),
    output:
        layout.method("{method}", "{seed}", "evaluation/{split}.csv"),
    params:
        settings=settings("evaluate"),
        code=code("evaluate"),
    log:
        layout.method("{method}", "{seed}", "logs/evaluate_{split}.log"),
    benchmark:
        layout.method("{method}", "{seed}", "logs/evaluate_{split}.tsv")
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=6000,
    message:
        "evaluating {wildcards.method}, seed {wildcards.seed}, on {wildcards.split}"
    shell:
        "tpld evaluate --config {CONFIG} --model {input.model} --data {input.data}"
        " --out {output} --log {log}"


rule evaluate_round:
    input:
        model=layout.round("{method}", "{seed}", "{round}", "model.safetensors"),
        data=layout.data("target_val"),
    output:
        layout.round("{method}", "{seed}", "{round}", "evaluation.csv"),
    params:
        settings=settings("evaluate"),
        code=code("evaluate"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/evaluate.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/evaluate.tsv")
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=6000,
    message:
        "evaluating {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld evaluate --config {CONFIG} --model {input.model} --data {input.data} --single"
        " --out {output} --log {log}"


def evaluations(_):
    """Evaluation of each method's last checkpoint, on every labelled validation split."""
    found = []
    for method in cfg.methods:
        splits = ["target_val"] if parse_method(method).adapts else ["target_val", "source_val"]
        found += [
            layout.evaluation(method, seed, split)
            for seed in cfg.seeds
            for split in splits
            if has_truth(cfg, split)
        ]
    return found


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


def final_models(_):
    """Without ground truth there is nothing to evaluate, but still a network to train."""
    return [layout.final_model(method, seed) for method in cfg.methods for seed in cfg.seeds]


rule compare:
    input:
        evaluations=evaluations,
        rounds=round_tables,
        models=final_models,
    output:
        multiext(f"{layout.root}/comparison", ".csv", ".md", ".tex"),
    params:
        settings=settings("compare"),
        code=code("compare"),
    log:
        f"{layout.root}/logs/compare.log",
    benchmark:
        f"{layout.root}/logs/compare.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    message:
        "comparing methods"
    shell:
        "tpld compare --config {CONFIG} --out {layout.root} --log {log}"


rule report:
    input:
        rules.compare.output,
        data=layout.data("target_train"),
    output:
        f"{layout.root}/report.html",
    params:
        code=code("report"),
    log:
        f"{layout.root}/logs/report.log",
    benchmark:
        f"{layout.root}/logs/report.tsv"
    threads: 1
    resources:
        mem_mb=2000,
    message:
        "writing the report"
    shell:
        "tpld report --config {CONFIG} --out {output} --log {log}"
