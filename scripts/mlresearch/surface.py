"""The command surface as data: every script, verb and option, and what each may do. The guard and `cli` both read it.

Access words: `read` looks; `book` writes our own records and spends nothing beyond what a job already reserved;
`spend` reserves money or job time; `approve` is a person's act; `write` changes a Hub repository.
"""

from __future__ import annotations

from mlresearch.lookups import CODE_SEARCH, HF_DOCS, INSPECT_DATASET, INSPECT_MODEL, PAPERS
from mlresearch.options import Option, Verb

_BACKEND = Option("--backend", "where the job runs", choices=("hf", "slurm", "local"))
_ON = Option("--backend", "the backend the job must be on; the ledger knows it", choices=("hf", "slurm", "local"))
_JOB = Option("--job", "the job's id in the ledger, such as j0007", "JOB", required=True)
_EXPERIMENT = Option("--experiment", "the experiment's id, such as e0003", "ID", required=True)
# what a session may say by itself; every other reason is found by code
STOPPABLE = ("interrupted", "approval_denied", "envelope_missing", "auth_missing")
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
    Verb("metrics", "read", "one sample of the load of a job's machine; for a job here its peak memory", (_JOB, _ON)),
    Verb("logs", "read", "what the job printed", (_JOB, _ON, Option("--follow", "until it ends", switch=True))),
    Verb(
        "wait",
        "book",
        "until a job ends, or shows a sign of trouble (an ERROR alert, NaN, a stall); without --job, the next to end",
        (
            Option("--job", "one job; without it the next one to end", "JOB"),
            Option("--until", "healthy: the first step or metric is enough; default done", choices=("healthy", "done")),
            Option("--for", "stop waiting after this long", "T"),
            Option("--since", "tell only what is newer than this cursor of an earlier answer", "CURSOR"),
            Option("--stall-after", "the shortest time without a new step that is a stall (default 10m)", "T"),
            Option("--space", "read alerts from this Trackio Space (owner/name) or server (address)", "PLACE"),
            Option("--project", "the Trackio project, with --space", "P"),
            Option("--run", "the Trackio run, with --space", "R"),
            _ON,
        ),
    ),
    Verb("list", "read", "every job in the ledger", (Option("--open", "only those not settled", switch=True), _ON)),
    Verb("cancel", "book", "stop a job of this campaign", (_JOB, _ON)),
    Verb("hardware", "read", "flavors and prices", (_BACKEND,)),
    Verb("reconcile", "book", "settle ended jobs, adopt found ones, release reservations that never started"),
    Verb(
        "watch",
        "book",
        "settle jobs in the background from now on; starts one watcher a project and returns",
        (
            Option("--idle", "end once no job was open for this long (default 30m)", "T"),
            Option("--every", "look this often (default 1s to 5s here, 15s to 60s elsewhere)", "T"),
            Option("--foreground", "be the watcher instead of starting one", switch=True),
        ),
    ),
    Verb(
        "news",
        "book",
        "all that changed since the last look, what to do next, how long to sleep",
        (Option("--since", "look again from this cursor; 0.0 is the beginning", "CURSOR"),),
    ),
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

_TASK = Option("--task", "the task's name; default the open one, else the last", "NAME")
_PHASE = Option("--phase", "the step, as pipeline.py next names it", "STEP", required=True)

