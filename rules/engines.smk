rule build_engine:
    input:
        graph=engine_source,
        tables=loop_tables,
        machine=ancient("artifacts/machines/{target}.json"),
        importer=ancient(IMPORTER),
    output:
        engine="artifacts/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.engine",
        sidecar="artifacts/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.json",
    log:
        "artifacts/logs/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.tsv"
    conda:
        "environment.yml"
    threads: slurm("cpus", 4)
    resources:
        gpu=slurm("gpu", 1),
        slurm_partition=slurm("partition"),
        constraint=slurm("constraint"),
    params:
        code=digests.of_code("workflow_scripts.engines.build"),
        tools=digests.of_tools("onnx"),
        importer=SOURCES.of(IMPORTER),
        graph="{graph}",
        precision="{precision}",
        rows=lambda w: 0 if w.length == ANY_LENGTH else w.length,
        cache="artifacts/engines/{target}/{machine}/timing.cache",
        machine="{machine}",
        tables=lambda w: [word for path in loop_tables(w) for word in ("--tables", path)],
    message:
        "build the engine of {wildcards.graph} of {wildcards.unit} at {wildcards.precision} for {wildcards.target}"
    shell:
        "python -m workflow_scripts.engines.build {input.graph:q} --graph {params.graph:q}"
        " {params.tables:q} --precision {params.precision:q} --max-len {params.rows:q}"
        " --machine {input.machine:q} --machine-id {params.machine:q}"
        " --timing-cache {params.cache:q} --output {output.engine:q}"
        " --sidecar {output.sidecar:q} > {log:q} 2>&1"


rule verify_engine:
    input:
        engine="artifacts/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.engine",
        sidecar="artifacts/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.json",
        graph=engine_source,
        answers=engine_answers,
        tables=loop_tables,
        machine=ancient("artifacts/machines/{target}.json"),
    output:
        "artifacts/engines/{target}/{machine}/{precision}/{unit}/{length}/{graph}.verified.json",
    log:
        "artifacts/logs/verify/{target}/{machine}/{precision}/{unit}/{length}/{graph}.log",
    benchmark:
        "artifacts/benchmarks/verify/{target}/{machine}/{precision}/{unit}/{length}/{graph}.tsv"
    conda:
        "environment.yml"
    threads: slurm("cpus", 4)
    resources:
        gpu=slurm("gpu", 1),
        slurm_partition=slurm("partition"),
        constraint=slurm("constraint"),
    params:
        code=digests.of_code("workflow_scripts.engines.verify"),
        tools=digests.of_tools("onnx", "onnxruntime"),
        soft=recorded_soft,
        tables=lambda w: [word for path in loop_tables(w) for word in ("--tables", path)],
    message:
        "compare the engine of {wildcards.graph} of {wildcards.unit} at {wildcards.precision} with the CPU"
    shell:
        "python -m workflow_scripts.engines.verify {input.engine:q} --source {input.graph:q}"
        " --answers {input.answers:q} {params.tables:q} --output {output:q} > {log:q} 2>&1"
