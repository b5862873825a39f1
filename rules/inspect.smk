rule describe_voice:
    input:
        gpt=ancient(lambda w: voice_of(w).gpt),
        sovits=ancient(lambda w: voice_of(w).sovits),
    output:
        report(
            "artifacts/inspect/{voice}.json", category="Checkpoints", labels={"voice": "{voice}"}
        ),
    log:
        "artifacts/logs/inspect/{voice}.log",
    benchmark:
        "artifacts/benchmarks/inspect/{voice}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.models.describe", *LAYOUTS),
        planned=lambda w: in_json(
            SOURCES.of_each({"gpt": voice_of(w).gpt, "sovits": voice_of(w).sovits})
        ),
    message:
        "what {wildcards.voice} is"
    shell:
        "python -m workflow_scripts.models.describe --gpt {input.gpt:q} --sovits {input.sovits:q}"
        " --sha256 {params.planned:q} --output {output:q} > {log:q} 2>&1"
