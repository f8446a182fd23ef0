# Phase-1 round r: the checkpoint of round r-1, data/source_train, data/target_train, labels.zarr,
# thresholds.csv (for soft labels also predictions.zarr) -> round<r>/{model.safetensors, history.csv, run.json}


rule train_round:
    input:
        model=plan.model_before,
        source=layout.data("source_train"),
        target=layout.data("target_train"),
        labels=layout.round("{method}", "{seed}", "{round}", "labels.zarr"),
        thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        predictions=plan.soft_predictions,
    output:
        model=layout.round(
            "{method}", "{seed}", "{round,round\\d+}", "model.safetensors"
        ),
        history=layout.round("{method}", "{seed}", "{round,round\\d+}", "history.csv"),
        run=layout.round("{method}", "{seed}", "{round,round\\d+}", "run.json"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/train_round.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/train_round.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("train_round"),
    params:
        out=subpath(output[0], parent=True),
        index=lambda w: parse_round(w.round).number,
        predictions=option("predictions", "predictions"),
        settings=settings("train_round"),
        code=behind(
            "train_round", plan.model_before, plan.soft_predictions, method=True
        ),
    message:
        "retraining: {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld train-round --method {wildcards.method} --seed {wildcards.seed}"
        " --round {params.index} --model {input.model} --source {input.source}"
        " --target {input.target} --labels {input.labels} --thresholds {input.thresholds}"
        " {params.predictions}"
        " --out {params.out} --log {log}"
