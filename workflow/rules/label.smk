# Pseudo labels: a checkpoint and data/target_train -> predictions.zarr -> thresholds.csv
# -> labels.zarr -> labels.csv (density; accuracy where there is ground truth)


rule dump_source:
    input:
        model=layout.source("{seed}", "model.safetensors", "{network}"),
        images=layout.data("target_train"),
    output:
        directory(layout.source("{seed}", "predictions.zarr", "{network}")),
    log:
        layout.source("{seed}", "logs/dump.log", "{network}"),
    benchmark:
        layout.source("{seed}", "logs/dump.tsv", "{network}")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=6000,
    params:
        network=network_option,
        settings=settings_of_network("dump"),
        code=code("dump"),
    message:
        "predicting the target with the source model: {wildcards.network}, seed {wildcards.seed}"
    shell:
        "tpld dump {params.network} --model {input.model}"
        " --images {input.images}"
        " --out {output} --log {log}"


rule dump:
    input:
        model=lambda w: layout.model_before(w.method, w.seed, w.round),
        images=layout.data("target_train"),
    output:
        directory(layout.round("{method}", "{seed}", "{round}", "predictions.zarr")),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/dump.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/dump.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=6000,
    params:
        network=network_option,
        settings=settings("dump"),
        code=code("dump"),
    message:
        "predicting the target: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld dump {params.network} --model {input.model} --images {input.images}"
        " --out {output} --log {log}"


rule thresholds:
    input:
        lambda w: layout.predictions(w.method, w.seed, w.round),
    output:
        layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/thresholds.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/thresholds.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        mem_mb=2000,
    params:
        portion=lambda w: portion_of(cfg, parse_method(w.method), *parse_round(w.round)),
        settings=settings("thresholds"),
        code=code("thresholds"),
    message:
        "thresholds λ: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld thresholds --predictions {input} --portion {params.portion}"
        " --out {output} --log {log}"


rule label:
    input:
        predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
    output:
        directory(
            layout.round("{method}", "{seed}", "{round,round\\d+}", "labels.zarr")
        ),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/label.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/label.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        mem_mb=3000,
    params:
        settings=settings("label"),
        code=code_of_method("label"),
    message:
        "pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld label --method {wildcards.method} --predictions {input.predictions}"
        " --thresholds {input.thresholds} --out {output} --log {log}"


rule assess:
    input:
        labels=layout.round("{method}", "{seed}", "{round}", "labels.zarr"),
        truth=(
            [layout.data("target_train_truth")]
            if has_truth(cfg, "target_train")
            else []
        ),
    output:
        layout.round("{method}", "{seed}", "{round}", "labels.csv"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/assess.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/assess.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        truth=lambda w, input: f"--truth {input.truth}" if input.truth else "",
        code=code("assess"),
    message:
        "assessing pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld assess --labels {input.labels} {params.truth}"
        " --out {output} --log {log}"
