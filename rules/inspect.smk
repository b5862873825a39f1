rule describe_voice:
    input:
        gpt=ancient(lambda w: voice_of(w).gpt),
        sovits=ancient(lambda w: voice_of(w).sovits),
        base=ancient(lambda w: voice_of(w).acoustic_files[1:]),
    output:
        report(
            "artifacts/inspect/{voice}.json", category="Checkpoints", labels={"voice": "{voice}"}
        ),
    log:
        "artifacts/logs/inspect/{voice}.log",
    benchmark:
        "artifacts/benchmarks/inspect/{voice}.tsv"
    conda:
        "torch.yml"
    params:
        code=digests.of_code("workflow_scripts.models.describe", *LAYOUTS),
        planned=lambda w: in_json(SOURCES.of_each(voice_of(w).checkpoints)),
        base=lambda w: voice_of(w).base_options,
    message:
        "what {wildcards.voice} is"
    shell:
        "python -m workflow_scripts.models.describe --gpt {input.gpt:q} --sovits {input.sovits:q}"
        " {params.base:q} --sha256 {params.planned:q} --output {output:q} > {log:q} 2>&1"
