"""Every reason for which a task stops, with what a person reads and what they can do next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stop:
    """`told` may name {what}: the model, the job, the limit. `next_step` is what a person can do."""

    reason: str
    told: str
    next_step: str


_ATTEMPTS = {
    "cpu_smoke": "the smoke run on this machine",
    "gpu_preflight": "the short job on the real hardware",
    "full_job": "the full job",
}
_PER_ATTEMPT = {
    "retries_exhausted": (
        "{step} failed in every attempt: {{what}}",
        "read the last diagnosis in work/, then ask for another way",
    ),
    "unrecoverable": (
        "{step} can not be made to work inside the task: {{what}}",
        "change the task, or what it asks for",
    ),
    "same_error": (
        "{step} failed twice with the same error: {{what}}",
        "look at the evidence again; the diagnosis was wrong",
    ),
}

_STATED: tuple[Stop, ...] = (
    Stop("answered", "the request needed no training; it was answered", "nothing"),
    Stop("completed", "the result was measured, saved and checked", "read the report"),
    Stop(
        "resource_unavailable",
        "missing, or not to be used: {what}. Nothing was put in its place",
        "name another one, or correct the name, then start a new task",
    ),
    Stop(
        "dataset_format_incompatible",
        "the data can not serve the method, and no mapping would help: {what}",
        "name other data or another method",
    ),
    Stop(
        "scope_change",
        "only a change of what was asked for would help: {what}",
        "say whether the task may change so, then start a new task",
    ),
    Stop(
        "cost_cap_preflight",
        "the short job could pass what may be spent: {what}. Nothing was submitted; the plan stays",
        "raise the limit with a new approval, or choose cheaper hardware",
    ),
    Stop(
        "cost_cap_full_job",
        "the full job could pass what may be spent: {what}. It is prepared, not submitted; the plan stays",
        "raise the limit with a new approval, or choose cheaper hardware",
    ),
    Stop(
        "submit_invariant_preflight",
        "the short job must not be submitted as it is: {what}",
        "mend what is named, in a new task",
    ),
    Stop(
        "submit_invariant_full",
        "the full job must not be submitted as it is: {what}",
        "mend what is named, in a new task",
    ),
    Stop("preflight_checklist_unsatisfied", "the job is not ready: {what}", "satisfy what is named, in a new task"),
    Stop("planning_failed", "no usable plan was made: {what}", "say the task more plainly: model, data, method, limit"),
    Stop(
        "implementation_failed",
        "no usable training script was made: {what}",
        "give a working example, or another method",
    ),
)
_ADDED: tuple[Stop, ...] = (
    Stop(
        "research_unverified",
        "what the research cites could not be confirmed: {what}",
        "name a paper or an example to work from",
    ),
    Stop(
        "code_review_blocked",
        "the script still has errors after one correction: {what}",
        "read the review in work/, then give a hint or an example",
    ),
    Stop(
        "evaluation_failed",
        "the result could not be measured: {what}",
        "the model is where the report says; evaluate it by hand, or start an evaluation task",
    ),
    Stop(
        "not_persisted",
        "the trained model is not where it should be: {what}",
        "look at the job's log for the upload; the checkpoint may still be there",
    ),
    Stop("budget_denied", "the envelope refused: {what}", "a new approval with other limits"),
    Stop("approval_denied", "a person refused the approval", "ask what should be different"),
    Stop(
        "envelope_missing",
        "nobody has approved what this task may spend",
        "program.py show, then a person runs program.py approve",
    ),
    Stop(
        "billing_required",
        "the account has no credit for this: {what}",
        "add credit for the namespace, then start a new task",
    ),
    Stop(
        "gated_access",
        "access was not given: {what}",
        "ask for access on its page and wait for the answer, log in with an account that has it, or name another one",
    ),
    Stop("auth_missing", "no token that may do this: {what}", "hf auth login, in your own terminal"),
    Stop("walltime_reached", "the time that was approved is used up: {what}", "a new approval with a longer time"),
    Stop("target_reached", "the target is reached: {what}", "read the report"),
    Stop("interrupted", "the task was ended before it was done", "pipeline.py start, for a new task"),
)

STOPS: dict[str, Stop] = {
    stop.reason: stop
    for stop in (
        *_STATED,
        *_ADDED,
        *(
            Stop(f"{step}_{kind}", told.format(step=words), following)
            for step, words in _ATTEMPTS.items()
            for kind, (told, following) in _PER_ATTEMPT.items()
        ),
    )
}
