rule record_chain:
    input:
        voice=ancient(lambda w: PLAN.chain_sources(w.voice).values()),
    output:
        "artifacts/reference/chain/{voice}.npz",
    log:
        "artifacts/logs/record/{voice}.log",
    benchmark:
        "artifacts/benchmarks/record/{voice}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.proof.record", *LAYOUTS, *SPOKEN),
        tools=digests.of_tools("torch", "transformers", "numpy"),
        planned=lambda w: in_json(SOURCES.of_each(PLAN.chain_sources(w.voice))),
        sources=lambda w: PLAN.chain_options(w.voice),
    shell:
        "python -m workflow_scripts.proof.record {params.sources:q}"
        " --sha256 {params.planned:q} --output {output:q} > {log:q} 2>&1"


rule measure_parity:
    input:
        graph="artifacts/graphs/{precision}/{unit}/{graph}.onnx",
        answers="artifacts/reference/{unit}/{graph}.npz",
    output:
        report(
            "artifacts/parity/graphs/{precision}/{unit}/{graph}.json",
            category="Parity of graphs",
            labels={"precision": "{precision}", "unit": "{unit}", "graph": "{graph}"},
        ),
    log:
        "artifacts/logs/parity/graphs/{precision}/{unit}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/parity/graphs/{precision}/{unit}/{graph}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.proof.parity"),
        tools=digests.of_tools("onnxruntime", "numpy"),
        graph="{graph}",
    shell:
        "python -m workflow_scripts.proof.parity {input.graph:q} --name {params.graph:q}"
        " --answers {input.answers:q} --output {output:q} > {log:q} 2>&1"


rule measure_chain:
    input:
        graphs=of_members("artifacts/graphs/{}.onnx"),
        tables=lambda w: PLAN.tables(w.voice),
        answers="artifacts/reference/chain/{voice}.npz",
    output:
        sound="artifacts/parity/chain/{voice}/{precision}.npy",
        measured=report(
            "artifacts/parity/chain/{voice}/{precision}.json",
            category="Parity of the whole chain",
            labels={"voice": "{voice}", "precision": "{precision}"},
        ),
    log:
        "artifacts/logs/parity/chain/{voice}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/parity/chain/{voice}/{precision}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.proof.chain", *ACOUSTIC_MODELS),
        tools=digests.of_tools("onnxruntime", "numpy"),
        named=lambda w: PLAN.named_files(w.voice, w.precision),
        acoustic=lambda w: in_json(voice_of(w).acoustic),
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
        measured=report(
            "artifacts/parity/stream/{voice}/{precision}.json",
            category="Streams",
            labels={"voice": "{voice}", "precision": "{precision}"},
        ),
    log:
        "artifacts/logs/parity/stream/{voice}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/parity/stream/{voice}/{precision}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.proof.stream", *ACOUSTIC_MODELS),
        tools=digests.of_tools("onnxruntime", "numpy"),
        named=lambda w: named(PLAN.sounding_files(w.voice, w.precision)),
        acoustic=lambda w: in_json(voice_of(w).acoustic),
    shell:
        "python -m workflow_scripts.proof.stream {params.named:q} --answers {input.answers:q}"
        " --acoustic {params.acoustic:q}"
        " --output {output.measured:q} --sound {output.sound:q} > {log:q} 2>&1"


rule check_parity:
    input:
        of_members("artifacts/parity/graphs/{}.json"),
        "artifacts/parity/chain/{voice}/{precision}.json",
        "artifacts/parity/stream/{voice}/{precision}.json",
    output:
        "artifacts/parity/verdicts/{voice}/{max_len}/{precision}.json",
    log:
        "artifacts/logs/parity/verdicts/{voice}/{max_len}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/parity/verdicts/{voice}/{max_len}/{precision}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.proof.verdict"),
        bars=lambda w: in_json(PLAN.bars[w.precision]),
        precision="{precision}",
    shell:
        "python -m workflow_scripts.proof.verdict {input:q} --precision {params.precision:q}"
        " --bars {params.bars:q} --output {output:q} > {log:q} 2>&1"
