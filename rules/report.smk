rule report_voice:
    input:
        lambda w: report_job.voice_files(PLAN, w.voice).inputs,
    output:
        page=report(
            "artifacts/report/voices/{voice}.html",
            category="Voices",
            labels={"voice": "{voice}"},
            caption="captions/voice.rst",
        ),
        part="artifacts/report/voices/{voice}.json",
    log:
        "artifacts/logs/report/{voice}.log",
    benchmark:
        "artifacts/benchmarks/report/{voice}.tsv"
    conda:
        "environment.yml"
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        code=digests.of_code("workflow_scripts.report.write"),
        templates=SOURCES.of(ROOT / "workflow_scripts/report/templates"),
        tools=digests.of_tools("matplotlib", "numpy"),
        later=lambda w: [SOURCES.of(path) for path in report_job.measured_later(report_files(w))],
        files=lambda w: in_json(asdict(report_files(w))),
    message:
        "report on {wildcards.voice}"
    shell:
        "python -m workflow_scripts.report.write --voice {params.files:q}"
        " --page {output.page:q} --output {output.part:q} > {log:q} 2>&1"


rule write_report:
    input:
        [f"artifacts/report/voices/{voice.name}.json" for voice in PLAN.voices],
    output:
        page=report(
            "artifacts/report/index.html",
            category="Verdict",
            labels={"what": "all bundles"},
            caption="captions/report.rst",
        ),
        summary="artifacts/report/summary.json",
    log:
        "artifacts/logs/report.log",
    benchmark:
        "artifacts/benchmarks/report.tsv"
    conda:
        "environment.yml"
    params:
        code=digests.of_code("workflow_scripts.report.write"),
        templates=SOURCES.of(ROOT / "workflow_scripts/report/templates"),
    message:
        "put the report together"
    shell:
        "python -m workflow_scripts.report.write --parts {input:q} --page {output.page:q}"
        " --output {output.summary:q} > {log:q} 2>&1"
