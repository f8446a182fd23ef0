# Phase-2 round r: predictions.zarr, thresholds.csv -> confidence.csv -> split.csv -> labels.zarr
# (full labels of the easy images); with the checkpoint before it and data/target_train
# -> phase2_round<r>/{model.safetensors, history.csv, run.json}. Source images where
# phase2.source_crops asks for them; the paper has none.


rule score:
    input:
        predictions=layout.round("{method}", "{seed}", "{round}", "predictions.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        parts=parts.pieces("confidence.csv"),
    output:
        layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "confidence.csv"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/score.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/score.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("score"),
    params:
        part=part_option,
        settings=settings("score"),
        code=behind("confidence"),
    message:
        "image confidence: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld score --method {wildcards.method} --predictions {input.predictions}"
        " --thresholds {input.thresholds} {params.part} --out {output} --log {log} {input.parts}"


rule split:
    input:
        layout.round("{method}", "{seed}", "{round}", "confidence.csv"),
    output:
        layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "split.csv"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/split.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/split.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        index=lambda w: parse_round(w.round).number,
        settings=settings("split"),
        code=behind("split"),
    message:
        "easy/hard split: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld split --method {wildcards.method} --confidence {input} --round {params.index}"
        " --out {output} --log {log}"


rule label_easy:
    input:
        predictions=layout.round("{method}", "{seed}", "{round}", "predictions.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        split=layout.round("{method}", "{seed}", "{round}", "split.csv"),
        parts=parts.pieces("labels.zarr"),
    output:
        directory(
            layout.round(
                "{method}", "{seed}", "{round,phase2_round\\d+}", "labels.zarr"
            )
        ),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/label_easy.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/label_easy.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("label_easy"),
    params:
        part=part_option,
        settings=settings("label_easy"),
        code=behind("full_labels"),
    message:
        "full labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld label-easy --method {wildcards.method} --predictions {input.predictions}"
        " --thresholds {input.thresholds} --split {input.split} {params.part}"
        " --out {output} --log {log} {input.parts}"


rule train_phase2:
    input:
        model=plan.model_before,
        target=layout.data("target_train"),
        predictions=layout.round("{method}", "{seed}", "{round}", "predictions.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        split=layout.round("{method}", "{seed}", "{round}", "split.csv"),
        source=plan.source_crops,
    output:
        model=layout.round(
            "{method}", "{seed}", "{round,phase2_round\\d+}", "model.safetensors"
        ),
        history=layout.round(
            "{method}", "{seed}", "{round,phase2_round\\d+}", "history.csv"
        ),
        run=layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "run.json"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/train_phase2.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/train_phase2.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("train_phase2"),
    params:
        out=subpath(output[0], parent=True),
        index=lambda w: parse_round(w.round).number,
        source=option("source", "source"),
        settings=settings("train_phase2"),
        code=behind("train_phase2", plan.model_before, plan.source_crops),
    message:
        "phase 2: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld train-phase2 --method {wildcards.method} --seed {wildcards.seed}"
        " --round {params.index} --model {input.model} --target {input.target}"
        " --predictions {input.predictions} --thresholds {input.thresholds}"
        " --split {input.split} {params.source} --out {params.out} --log {log}"
