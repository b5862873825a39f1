from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/stages.smk"


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
    report,


rule inspect:
    """What the checkpoints are (artifacts/inspect); prints the bars of the precisions."""
    input:
        PLAN.inspect_files,
    log:
        "artifacts/logs/inspect.log",
    conda:
        "rules/environment.yml"
    params:
        precisions=config["precisions"],
    shell:
        "python -m workflow_scripts.variants.bars {params.precisions:q} | tee {log:q}"


rule graphs:
    """The fp32 graphs, PyTorch's recorded answers and tables (artifacts/graphs/fp32)."""
    input:
        PLAN.graph_files,
        PLAN.answer_files,
        PLAN.table_files,


rule variants:
    """Graphs at the other precisions (artifacts/graphs)."""
    input:
        PLAN.variant_files,


rule engines:
    """Compiled engines for every target that has a GPU (artifacts/engines)."""
    input:
        expand("artifacts/machines/{target.name}.json", target=PLAN.targets),  # all at once
        all_engines,


rule loops:
    """Decode loops that the cuda back end runs (artifacts/engines/cuda)."""
    input:
        all_loops,


rule engine_report:
    """How far the engines of every target got."""
    input:
        expand("artifacts/engines/{target.name}/report.json", target=PLAN.targets),


rule parity:
    """Distances from PyTorch, and the verdict by the bars (artifacts/parity)."""
    input:
        PLAN.parity_files,


rule bundles:
    """Voices to carry away (artifacts/bundles)."""
    input:
        PLAN.bundle_files,


rule benchmark:
    """Times of every bundle beside PyTorch; takes the whole machine (artifacts/bench)."""
    input:
        PLAN.bench_files,


rule report:
    """The page with verdicts, plots and sounds (artifacts/report/index.html)."""
    input:
        "artifacts/report/index.html",


rule all:
    """Everything but engines and benchmarks; what snakemake does by itself."""
    default_target: True
    input:
        rules.inspect.input,
        rules.graphs.input,
        rules.variants.input,
        rules.parity.input,
        rules.bundles.input,
        rules.report.input,


onsuccess:
    hear.print_command(map(Path, PLAN.bundle_files))


onerror:
    PROGRESS is None or logger.error(PROGRESS.epilogue())
