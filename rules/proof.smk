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
        "torch.yml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        code=digests.of_code("workflow_scripts.proof.record", *LAYOUTS, *SPOKEN),
        tools=digests.of_tools("torch", "transformers", "numpy"),
        planned=lambda w: in_json(SOURCES.of_each(PLAN.chain_sources(w.voice))),
        sources=lambda w: PLAN.chain_options(w.voice),
    message:
        "record PyTorch's chain of {wildcards.voice}"
    shell:
        "python -m workflow_scripts.proof.record {params.sources:q}"
        " --sha256 {params.planned:q} --output {output:q} > {log:q} 2>&1"


rule measure_parity:
    input:
        graph="artifacts/graphs/{precision}/{unit}/{graph}.onnx",
        answers="artifacts/reference/{unit}/{graph}.npz",
    output:
        "artifacts/parity/graphs/{precision}/{unit}/{graph}.json",
    log:
        "artifacts/logs/parity/graphs/{precision}/{unit}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/parity/graphs/{precision}/{unit}/{graph}.tsv"
    conda:
        "environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=digests.of_code("workflow_scripts.proof.parity"),
        tools=digests.of_tools("onnxruntime", "numpy"),
        graph="{graph}",
    message:
        "compare {wildcards.graph} of {wildcards.unit} at {wildcards.precision} with PyTorch"
    shell:
        "python -m workflow_scripts.proof.parity {input.graph:q} --name {params.graph:q}"
        " --answers {input.answers:q} --output {output:q} > {log:q} 2>&1"


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
        "environment.yml"
    params:
        code=digests.of_code("workflow_scripts.proof.verdict"),
        bars=lambda w: in_json(PLAN.bars[w.precision]),
        precision="{precision}",
    message:
        "judge {wildcards.voice} at {wildcards.precision}, {wildcards.max_len} rows"
    shell:
        "python -m workflow_scripts.proof.verdict {input:q} --precision {params.precision:q}"
        " --bars {params.bars:q} --output {output:q} > {log:q} 2>&1"
