checkpoint record_machine:
    output:
        "artifacts/machines/{target}.json",
    log:
        "artifacts/logs/machines/{target}.log",
    benchmark:
        "artifacts/benchmarks/machines/{target}.tsv"
    conda:
        "../environment.yml"
    resources:
        gpu=slurm("gpu", 1),
        slurm_partition=slurm("partition"),
        constraint=slurm("constraint"),
    params:
        code=digests.of_code("runtime.machine"),
        seen=seen_here,
        library=lambda w: target_of(w).library,
        requirement=lambda w: target_of(w).requirement,
    shell:
        "python -m runtime.machine --library {params.library:q} {params.requirement:q}"
        " --output {output:q} > {log:q} 2>&1"


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
        "../environment.yml"
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
        "../environment.yml"
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
    shell:
        "python -m workflow_scripts.engines.verify {input.engine:q} --source {input.graph:q}"
        " --answers {input.answers:q} {params.tables:q} --output {output:q} > {log:q} 2>&1"


rule write_loop:
    input:
        graph=f"artifacts/graphs/{{precision}}/{{unit}}/{DECODER}.onnx",
        tables="artifacts/tables/{unit}/t2s_tables.npz",
    output:
        graph=f"artifacts/engines/cuda/{{precision}}/{{unit}}/{{max_len}}/{LOOP}.onnx",
        sidecar=f"artifacts/engines/cuda/{{precision}}/{{unit}}/{{max_len}}/{LOOP}.onnx.json",
    log:
        "artifacts/logs/loops/{precision}/{unit}/{max_len}.log",
    benchmark:
        "artifacts/benchmarks/loops/{precision}/{unit}/{max_len}.tsv"
    conda:
        "../environment.yml"
    params:
        code=digests.of_code("workflow_scripts.engines.loop"),
        tools=digests.of_tools("onnx"),
        rows="{max_len}",
        arithmetic=lambda w: PLAN.loops[w.precision],
    shell:
        "python -m workflow_scripts.engines.loop {input.graph:q} --tables {input.tables:q}"
        " --max-len {params.rows:q} --arithmetic {params.arithmetic:q} --output {output.graph:q}"
        " > {log:q} 2>&1"
