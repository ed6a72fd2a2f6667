"""The thirteen phases as a table of steps: who does each, what it reads, what its answer must look like, what follows.

Data alone: the engine walks it, the gates judge the answers. A step of a group may be done at the same time as the
others of its group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """`schema` names a file of schemas/pipeline. `reads` are steps whose accepted answers belong to the brief.

    `blocks` is the step that a critic's mustReblock sends back to, once; `blocked` the reason when that did not help.
    `tries` is how often the step may fail before it stops (0: fail is refused; None: --max-job-retries).
    """

    name: str
    phase: int
    title: str
    agent: str
    schema: str
    goal: str
    reads: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    blocks: str | None = None
    blocked: str | None = None
    tries: int | None = 0

    @property
    def group(self) -> str:
        """Steps of one group run side by side."""
        return self.name.partition(".")[0] if "." in self.name else self.name


_FINDERS = "research.landmark", "research.citations", "research.examples", "research.datasets"
_RESOURCES = "resources.model", "resources.dataset"

STEPS: tuple[Step, ...] = (
    Step(
        "plan", 0, "Intake and plan", "you", "plan",
        "Say what is asked and freeze it: model, data, method, adapter, length, exactly in the user's words. "
        "Choose the profile, the metric and the steps. A question that needs no training is answered here.",
        rules=("R4", "R8"),
    ),
    Step(
        "research.landmark", 1, "Research: landmark papers", "researcher", "finder",
        "Find the papers that this kind of task rests on, and read their method sections, not only abstracts: "
        "which settings produced which numbers on which data.",
        ("plan",), ("R11", "R14"),
    ),
    Step(
        "research.citations", 1, "Research: what followed", "researcher", "finder",
        "Follow citations of the landmark papers both ways: what improved on them, what failed to reproduce, "
        "which settings are used today.",
        ("plan",), ("R11", "R14"),
    ),
    Step(
        "research.examples", 1, "Research: working examples", "researcher", "finder",
        "Find current documentation and working code for this method: imports, trainer arguments, versions. "
        "The plugin's template for the method comes first.",
        ("plan",), ("R11", "R12"),
    ),
    Step(
        "research.datasets", 1, "Research: data sets", "researcher", "finder",
        "Find which data produced the reported results, and whether the data of this task is like it.",
        ("plan",), ("R8", "R9"),
    ),
    Step(
        "research.recipe", 1, "Research: the recipe", "you", "research",
        "Make one recipe of what the finders found: ranked, each result linked to the data, method and numbers "
        "that produced it, with current code patterns.",
        ("plan", *_FINDERS), ("R3", "R11", "R14"),
    ),
    Step(
        "verify_research", 2, "Verify the research", "critic", "critic",
        "Check by tools that every cited paper, data set, model and page exists and says what is claimed, and that "
        "imports and arguments are current. What a look-up says does not exist, or does not say what is quoted, is an "
        "error; what could not be looked up is a warn, with what would settle it.",
        ("plan", *_FINDERS, "research.recipe"), ("R11", "R14"),
        blocks="research.recipe", blocked="research_unverified",
    ),
    Step(
        "resources.model", 3, "Resources: the model", "researcher", "resource",
        "Inspect the model that the user named, or two to five candidates when none was named: does it exist, is it "
        "open, how large is it, which hardware fits at the least price.",
        ("plan", "research.recipe"), ("R6", "R8"),
    ),
    Step(
        "resources.dataset", 3, "Resources: the data set", "researcher", "resource",
        "Inspect the data set that the user named, or candidates when none was named: does it exist, is it open, "
        "which revision.",
        ("plan", "research.recipe"), ("R8", "R9"),
    ),
    Step(
        "data_audit", 4, "Audit the data", "researcher", "data_audit",
        "Look at the data itself: columns, splits, lengths, classes, nulls, duplicates within and across splits, "
        "real rows; and whether it serves the method, as it is or by a mapping.",
        ("plan", *_RESOURCES), ("R8", "R9"),
    ),
    Step(
        "format_critic", 4, "Check data against method", "critic", "critic",
        "Inspect the data again by yourself and try to refute the audit: wrong mapping, wrong roles, broken rows, "
        "overlap of splits.",
        ("plan", "data_audit"), ("R8", "R9"),
        blocks="data_audit", blocked="dataset_format_incompatible",
    ),
    Step(
        "implement", 5, "Write the scripts", "ml-worker", "implementation",
        "Adapt the template of the profile (or the example that the research named) to a training and an evaluation "
        "script under work/. Change what the task needs and nothing else.",
        ("plan", "research.recipe", *_RESOURCES, "data_audit"),
        ("R1", "R2", "R3", "R4", "R5", "R6", "R11", "R12", "R13"),
    ),
    Step(
        "code_review", 6, "Review the code", "critic", "critic",
        "Read both scripts against the recipe and current documentation: invented imports or arguments, absolute "
        "paths of this machine ({root}/… is right in a local task), missing monitoring, placeholder destinations, "
        "short limits, no answer to out of memory, source builds.",
        ("plan", "research.recipe", "data_audit", "implement"), ("R4", "R5", "R11", "R12", "R13"),
        blocks="implement", blocked="code_review_blocked",
    ),
    Step(
        "cpu_smoke", 7, "Smoke run on this machine", "ml-worker", "smoke",
        "Run the training script with SMOKE=1 as a free local job: one training and one evaluation step. A high loss "
        "is no failure; an error is.",
        ("plan", "implement"), ("R3", "R4", "R10"), tries=3,
    ),
    Step(
        "gpu_preflight", 8, "Short job on the real hardware", "ml-worker", "job",
        "Submit the short job with the real model and watch it to its end: does the model load, does a step run, does "
        "memory suffice, how many steps a second.",
        ("plan", "implement", "cpu_smoke"), ("R3", "R4", "R7", "R10"), tries=None,
    ),
    Step(
        "readiness", 9, "Ready for the full job", "you", "checklist",
        "Go through the checklist, each item with its evidence. What does not hold is said, not argued away.",
        ("plan", "research.recipe", "data_audit", "implement", "cpu_smoke", "gpu_preflight"), ("R1", "R5", "R9"),
    ),
    Step(
        "full_job", 10, "The full job", "ml-worker", "job",
        "Submit one full job. Wait until it is healthy, then until it is done; an ERROR alert is a failure, to be "
        "diagnosed.",
        ("plan", "implement", "gpu_preflight", "readiness"), ("R1", "R3", "R4", "R7", "R10"), tries=None,
    ),
    Step(
        "evaluate", 11, "Evaluate what was saved", "ml-worker", "evaluation",
        "Load what was saved, measure it beside the baseline that answers the task (as a rule the model before "
        "training), with number of examples and standard error.",
        ("plan", "implement", "full_job"), ("R1", "R2", "R14"), tries=3,
    ),
    Step(
        "final_verification", 12, "Does everything conform?", "critic", "completion",
        "Verify each criterion again by tools, trusting no earlier answer: research came first and is real, "
        "resources were inspected, the smoke run and the short job ran, the result is saved, evaluated and linked, "
        "nothing of the task was changed, no job is open, spending is inside the cap.",
        ("plan", "research.recipe", "data_audit", "implement", "full_job", "evaluate"), ("R4", "R8", "R14"),
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Step] = {step.name: step for step in STEPS}

_TRAINING = "implement", "code_review", "cpu_smoke", "gpu_preflight", "readiness", "full_job"

# Steps that a profile without training leaves out; the rest is done in order, and `evaluate` measures or builds.
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "eval": ("research.landmark", "research.citations", *_TRAINING),
    "data": ("research.landmark", "research.citations", "resources.model", *_TRAINING),
}
