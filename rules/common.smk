def one_of(names):
    return "|".join(map(re.escape, names)) or "(?!)"


workflow.global_resources.setdefault("gpu", 1)  # one job at a time measures on a GPU


wildcard_constraints:
    voice=one_of(voice.name for voice in PLAN.voices),
    base=one_of(PLAN.bases),
    unit=one_of(PLAN.units),
    graph=one_of([*PLAN.bases, *PLAN.acoustic_graphs, *T2S_GRAPHS, LOOP]),
    max_len=one_of(PLAN.lengths),
    precision=one_of(PLAN.stored_precisions),
    target=one_of(target.name for target in PLAN.targets),
    machine=r"[A-Za-z0-9._-]+",
    length=one_of([ANY_LENGTH, *PLAN.lengths]),


def base_of(voice):
    """Words that name the base of a LoRA, and which one it must be."""
    options = voice.base_options
    return [*options, "--base-sha256", SOURCES.of(voice.base)] if options else []


def voice_of(wildcards):
    return PLAN.voice(wildcards.voice)


def notice_of(wildcards):
    """Digest of what goes into a bundle from beside the voice's example; empty without it."""
    path = Path(voice_of(wildcards).reference.audio).with_name("NOTICE.txt")
    return SOURCES.of(path) if path.is_file() else ""


def members_of(wildcards):
    return PLAN.members(wildcards.voice, wildcards.precision)


def of_members(pattern):
    return lambda wildcards: [pattern.format(member) for member in members_of(wildcards)]


def named(files):
    return [f"{name}={path}" for name, path in files.items()]


def in_json(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def report_files(wildcards):
    """What the report of a voice is made of, with the digests of its sources."""
    sources = SOURCES.of_each(PLAN.sources(wildcards.voice))
    return report_job.voice_files(PLAN, wildcards.voice, sources)
