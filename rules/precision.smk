rule simplify_graph:
    input:
        graph="artifacts/raw/{unit}/{graph}.onnx",
        answers="artifacts/reference/{unit}/{graph}.npz",
    output:
        graph="artifacts/graphs/fp32/{unit}/{graph}.onnx",
        record="artifacts/graphs/fp32/{unit}/{graph}.json",
    log:
        "artifacts/logs/precision/fp32/{unit}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/precision/fp32/{unit}/{graph}.tsv"
    conda:
        "environment.yml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=digests.of_code("workflow_scripts.graphs.simplify"),
        tools=digests.of_tools("onnx", "onnxsim", "onnxruntime"),
        graph="{graph}",
    message:
        "simplify {wildcards.graph} of {wildcards.unit}"
    shell:
        "python -m workflow_scripts.graphs.simplify {input.graph:q} --graph {params.graph:q}"
        " --answers {input.answers:q} --output {output.graph:q} --record {output.record:q}"
        " > {log:q} 2>&1"


rule reduce_precision:
    input:
        graph="artifacts/graphs/fp32/{unit}/{graph}.onnx",
        answers="artifacts/reference/{unit}/{graph}.npz",
    output:
        graph="artifacts/graphs/{precision}/{unit}/{graph}.onnx",
        record="artifacts/graphs/{precision}/{unit}/{graph}.json",
    log:
        "artifacts/logs/precision/{precision}/{unit}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/precision/{precision}/{unit}/{graph}.tsv"
    wildcard_constraints:
        precision=one_of(PLAN.reduced),
    conda:
        "environment.yml"
    resources:
        mem_mb=6000,
        runtime=120,
    params:
        code=digests.of_code("workflow_scripts.variants.reduce"),
        tools=digests.of_tools("onnx", "onnxconverter-common", "onnxruntime", "numpy"),
        graph="{graph}",
        precision="{precision}",
        options=lambda w: PLAN.reduction_options(w.precision, w.graph),
    message:
        "write {wildcards.graph} of {wildcards.unit} as {wildcards.precision}"
    shell:
        "python -m workflow_scripts.variants.reduce {input.graph:q} --graph {params.graph:q}"
        " --to {params.precision:q} --answers {input.answers:q} --output {output.graph:q}"
        " --record {output.record:q} {params.options:q} > {log:q} 2>&1"
