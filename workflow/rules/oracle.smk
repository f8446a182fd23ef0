# Oracle: data/target_train with its labels -> <method>/seed<s>/{model.safetensors, history.csv, run.json}
#
# Trained as the source model is. These are the only rules that train on the target's ground truth, and
# no other rule reads what they write but evaluation.


rule prepare_oracle:
    input:
        check=layout.data("check.csv"),
        files=lambda _: files.inputs("target_train"),
    output:
        directory(layout.data("target_train_labelled")),
    log:
        layout.data("logs/prepare_target_train_labelled.log"),
    benchmark:
        layout.data("logs/prepare_target_train_labelled.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("prepare"),
    params:
        files=files.fingerprint("target_train", "image", "label"),
        settings=files.keys("target_train"),
        code=behind("prepare"),
    message:
        "decoding target_train with its labels (for the oracle alone)"
    shell:
        "tpld prepare --split target_train --images --labels --out {output} --log {log}"


rule train_oracle:
    input:
        layout.data("target_train_labelled"),
    output:
        model=layout.method("{method}", "{seed}", "model.safetensors"),
        history=layout.method("{method}", "{seed}", "history.csv"),
        run=layout.method("{method}", "{seed}", "run.json"),
    log:
        layout.method("{method}", "{seed}", "logs/train_source.log"),
    benchmark:
        layout.method("{method}", "{seed}", "logs/train_source.tsv")
    wildcard_constraints:
        method=one_of(plan.names("oracle")),
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("train_source", "target_train"),
    params:
        out=subpath(output[0], parent=True),
        network=plan.network_option,
        settings=settings("train_source"),
        code=behind("train_source"),
    message:
        "training the oracle: {wildcards.method}, seed {wildcards.seed}"
    shell:
        "tpld train-source {params.network} --seed {wildcards.seed} --data {input}"
        " --out {params.out} --log {log}"
