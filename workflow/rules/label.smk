# Pseudo labels: a checkpoint and data/target_train -> predictions.zarr -> thresholds.csv
# -> labels.zarr -> labels.csv (density; accuracy where there is ground truth)


rule dump_source:
    input:
        model=layout.source("{seed}", "model.safetensors", "{network}"),
        images=layout.data("target_train"),
        parts=parts_of(layout.source("{seed}", "predictions.zarr", "{network}")),
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
        **needs("dump"),
    params:
        part=all_parts,
        network=network_option,
        settings=settings_of_network("dump"),
        code=code("dump"),
    message:
        "predicting the target with the source model: {wildcards.network}, seed {wildcards.seed}"
    shell:
        "tpld dump {params.network} --model {input.model}"
        " --images {input.images} {params.part}"
        " --out {output} --log {log}"


rule dump:
    input:
        model=lambda w: layout.model_before(w.method, w.seed, w.round),
        images=layout.data("target_train"),
        parts=parts_of(
            layout.round("{method}", "{seed}", "{round}", "predictions.zarr")
        ),
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
        **needs("dump"),
    params:
        part=all_parts,
        network=network_option,
        settings=settings("dump"),
        code=code("dump"),
    message:
        "predicting the target: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld dump {params.network} --model {input.model} --images {input.images}"
        " {params.part} --out {output} --log {log}"


rule thresholds:
    input:
        predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
        parts=parts_of(layout.round("{method}", "{seed}", "{round}", "thresholds.csv")),
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
        **needs("thresholds"),
    params:
        part=all_parts,
        portion=portion,
        settings=settings("thresholds"),
        code=code("thresholds"),
    message:
        "thresholds λ: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld thresholds --method {wildcards.method} --predictions {input.predictions} --portion {params.portion} {params.part}"
        " --out {output} --log {log}"


rule label:
    input:
        predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        parts=parts_of(layout.round("{method}", "{seed}", "{round}", "labels.zarr")),
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
        **needs("label"),
    params:
        part=all_parts,
        settings=settings("label"),
        code=code_of_method("label"),
    message:
        "pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld label --method {wildcards.method} --predictions {input.predictions}"
        " --thresholds {input.thresholds} {params.part} --out {output} --log {log}"


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
        **needs("assess"),
    params:
        truth=lambda w, input: f"--truth {input.truth}" if input.truth else "",
        code=code("assess"),
    message:
        "assessing pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld assess --labels {input.labels} {params.truth}"
        " --out {output} --log {log}"
