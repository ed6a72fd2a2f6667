"""The command surface as data: every script, verb and option, and what each may do. The guard and `cli` both read it.

Access words: `read` looks; `book` writes our own records and spends nothing beyond what a job already reserved;
`spend` reserves money or job time; `approve` is a person's act; `write` changes a Hub repository.
"""

from __future__ import annotations

from mlresearch.options import Option, Verb

_BACKEND = Option("--backend", "where the job runs", choices=("hf", "slurm", "local"))
_ON = Option("--backend", "the backend the job must be on; the ledger knows it", choices=("hf", "slurm", "local"))
_JOB = Option("--job", "the job's id in the ledger, such as j0007", "JOB", required=True)
_EXPERIMENT = Option("--experiment", "the experiment's id, such as e0003", "ID", required=True)
_FILE = Option("--file", "a file under work/", "PATH", required=True)

SUBMIT = Verb(
    "submit",
    "spend",
    "reserve inside the envelope, then start one job; returns at once",
    (
        Option("--backend", "where the job runs", required=True, choices=("hf", "slurm", "local")),
        Option("--script", "the Python file to run; its bytes travel with the job", "PATH", required=True),
        Option("--flavor", "hardware name, as jobs.py hardware lists it", "F", required=True),
        Option("--timeout", "90s, 30m, 1.5h, 1h30m, 2d or bare seconds", "T", required=True),
        Option("--arg", "one argument of the script; --arg=--flag when it begins with --", "A", many=True),
        Option("--dep", "one dependency beside the script's own header", "D", many=True),
        Option("--env", "one variable of the job's environment; SMOKE=1 for a smoke run", "K=V", many=True),
        Option("--secret", "name of a variable to pass on; never its value", "NAME", many=True),
        Option("--label", "one label", "K=V", many=True),
        Option("--namespace", "who is billed", "NS"),
        Option("--memory", "most memory the job may use, such as 2g", "M"),
        Option("--image", "container image, where the backend runs containers", "IMAGE"),
        Option("--python", "Python version, such as 3.12", "V"),
        Option("--launcher", "what starts the script", choices=("python", "torchrun", "accelerate")),
        Option("--experiment", "the experiment the job belongs to", "ID"),
        Option("--max-usd", "without a program: the most this one job may cost", "USD"),
    ),
)

JOBS = (
    SUBMIT,
    Verb("inspect", "book", "one job's stage; settles it in the ledger when it has ended", (_JOB, _ON)),
    Verb("logs", "read", "what the job printed", (_JOB, _ON, Option("--follow", "until it ends", switch=True))),
    Verb(
        "wait",
        "book",
        "until the job (or, without --job, any open job) ends",
        (
            Option("--job", "one job; without it the next one to end", "JOB"),
            Option("--for", "stop waiting after this long", "T"),
            _ON,
        ),
    ),
    Verb("list", "read", "every job in the ledger", (Option("--open", "only those not settled", switch=True), _ON)),
    Verb("cancel", "book", "stop a job of this campaign", (_JOB, _ON)),
    Verb("hardware", "read", "flavors and prices", (_BACKEND,)),
    Verb("reconcile", "book", "settle ended jobs, adopt found ones, release reservations that never started"),
)

PROGRAM = (
    Verb("init", "book", "write program.md from the template; never over an existing one"),
    Verb("check", "read", "every fault of program.md at once"),
    Verb("show", "read", "the limits, the worst case in dollars, and the digest to approve"),
    Verb(
        "approve",
        "approve",
        "seal the envelope; a person's act",
        (Option("--digest", "the digest program.py show printed", "D", required=True),),
    ),
    Verb("revoke", "approve", "end the approval: nothing more may be spent here"),
)

CAMPAIGN = (
    Verb("start", "book", "check the gates, put the sealed data away, open the campaign"),
    Verb("status", "read", "where the campaign is, what is left, what to do next"),
    Verb("next", "read", "the one next step and its command"),
    Verb("plan", "book", "store one experiment's plan before anything runs", (_FILE,)),
    Verb("submit", "spend", "submit the runs that an experiment (or the baseline) still needs", (_EXPERIMENT,)),
    Verb(
        "collect",
        "book",
        "settle ended jobs and read their metrics from the logs",
        (Option("--wait", "wait up to this long for the next job to end", "T"),),
    ),
    Verb(
        "analyse",
        "book",
        "check that every planned file was written, and store the analysis",
        (_EXPERIMENT, _FILE),
    ),
    Verb("decide", "book", "keep, discard or crash, by the rule in program.md", (_EXPERIMENT,)),
    Verb(
        "finalize",
        "spend",
        "re-measure baseline and incumbent once on the sealed data, then close the campaign",
    ),
    Verb("report", "book", "write runs/summary.md and runs/report.html from the ledger"),
    Verb("verify", "read", "name the first ledger row that was damaged, edited or reordered"),
    Verb(
        "run",
        "spend",
        "the whole campaign without a model: a sampler proposes",
        (Option("--quiet", "no live progress", switch=True),),
    ),
)

DEMO = (
    Verb(
        "run",
        "approve",
        "a campaign on real data on this machine",
        (
            Option("--task", "which data", choices=("digits", "diabetes", "names")),
            Option("--dir", "the folder to make (default ml-research-demo/TASK)", "PATH"),
        ),
    ),
)

SURFACE: dict[str, dict[str, Verb]] = {
    script: {verb.name: verb for verb in verbs}
    for script, verbs in {
        "program.py": PROGRAM,
        "jobs.py": JOBS,
        "campaign.py": CAMPAIGN,
        "demo.py": DEMO,
    }.items()
}
