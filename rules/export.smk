rule export_shared:
    input:
        ancient(lambda w: PLAN.bases[w.base]),
    output:
        graph=temp("artifacts/raw/shared/{base}/{base}.onnx"),
        answers="artifacts/reference/shared/{base}/{base}.npz",
    log:
        "artifacts/logs/export/shared/{base}.log",
    benchmark:
        "artifacts/benchmarks/export/shared/{base}.tsv"
    wildcard_constraints:
        base=one_of(sorted(set(PLAN.bases) - {"roberta"})),
    conda:
        "torch.yml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        code=digests.of_code("workflow_scripts.graphs.export", *LAYOUTS, *NETWORKS),
        tools=digests.of_tools("torch", "transformers", "onnx", "numpy"),
        source=lambda w: SOURCES.of(PLAN.bases[w.base]),
        base="{base}",
        unit="shared/{base}",
    message:
        "export {wildcards.base} from PyTorch"
    shell:
        "python -m workflow_scripts.graphs.export {params.base:q} {input:q}"
        " --graphs artifacts/raw/{params.unit:q} --answers artifacts/reference/{params.unit:q}"
        " --tables artifacts/tables/{params.unit:q} --sha256 {params.source:q} > {log:q} 2>&1"


use rule export_shared as export_roberta with:
    output:
        graph=temp("artifacts/raw/shared/{base}/{base}.onnx"),
        answers="artifacts/reference/shared/{base}/{base}.npz",
        table="artifacts/tables/shared/{base}/vocabulary.json",
    wildcard_constraints:
        base="roberta",


EXPORTER = {"vits": "sovits"}  # profiles name the rule as it was when there was one kind


for kind, voices in PLAN.kinds.items():

    rule:
        name:
            f"export_{EXPORTER.get(kind, kind)}"
        input:
            sovits=ancient(lambda w: voice_of(w).sovits),
            base=ancient(lambda w: voice_of(w).acoustic_files[1:]),
        output:
            temp(expand("artifacts/raw/voices/{{voice}}/{graph}.onnx", graph=voices[0].graphs)),
            expand("artifacts/reference/voices/{{voice}}/{graph}.npz", graph=voices[0].graphs),
        log:
            "artifacts/logs/export/voices/{voice}/sovits.log",
        benchmark:
            "artifacts/benchmarks/export/voices/{voice}/sovits.tsv"
        wildcard_constraints:
            voice=one_of(voice.name for voice in voices),
        conda:
            "torch.yml"
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            code=digests.of_code("workflow_scripts.graphs.export", *LAYOUTS, *NETWORKS),
            tools=digests.of_tools("torch", "onnx", "numpy"),
            source=lambda w: SOURCES.of(voice_of(w).sovits),
            base=lambda w: base_of(voice_of(w)),
            unit="voices/{voice}",
        message:
            "export the acoustic model of {wildcards.voice} from PyTorch"
        shell:
            "python -m workflow_scripts.graphs.export sovits {input.sovits:q} {params.base:q}"
            " --graphs artifacts/raw/{params.unit:q} --answers artifacts/reference/{params.unit:q}"
            " --tables artifacts/tables/{params.unit:q} --sha256 {params.source:q} > {log:q} 2>&1"
