# Pseudo labels: a checkpoint and data/target_train -> predictions.zarr -> thresholds.csv
# -> labels.zarr -> labels.csv (density; accuracy where there is ground truth)


rule dump:
    input:
        model=plan.model_before,
        images=layout.data("target_train"),
        parts=parts.pieces("predictions.zarr"),
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
        part=part_option,
        network=plan.network_option,
        settings=settings("dump"),
        code=behind("dump", plan.model_before),
    message:
        "predicting the target: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld dump {params.network} --model {input.model} --images {input.images}"
        " {params.part} --out {output} --log {log} {input.parts}"


SOURCE = layout.source("{seed}", "", "{network}")


# The first one, which all rows of a network and seed share.
use rule dump as dump_source with:
    input:
        model=f"{SOURCE}/model.safetensors",
        images=layout.data("target_train"),
        parts=parts.pieces("predictions.zarr", SOURCE),
    output:
        directory(f"{SOURCE}/predictions.zarr"),
    log:
        f"{SOURCE}/logs/dump.log",
    benchmark:
        f"{SOURCE}/logs/dump.tsv"
    message:
        "predicting the target with the source model: {wildcards.network}, seed {wildcards.seed}"


rule thresholds:
    input:
        predictions=plan.predictions,
        parts=parts.pieces("thresholds.csv"),
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
        part=part_option,
        portion=plan.portion,
        settings=settings("thresholds"),
        code=behind("thresholds", plan.predictions),
    message:
        "thresholds λ: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld thresholds --method {wildcards.method} --predictions {input.predictions}"
        " --portion {params.portion} {params.part} --out {output} --log {log} {input.parts}"


rule label:
    input:
        predictions=plan.predictions,
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        parts=parts.pieces("labels.zarr"),
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
        part=part_option,
        settings=settings("label"),
        code=behind("label", plan.predictions, method=True),
    message:
        "pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld label --method {wildcards.method} --predictions {input.predictions}"
        " --thresholds {input.thresholds} {params.part} --out {output} --log {log} {input.parts}"


rule assess:
    input:
        labels=layout.round("{method}", "{seed}", "{round}", "labels.zarr"),
        truth=(
            [layout.data("target_train_truth")] if files.truth("target_train") else []
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
        truth=option("truth", "truth"),
        code=behind("assess", lambda w: [str(files.truth("target_train"))]),
    message:
        "assessing pseudo labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld assess --labels {input.labels} {params.truth}"
        " --out {output} --log {log}"
