rule measure_chain:
    input:
        graphs=of_members("artifacts/graphs/{}.onnx"),
        tables=lambda w: PLAN.tables(w.voice),
        answers="artifacts/reference/chain/{voice}.npz",
    output:
        sound="artifacts/parity/chain/{voice}/{precision}.npy",
        measured="artifacts/parity/chain/{voice}/{precision}.json",
    log:
        "artifacts/logs/parity/chain/{voice}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/parity/chain/{voice}/{precision}.tsv"
    conda:
        "environment.yml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        code=digests.of_code("workflow_scripts.proof.chain", *ACOUSTIC_MODELS),
        tools=digests.of_tools("onnxruntime", "numpy"),
        named=lambda w: PLAN.named_files(w.voice, w.precision),
        acoustic=lambda w: in_json(voice_of(w).acoustic),
    message:
        "compare the chain of {wildcards.voice} at {wildcards.precision} with PyTorch"
    shell:
        "python -m workflow_scripts.proof.chain {params.named:q} --answers {input.answers:q}"
        " --acoustic {params.acoustic:q}"
        " --output {output.measured:q} --sound {output.sound:q} > {log:q} 2>&1"


rule measure_stream:
    input:
        graphs=lambda w: PLAN.sounding_files(w.voice, w.precision).values(),
        answers="artifacts/reference/chain/{voice}.npz",
    output:
        sound="artifacts/parity/stream/{voice}/{precision}.npy",
        measured="artifacts/parity/stream/{voice}/{precision}.json",
    log:
        "artifacts/logs/parity/stream/{voice}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/parity/stream/{voice}/{precision}.tsv"
    conda:
        "environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=digests.of_code("workflow_scripts.proof.stream", *ACOUSTIC_MODELS),
        tools=digests.of_tools("onnxruntime", "numpy"),
        named=lambda w: named(PLAN.sounding_files(w.voice, w.precision)),
        acoustic=lambda w: in_json(voice_of(w).acoustic),
    message:
        "measure streams of {wildcards.voice} at {wildcards.precision}"
    shell:
        "python -m workflow_scripts.proof.stream {params.named:q} --answers {input.answers:q}"
        " --acoustic {params.acoustic:q}"
        " --output {output.measured:q} --sound {output.sound:q} > {log:q} 2>&1"
