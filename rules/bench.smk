rule time_bundle:
    input:
        manifest="artifacts/bundles/{voice}/{max_len}/{precision}/manifest.json",
        gpt=ancient(lambda w: voice_of(w).gpt),
        sovits=ancient(lambda w: voice_of(w).sovits),
        further=ancient(lambda w: PLAN.timing_sources(w.voice).values()),
    output:
        "artifacts/bench/{voice}/{max_len}/{precision}.json",
    log:
        "artifacts/logs/bench/{voice}/{max_len}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/bench/{voice}/{max_len}/{precision}.tsv"
    conda:
        "torch.yml"
    threads: 256
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        code=digests.of_code(
            "workflow_scripts.proof.speed.__main__",
            "workflow_scripts.proof.speed.fresh_process",
            *BACK_ENDS,
            *ACOUSTIC_MODELS,
            *LAYOUTS,
            *SPOKEN,
        ),
        tools=digests.of_tools("torch", "onnxruntime", "openvino", "numpy"),
        gpt=lambda w: SOURCES.of(voice_of(w).gpt),
        sovits=lambda w: SOURCES.of(voice_of(w).sovits),
        further=lambda w: SOURCES.of_each(PLAN.timing_sources(w.voice)),
        options=lambda w: words(PLAN.timing_sources(w.voice)),
        bundle=lambda w, input: str(Path(input.manifest).parent),
        work=PLAN.bench.options,
    message:
        "time {wildcards.voice} at {wildcards.precision}, {wildcards.max_len} rows"
    shell:
        "python -m workflow_scripts.proof.speed --voice {params.bundle:q} {params.work:q}"
        " --gpt {input.gpt:q} --sovits {input.sovits:q} {params.options:q}"
        " --json {output:q} > {log:q} 2>&1"
