rule import_graph:
    input:
        graph=engine_source,
        tables=loop_tables,
        importer=ancient(IMPORTER),
    output:
        "artifacts/imports/{precision}/{unit}/{length}/{graph}.json",
    log:
        "artifacts/logs/imports/{precision}/{unit}/{length}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/imports/{precision}/{unit}/{length}/{graph}.tsv"
    conda:
        "environment.yml"
    params:
        code=digests.of_code("workflow_scripts.engines.imports"),
        tools=digests.of_tools("onnx", "tensorrt_rtx_cu13", "tensorrt_rtx_cu12", "tensorrt_rtx"),
        importer=SOURCES.of(IMPORTER),
        graph="{graph}",
        precision="{precision}",
        rows=lambda w: 0 if w.length == ANY_LENGTH else w.length,
        tables=lambda w: [word for path in loop_tables(w) for word in ("--tables", path)],
    message:
        "let the importer of TensorRT-RTX read {wildcards.graph} of {wildcards.unit} at {wildcards.precision}"
    shell:
        "python -m workflow_scripts.engines.imports {input.graph:q} --graph {params.graph:q}"
        " {params.tables:q} --precision {params.precision:q} --max-len {params.rows:q}"
        " --output {output:q} > {log:q} 2>&1"


rule report_engines:
    input:
        evidence=evidence_of,
        machine="artifacts/machines/{target}.json",
    output:
        report(
            "artifacts/engines/{target}/report.json",
            category="Engines",
            labels={"target": "{target}"},
        ),
    log:
        "artifacts/logs/engines/{target}/report.log",
    benchmark:
        "artifacts/benchmarks/engines/{target}/report.tsv"
    conda:
        "environment.yml"
    params:
        code=digests.of_code("workflow_scripts.engines.states"),
        target="{target}",
        wanted=lambda w: PLAN.engine_places(w.target),
        folder="artifacts/engines/{target}",
    message:
        "list how far the engines of {wildcards.target} got"
    shell:
        "python -m workflow_scripts.engines.states --target {params.target:q}"
        " --machine {input.machine:q} --wanted {params.wanted:q} --engines {params.folder:q}"
        " --imports artifacts/imports --output {output:q} > {log:q} 2>&1"
