# Adversarial methods: data/source_train, data/target_train (and, with adversarial.start: source, the
# source model) -> <method>/seed<s>/{model.safetensors, history.csv, run.json}. No pseudo labels.


rule train_adversarial:
    input:
        source=layout.data("source_train"),
        target=layout.data("target_train"),
        model=plan.start_model,
    output:
        model=layout.method("{method}", "{seed}", "model.safetensors"),
        history=layout.method("{method}", "{seed}", "history.csv"),
        run=layout.method("{method}", "{seed}", "run.json"),
    log:
        layout.method("{method}", "{seed}", "logs/train_adversarial.log"),
    benchmark:
        layout.method("{method}", "{seed}", "logs/train_adversarial.tsv")
    wildcard_constraints:
        method=one_of(plan.names("adversarial")),
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("train_adversarial"),
    params:
        out=subpath(output[0], parent=True),
        model=option("model", "model"),
        settings=settings("train_adversarial"),
        code=behind("train_adversarial", plan.start_model, method=True),
    message:
        "adversarial training: {wildcards.method}, seed {wildcards.seed}"
    shell:
        "tpld train-adversarial --method {wildcards.method} --seed {wildcards.seed}"
        " --source {input.source} --target {input.target} {params.model}"
        " --out {params.out} --log {log}"
