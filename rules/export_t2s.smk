rule export_t2s:
    input:
        ancient(lambda w: voice_of(w).gpt),
    output:
        temp(expand("artifacts/raw/voices/{{voice}}/{graph}.onnx", graph=T2S_GRAPHS)),
        expand("artifacts/reference/voices/{{voice}}/{graph}.npz", graph=T2S_GRAPHS),
        "artifacts/tables/voices/{voice}/t2s_tables.npz",
    log:
        "artifacts/logs/export/voices/{voice}/t2s.log",
    benchmark:
        "artifacts/benchmarks/export/voices/{voice}/t2s.tsv"
    conda:
        "torch.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=digests.of_code("workflow_scripts.graphs.export", *LAYOUTS, *NETWORKS),
        tools=digests.of_tools("torch", "onnx", "numpy"),
        source=lambda w: SOURCES.of(voice_of(w).gpt),
        unit="voices/{voice}",
    message:
        "export the T2S model of {wildcards.voice} from PyTorch"
    shell:
        "python -m workflow_scripts.graphs.export t2s {input:q}"
        " --graphs artifacts/raw/{params.unit:q} --answers artifacts/reference/{params.unit:q}"
        " --tables artifacts/tables/{params.unit:q} --sha256 {params.source:q} > {log:q} 2>&1"
