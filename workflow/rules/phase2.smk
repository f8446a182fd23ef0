# Phase-2 round r: predictions.zarr, thresholds.csv -> confidence.csv -> split.csv -> labels.zarr
# (full labels of the easy images); with the checkpoint before it and data/target_train
# -> phase2_round<r>/{model.safetensors, history.csv, run.json}. No source images.


rule score:
    input:
        predictions=layout.round("{method}", "{seed}", "{round}", "predictions.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
    output:
        layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "confidence.csv"),
    params:
        settings=settings("score"),
        code=code("confidence"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/score.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/score.tsv")
    threads: THREADS
    resources:
        mem_mb=2000,
    message:
        "image confidence: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld score --config {CONFIG} --predictions {input.predictions}"
        " --thresholds {input.thresholds} --out {output} --log {log}"


rule split:
    input:
        layout.round("{method}", "{seed}", "{round}", "confidence.csv"),
    output:
        layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "split.csv"),
    params:
        index=lambda w: parse_round(w.round).number,
        settings=settings("split"),
        code=code("split"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/split.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/split.tsv")
    threads: 1
    resources:
        mem_mb=500,
    message:
        "easy/hard split: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld split --config {CONFIG} --confidence {input} --round {params.index}"
        " --out {output} --log {log}"


rule label_easy:
    input:
        predictions=layout.round("{method}", "{seed}", "{round}", "predictions.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        split=layout.round("{method}", "{seed}", "{round}", "split.csv"),
    output:
        directory(
            layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "labels.zarr")
        ),
    params:
        settings=settings("label_easy"),
        code=code("full_labels"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/label_easy.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/label_easy.tsv")
    threads: THREADS
    resources:
        mem_mb=3000,
    message:
        "full labels: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld label-easy --config {CONFIG} --predictions {input.predictions}"
        " --thresholds {input.thresholds} --split {input.split} --out {output} --log {log}"


rule train_phase2:
    input:
        model=lambda w: layout.model_before(w.method, w.seed, w.round),
        target=layout.data("target_train"),
        predictions=layout.round("{method}", "{seed}", "{round}", "predictions.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        split=layout.round("{method}", "{seed}", "{round}", "split.csv"),
    output:
        model=layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "model.safetensors"),
        history=layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "history.csv"),
        run=layout.round("{method}", "{seed}", "{round,phase2_round\\d+}", "run.json"),
    params:
        out=subpath(output[0], parent=True),
        index=lambda w: parse_round(w.round).number,
        settings=settings("train_phase2"),
        code=code("train_phase2"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/train_phase2.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/train_phase2.tsv")
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=8000,
    message:
        "phase 2: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld train-phase2 --config {CONFIG} --method {wildcards.method} --seed {wildcards.seed}"
        " --round {params.index} --model {input.model} --target {input.target}"
        " --predictions {input.predictions} --thresholds {input.thresholds}"
        " --split {input.split} --out {params.out} --log {log}"