PIPELINE = (
    Verb(
        "start",
        "book",
        "open a task: its record under runs/, its files under work/",
        (
            Option("TASK", "the task in the user's own words", required=True, many=True),
            Option("--model", "the model, exactly as the user named it", "NAME"),
            Option("--dataset", "the data set, exactly as the user named it", "NAME"),
            Option("--hub-org", "the account or organization that is billed and gets what is uploaded", "OWNER"),
            Option("--cost-cap-usd", "the most that a person is asked to approve (default 10)", "USD"),
            Option("--max-job-retries", "how often the short and the full job may each run (default 3)", "N"),
            Option("--smoke-model", "a tiny model for the smoke run on this machine", "NAME"),
            Option(
                "--backend",
                "where jobs run (default local; hf when the task speaks of HF Jobs)",
                choices=("local", "hf"),
            ),
        ),
    ),
    Verb("next", "book", "what to do now: one page for each open step", (_TASK,)),
    Verb(
        "complete",
        "book",
        "hand in a step's answer; it is checked against files, jobs and sources before it counts",
        (_PHASE, Option("--output", "the answer, a JSON file under work/", "PATH", required=True), _TASK),
    ),
    Verb(
        "fail",
        "book",
        "hand in the diagnosis of a failed step; one more try is granted, or the task stops",
        (_PHASE, Option("--analysis", "the diagnosis, a JSON file under work/", "PATH", required=True), _TASK),
    ),
    Verb("status", "read", "what is done, what is open, what failed, what was spent", (_TASK,)),
    Verb(
        "finalize",
        "book",
        "check everything once more, write the report, end the approval",
        (Option("--stop", "end the task unfinished, for this reason", choices=STOPPABLE), _TASK),
    ),
)

BROKER = (
    Verb(
        "run",
        "approve",
        "in a person's own terminal: hold the token, run what the model's shell asks for",
        (
            Option(
                "--backend", "where requests may submit to (default hf)", choices=("hf", "slurm", "local"), many=True
            ),
            Option("--secret", "name of a variable that jobs may be given", "NAME", many=True),
        ),
    ),
    Verb("status", "read", "whether a broker serves this project"),
)

_REPO = (
    Option("--repo-id", "owner/name on the Hub", "R", required=True),
    Option("--repo-type", "what it holds (default model)", choices=("model", "dataset", "space")),
)
_AS_PR = Option("--as-pr", "propose it as a pull request instead of a commit", switch=True)

HUB = (
    Verb(
        "list",
        "read",
        "the files of a repository, with sizes",
        (
            *_REPO,
            Option("--path", "only this folder", "P"),
            Option("--revision", "branch, tag or commit (default main)", "REV"),
        ),
    ),
    Verb(
        "read",
        "read",
        "one text file by lines; what any other file is",
        (
            *_REPO,
            Option("--path", "the file in the repository", "P", required=True),
            Option("--revision", "branch, tag or commit (default main)", "REV"),
            Option("--lines", "which lines, such as 40-120 or 40- (default the first 400)", "A-B"),
        ),
    ),
    Verb(
        "upload",
        "write",
        "one commit with files of this project; the same files again make none",
        (
            *_REPO,
            Option("--path", "a file or folder here", "PATH", required=True, many=True),
            Option("--to", "folder in the repository; for one file its name there, unless it ends with /", "P"),
            _AS_PR,
        ),
    ),
    Verb(
        "delete",
        "write",
        "one commit that removes files, where allow_deletes says so",
        (
            *_REPO,
            Option(
                "--path", "a file in the repository, or a folder when it ends with /", "P", required=True, many=True
            ),
            _AS_PR,
        ),
    ),
)

# what a broker runs for the model's shell, a person's acts aside
BROKERED = frozenset({"program.py", "jobs.py", "campaign.py", "pipeline.py", "hub.py"})

SURFACE: dict[str, dict[str, Verb]] = {
    script: {verb.name: verb for verb in verbs}
    for script, verbs in {
        "program.py": PROGRAM,
        "jobs.py": JOBS,
        "campaign.py": CAMPAIGN,
        "demo.py": DEMO,
        "hub.py": HUB,
        "papers.py": PAPERS,
        "hf_docs.py": HF_DOCS,
        "code_search.py": CODE_SEARCH,
        "inspect_dataset.py": INSPECT_DATASET,
        "inspect_model.py": INSPECT_MODEL,
        "broker.py": BROKER,
        "pipeline.py": PIPELINE,
    }.items()
}
