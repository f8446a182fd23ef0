# Pseudo labels: a checkpoint and data/target_train -> predictions.zarr -> thresholds.csv
# -> labels.zarr -> labels.csv (density; accuracy where there is ground truth)


rule dump_source:
    input:
        model=layout.source("{seed}", "model.safetensors"),
        images=layout.data("target_train"),
    output:
        directory(layout.source("{seed}", "predictions.zarr")),
    params:
        settings=settings("dump"),
        code=code("dump"),
    log:
        layout.source("{seed}", "logs/dump.log"),
    benchmark:
        layout.source("{seed}", "logs/dump.tsv")
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=6000,
    message:
        "predicting the target with the source model, seed {wildcards.seed}"
    shell:
        "tpld dump --config {CONFIG} --model {input.model} --images {input.images}"
        " --out {output} --log {log}"


rule dump:
    input:
        model=lambda w: layout.model_before(w.method, w.seed, w.round),
        images=layout.data("target_train"),
    output:
        directory(layout.round("{method}", "{seed}", "{round}", "predictions.zarr")),
    params:
        settings=settings("dump"),
        code=code("dump"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/dump.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/dump.tsv")
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=6000,
    message:
        "predicting the target: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld dump --config {CONFIG} --model {input.model} --images {input.images}"
        " --out {output} --log {log}"


rule thresholds:
    input:
        lambda w: layout.predictions(w.method, w.seed, w.round),
    output:
        layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
    params:
        portion=lambda w: portion_of(cfg, parse_method(w.method), *parse_round(w.round)),
        settings=settings("thresholds"),
        code=code("thresholds"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/thresholds.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/thresholds.tsv")
    threads: THREADS
    resources:
        mem_mb=2000,
    message:
        "thresholds λ: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld thresholds --config {CONFIG} --predictions {input} --portion {params.portion}"
        " --out {output} --log {log}"


rule label:
    input:
        predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
    output:
        directory(layout.round("{method}", "{seed}", "{round,round\\d+}", "labels.zarr")),
    params:
        voting=lambda w: "--voting" if is_tpld(w) else "--no-voting",
        settings=settings("label"),
        code=code("label"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/label.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/label.tsv")
    threads: THREADS
    resources:
        mem_mb=3000,
    message:
        "pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld label --config {CONFIG} --predictions {input.predictions}"
        " --thresholds {input.thresholds} {params.voting} --out {output} --log {log}"


rule assess:
    input:
        labels=layout.round("{method}", "{seed}", "{round}", "labels.zarr"),
        truth=[layout.data("target_train_truth")] if has_truth(cfg, "target_train") else [],
    output:
        layout.round("{method}", "{seed}", "{round}", "labels.csv"),
    params:
        truth=lambda w, input: f"--truth {input.truth}" if input.truth else "",
        code=code("assess"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/assess.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/assess.tsv")
    threads: 1
    resources:
        mem_mb=2000,
    message:
        "assessing pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld assess --config {CONFIG} --labels {input.labels} {params.truth}"
        " --out {output} --log {log}"
