checkpoint record_machine:
    output:
        "artifacts/machines/{target}.json",
    log:
        "artifacts/logs/machines/{target}.log",
    benchmark:
        "artifacts/benchmarks/machines/{target}.tsv"
    conda:
        "environment.yml"
    resources:
        gpu=slurm("gpu", 1),
        slurm_partition=slurm("partition"),
        constraint=slurm("constraint"),
    params:
        code=digests.of_code("runtime.machine"),
        seen=seen_here,
        library=lambda w: target_of(w).library,
        requirement=lambda w: target_of(w).requirement,
    message:
        "ask what the machine of {wildcards.target} is"
    shell:
        "python -m runtime.machine --library {params.library:q} {params.requirement:q}"
        " --output {output:q} > {log:q} 2>&1"


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
        "environment.yml"
    params:
        code=digests.of_code("workflow_scripts.engines.loop"),
        tools=digests.of_tools("onnx"),
        rows="{max_len}",
        arithmetic=lambda w: PLAN.loops[w.precision],
    message:
        "write the decode loop of {wildcards.unit} at {wildcards.precision} for CUDA"
    shell:
        "python -m workflow_scripts.engines.loop {input.graph:q} --tables {input.tables:q}"
        " --max-len {params.rows:q} --arithmetic {params.arithmetic:q} --output {output.graph:q}"
        " > {log:q} 2>&1"
