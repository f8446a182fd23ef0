# Source model: data/source_train -> source/<model>/seed<s>/{model.safetensors, history.csv, run.json}
#
# Shared by every method and portion of a seed.


rule train_source:
    input:
        layout.data("source_train"),
    output:
        model=layout.source("{seed}", "model.safetensors"),
        history=layout.source("{seed}", "history.csv"),
        run=layout.source("{seed}", "run.json"),
    log:
        layout.source("{seed}", "logs/train_source.log"),
    benchmark:
        layout.source("{seed}", "logs/train_source.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        gpu=1,
        mem_mb=8000,
    params:
        out=subpath(output[0], parent=True),
        settings=settings("train_source"),
        code=code("train_source"),
    message:
        "training the source model, seed {wildcards.seed}"
    shell:
        "tpld train-source --seed {wildcards.seed} --data {input}"
        " --out {params.out} --log {log}"
