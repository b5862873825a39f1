def target_of(wildcards):
    return PLAN.target(wildcards.target)


def slurm(key, default=None):
    return lambda wildcards: (target_of(wildcards).slurm or {}).get(key, default)


def seen_here(wildcards):
    """This machine where a target is this machine; another's can't be seen from here."""
    target = target_of(wildcards)
    if target.slurm is not None:
        return "remote"
    here = machine_record(target.library)
    return f"{here.id} {in_json(here.soft)}"


def recorded_soft(wildcards):
    """What an engine's answers depend on besides its machine, as the machine was recorded."""
    record = Path(f"artifacts/machines/{wildcards.target}.json")
    return in_json(json.loads(record.read_text("utf-8"))["soft"]) if record.exists() else ""


def engine_source(wildcards):
    """The graph that an engine is built of."""
    graph = DECODER if wildcards.graph == LOOP else wildcards.graph
    return f"artifacts/graphs/{wildcards.precision}/{wildcards.unit}/{graph}.onnx"


def engine_answers(wildcards):
    """What an engine is compared on."""
    graph = DECODER if wildcards.graph == LOOP else wildcards.graph
    return f"artifacts/reference/{wildcards.unit}/{graph}.npz"


def loop_tables(wildcards):
    """What an engine with the token's embedding needs besides."""
    return [f"artifacts/tables/{wildcards.unit}/t2s_tables.npz"] * (wildcards.graph == LOOP)


def record_of(target):
    """What the machine behind a target is, once a job there has recorded it."""
    with checkpoints.record_machine.get(target=target.name).output[0].open() as file:
        return json.load(file)


def engines_of(target):
    """Engines of a target, or none and a line with the reason."""
    record = record_of(target)
    if record["missing"]:
        logger.warning(f"engines: none for target {target.name}: {record['missing']}")
        return []
    states = f"artifacts/engines/{target.name}/report.json"
    return [*PLAN.engine_files(target.name, record["id"]), states]


def all_loops(wildcards):
    """Every decode loop; decoders that have none are named once."""
    if PLAN.without_loop:
        logger.warning(PLAN.without_loop)
    return PLAN.loop_files


def all_engines(wildcards):
    return [path for target in PLAN.targets for path in engines_of(target)]


def evidence_of(wildcards):
    """What a target's report is made of: its engines, or imports where none can be built."""
    target = target_of(wildcards)
    record = record_of(target)
    if not record["missing"]:
        return PLAN.engine_files(target.name, record["id"])
    return [f"artifacts/imports/{place}.json" for place in PLAN.engine_places(target.name)]
