from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/inspect.smk"
include: "rules/export.smk"
include: "rules/precision.smk"
include: "rules/engines.smk"
include: "rules/states.smk"
include: "rules/proof.smk"
include: "rules/release.smk"
include: "rules/bench.smk"


localrules:
    all,
    inspect,
    graphs,
    variants,
    engines,
    loops,
    engine_report,
    report_engines,
    parity,
    bundles,
    benchmark,


rule inspect:
    input:
        PLAN.inspect_files,


rule graphs:
    input:
        PLAN.graph_files,
        PLAN.answer_files,
        PLAN.table_files,


rule variants:
    input:
        PLAN.variant_files,


rule engines:
    input:
        expand("artifacts/machines/{target.name}.json", target=PLAN.targets),  # all at once
        all_engines,


rule loops:
    input:
        PLAN.loop_files,


rule engine_report:
    input:
        expand("artifacts/engines/{target.name}/report.json", target=PLAN.targets),


rule parity:
    input:
        PLAN.parity_files,


rule bundles:
    input:
        PLAN.bundle_files,


rule benchmark:
    input:
        PLAN.bench_files,


rule all:
    default_target: True
    input:
        rules.inspect.input,
        rules.graphs.input,
        rules.variants.input,
        rules.parity.input,
        rules.bundles.input,


onsuccess:
    hear.tell(map(Path, PLAN.bundle_files))
