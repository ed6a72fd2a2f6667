"""One gate a step: it re-opens every file, job and resource that an answer names, and believes none of it.

    looking    how gates look: evidence, logs, limits; faults and notes
    asked      what the words of a task ask for
    research   the plan, what finders found, the recipe
    critics    the three reviews before anything runs
    resources  model, data set, and the data itself
    code       the scripts, as they lie on the disk
    ran        jobs: the smoke run, the short and the full one
    result     the checklist, the evaluation, the last look

A gate changes nothing. What it finds is judged in the order: schema (before it), refuse, halt, send back, accept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlresearch.pipeline.gates import code, critics, ran, research, resources, result
from mlresearch.pipeline.task import Output, State, Verdict, World

Gate = Callable[[State, Output, World], Verdict]

GATES: Mapping[str, Gate] = {
    "plan": research.plan,
    "research.landmark": research.finder,
    "research.citations": research.finder,
    "research.examples": research.finder,
    "research.datasets": research.finder,
    "research.recipe": research.recipe,
    "verify_research": critics.verify_research,
    "resources.model": resources.model,
    "resources.dataset": resources.dataset,
    "data_audit": resources.data_audit,
    "format_critic": critics.format_critic,
    "implement": code.implement,
    "code_review": critics.code_review,
    "cpu_smoke": ran.cpu_smoke,
    "gpu_preflight": ran.gpu_preflight,
    "readiness": result.readiness,
    "full_job": ran.full_job,
    "evaluate": result.evaluate,
    "final_verification": result.final_verification,
}
