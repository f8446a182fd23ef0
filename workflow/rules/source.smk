# Source model: data/source_train -> source/<model>/seed<s>/{model.safetensors, history.csv, run.json}
#
# Shared by every method and portion of a network and seed.


rule train_source:
    input:
        layout.data("source_train"),
    output:
        model=layout.source("{seed}", "model.safetensors", "{network}"),
        history=layout.source("{seed}", "history.csv", "{network}"),
        run=layout.source("{seed}", "run.json", "{network}"),
    log:
        layout.source("{seed}", "logs/train_source.log", "{network}"),
    benchmark:
        layout.source("{seed}", "logs/train_source.tsv", "{network}")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("train_source", "source_train"),
    params:
        out=subpath(output[0], parent=True),
        network=plan.network_option,
        settings=settings("train_source"),
        code=behind("train_source"),
    message:
        "training the source model: {wildcards.network}, seed {wildcards.seed}"
    shell:
        "tpld train-source {params.network} --seed {wildcards.seed}"
        " --data {input}"
        " --out {params.out} --log {log}"
