# Evaluation: the last checkpoint of each method and data/target_val -> <method>/seed<s>/evaluation/
# target_val.csv (of each round: round<r>/evaluation.csv) -> comparison.{csv,md,tex}, config.yaml (the
# merged configuration) -> report.html
# Of the rows of one of the paper's tables -> table1.{csv,md,tex}, table2.{csv,md,tex}


rule evaluate:
    input:
        model=plan.final_model,
        data=layout.data("{split}"),
    output:
        layout.method("{method}", "{seed}", "evaluation/{split}.csv"),
    log:
        layout.method("{method}", "{seed}", "logs/evaluate_{split}.log"),
    benchmark:
        layout.method("{method}", "{seed}", "logs/evaluate_{split}.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("evaluate"),
    params:
        network=plan.network_option,
        settings=settings("evaluate"),
        code=behind("evaluate", plan.final_model),
    message:
        "evaluating {wildcards.method}, seed {wildcards.seed}, on {wildcards.split}"
    shell:
        "tpld evaluate {params.network} --model {input.model} --data {input.data}"
        " --out {output} --log {log}"


rule evaluate_round:
    input:
        model=layout.round("{method}", "{seed}", "{round}", "model.safetensors"),
        data=layout.data("target_val"),
    output:
        layout.round("{method}", "{seed}", "{round}", "evaluation.csv"),
    log:
        layout.round("{method}", "{seed}", "{round}", "logs/evaluate.log"),
    benchmark:
        layout.round("{method}", "{seed}", "{round}", "logs/evaluate.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("evaluate", "target_val"),
    params:
        network=plan.network_option,
        settings=settings("evaluate"),
        code=behind("evaluate"),
    message:
        "evaluating {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
    shell:
        "tpld evaluate {params.network} --model {input.model} --data {input.data} --single"
        " --out {output} --log {log}"


rule compare:
    input:
        evaluations=asked(targets.evaluations),
        rounds=asked(targets.round_tables),
        models=asked(targets.final_models),
    output:
        report(
            f"{layout.root}/comparison.csv",
            caption="../report/comparison.rst",
            category="Figures",
            labels={"what": "comparison of the methods"},
        ),
        multiext(f"{layout.root}/comparison", ".md", ".tex"),
        config=f"{layout.root}/config.yaml",
    log:
        f"{layout.root}/logs/compare.log",
    benchmark:
        f"{layout.root}/logs/compare.tsv"
    conda:
        "../../envs/tpld.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        out=subpath(output[0], parent=True),
        settings=settings("compare"),
        code=behind(
            "compare",
            asked(targets.evaluations),
            asked(targets.round_tables),
            asked(targets.final_models),
        ),
    message:
        "comparing methods"
    shell:
        "tpld collect --out {params.out} --log {log}"


rule table:
    input:
        rows_of_table,
    output:
        report(
            f"{layout.root}/{{which,table[12]}}.csv",
            caption="../report/table.rst",
            category="Figures",
            labels={"what": "{which} of the paper"},
        ),
        multiext(f"{layout.root}/{{which,table[12]}}", ".md", ".tex"),
    log:
        f"{layout.root}/logs/{{which}}.log",
    benchmark:
        f"{layout.root}/logs/{{which}}.tsv"
    conda:
        "../../envs/tpld.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        out=subpath(output[0], parent=True),
        settings=settings("table"),
        code=behind("table", rows_of_table, files=(fingerprint(PAPER_CSV),)),
    message:
        "{wildcards.which}: our figures beside the paper's"
    shell:
        "tpld table --which {wildcards.which} --out {params.out} --log {log}"


rule report:
    input:
        rules.compare.output,
        data=layout.data("target_train"),
        models=asked(targets.final_models),
    output:
        report(
            f"{layout.root}/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"what": "everything, explained"},
        ),
    log:
        f"{layout.root}/logs/report.log",
    benchmark:
        f"{layout.root}/logs/report.tsv"
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("evaluate", "target_train"),  # it predicts a few images with every row's network
    params:
        code=behind(
            "report",
            asked(targets.final_models),
            files=tuple(map(fingerprint, report_templates())),
        ),
    message:
        "writing the report"
    shell:
        "tpld report --out {output} --log {log}"
