"""The closed list of failures, each with the only fix that it allows.

Owns what may be done about a failed job. A category that is not here is refused, so that a diagnosis can not open a
way round the task: what is asked (model, data, method, length, amount of data, monitoring) is in no fix.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """`fix` is all that is allowed. `stops` names the reason to stop at once. `needs` says what else must be given:

    docs: a page opened for this diagnosis; rung: the next rung of the memory ladder; longer: a longer time limit;
    other_bytes: script or arguments that differ from the failed ones; nothing: the one case that repeats unchanged.
    """

    name: str
    sign: str
    fix: str
    needs: str = "other_bytes"
    stops: str | None = None


# The order matters to a reader: the frequent first.
CATEGORIES: tuple[Category, ...] = (
    Category(
        "oom",
        "out of memory in the log, or the job was killed for memory",
        "the next rung of the ladder: smaller batch with more accumulation; then gradient checkpointing; then larger "
        "hardware. The effective batch stays, and so do method and sequence length",
        "rung",
    ),
    Category(
        "wrong_trainer_arg",
        "TypeError or ValueError about an argument of a library call",
        "open the current documentation of that version, then correct the argument",
        "docs",
    ),
    Category(
        "hallucinated_import",
        "ImportError or AttributeError of a name that the library does not have",
        "open a current example, then import what exists",
        "docs",
    ),
    Category(
        "dataset_schema_mismatch",
        "KeyError of a column, or a format that the trainer refuses",
        "map the real columns; a field that is truly absent stops the task",
    ),
    Category(
        "timeout",
        "the job reached its time limit while it was making progress",
        "a longer time limit; fewer data, epochs or tokens are no fix",
        "longer",
    ),
    Category(
        "divergence_nan",
        "loss is NaN, infinite or grows; an ERROR alert says so",
        "a tenth of the learning rate, or what the alert says",
    ),
    Category("missing_dependency", "ModuleNotFoundError", "add the package, pinned, as a prebuilt wheel"),
    Category(
        "dependency_conflict",
        "the resolver found no versions, or two libraries disagree",
        "pin the versions of the reference script",
    ),
    Category(
        "build_from_source_failure",
        "a package was being compiled in the job",
        "a prebuilt wheel or kernel in its place, or do without that optional speed-up",
    ),
    Category(
        "tokenizer_or_template",
        "no chat template, a missing pad token, or wrong special tokens",
        "set the template or token that the model's card names",
    ),
    Category(
        "local_path_leak",
        "a path of another machine was not found in the job",
        "load it by its name on the Hub, or send it with the script",
    ),
    Category(
        "tracker_error",
        "the tracker raised: serialization, a run that was finished twice, no Space",
        "mend the wiring; monitoring is never switched off",
    ),
    Category(
        "hub_push_failure",
        "the upload was refused or cut",
        "correct the repository or the token's rights, then push again from the checkpoint",
    ),
    Category(
        "node_or_network_transient",
        "machine or network failed for a moment: preempted, lost node, connection reset; a certificate, name or "
        "permission that was refused is none",
        "the same job once more, from its checkpoint; only where the log names nothing that could be changed: the same "
        "error after it stops the task",
        "nothing",
    ),
    Category(
        "cuda_or_driver_mismatch",
        "the CUDA runtime and the driver do not fit",
        "an image or a torch version that fits the hardware",
    ),
    Category("stuck_no_progress", "no new step for long", "find what it waits for, then change that"),
    Category("overfitting", "validation gets worse while training gets better", "what the alert says: regularize"),
    Category("reward_collapse", "reward falls or its spread vanishes", "what the alert says: learning rate, KL weight"),
    Category("kl_spike", "KL to the reference model jumps", "what the alert says: learning rate, KL weight"),
    Category("eval_failure", "training went well and the evaluation failed", "mend the evaluation script alone"),
    Category("disk_full", "no space left on the device", "keep fewer checkpoints, or stream the data"),
    Category("unknown", "none of the others", "one more diagnosis with more evidence; the same again stops"),
    Category("auth_or_gated", "401 or 403, or a gated repository", "a person must give access", stops="gated_access"),
    Category(
        "resource_not_found",
        "404 for the model or data set",
        "ask; nothing is put in its place",
        stops="resource_unavailable",
    ),
    Category("billing_or_quota", "402, or a quota is used up", "a person must add credit", stops="billing_required"),
)

BY_NAME = {category.name: category for category in CATEGORIES}

# Titles of the alerts that the templates raise: the category of each, or None for advice about a run that goes on.
OF_ALERT: dict[str, str | None] = {
    "divergence_nan": "divergence_nan",
    "oom": "oom",
    "overfitting": "overfitting",
    "reward_collapse": "reward_collapse",
    "kl_spike": "kl_spike",
    "throughput_collapse": "stuck_no_progress",
    "memory_pressure": None,
    "plateau": None,
}

# The ladder of R7; a rung that was reached stays reached in every later attempt.
RUNGS: tuple[str, ...] = (
    "as planned",
    "half the batch per device, twice the accumulation: the effective batch stays",
    "gradient checkpointing",
    "hardware with more memory",
)
