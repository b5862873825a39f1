rule pack_bundle:
    input:
        facts="artifacts/inspect/{voice}.json",
        verdict="artifacts/parity/verdicts/{voice}/{max_len}/{precision}.json",
        stream="artifacts/parity/stream/{voice}/{precision}.json",
        graphs=of_members("artifacts/graphs/{}.onnx"),
        tables=lambda w: PLAN.tables(w.voice),
        audio=ancient(lambda w: voice_of(w).reference.audio),
        readings=ancient(lambda w: PLAN.reading_sources(w.voice).values()),
    output:
        "artifacts/bundles/{voice}/{max_len}/{precision}/manifest.json",
    log:
        "artifacts/logs/bundles/{voice}/{max_len}/{precision}.log",
    benchmark:
        "artifacts/benchmarks/bundles/{voice}/{max_len}/{precision}.tsv"
    conda:
        "environment.yml"
    params:
        code=digests.of_code("workflow_scripts.bundle.pack", *ACOUSTIC_MODELS),
        tools=digests.of_tools(*TOOLS),
        sources=lambda w: in_json(SOURCES.of_each(PLAN.sources(w.voice))),
        members=lambda w: PLAN.member_options(w.voice, w.precision),
        text=lambda w: voice_of(w).reference.text,
        lang=lambda w: voice_of(w).reference.lang,
        readings=lambda w: PLAN.reading_options(w.voice),
        options=lambda w: in_json(PLAN.options(w.voice, w.precision)),
        notice=notice_of,
        voice="{voice}",
        max_len="{max_len}",
        precision="{precision}",
    message:
        "pack {wildcards.voice} at {wildcards.precision}, {wildcards.max_len} rows"
    shell:
        "python -m workflow_scripts.bundle.pack {params.members:q} --tables {input.tables:q}"
        " --voice {params.voice:q} --max-len {params.max_len:q} --precision {params.precision:q}"
        " --reference-audio {input.audio:q} --reference-text={params.text:q}"
        " --reference-lang {params.lang:q} --facts {input.facts:q} --verdict {input.verdict:q}"
        " --stream {input.stream:q}"
        " --sources {params.sources:q} --tools {params.tools:q} --options {params.options:q}"
        " {params.readings:q} --output {output:q} > {log:q} 2>&1"


for folder, manifests in PLAN.bundle_folders.items():

    rule:
        """The bundles in a folder, which can be named as a target itself."""
        name:
            folder
        input:
            manifests,
        localrule: True
