"""The hard rules that a brief repeats where they apply. The reference `spec.md` says what enforces each."""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "R1": "What must outlive a job is saved by the job itself, to a destination that is fixed before it starts.",
    "R2": "Logs, scripts and other files that the trainer does not save are uploaded or kept explicitly.",
    "R3": "A fix is the smallest change that keeps the task as asked, and rests on something that was opened.",
    "R4": "No error is escaped by changing model, data, method or sequence length, by using fewer data or steps, or by "
    "switching monitoring off. If nothing else helps, the task stops and asks.",
    "R5": "A time limit is sized to the measured work, never the short default of the service.",
    "R6": "Hardware is sized to the memory that the model needs, neither lavish nor too small.",
    "R7": "Out of memory is answered in order: smaller batch with more accumulation, gradient checkpointing, larger "
    "hardware. The effective batch stays.",
    "R8": "A model or data set that is missing, gated or unfit is never replaced; the task stops and asks.",
    "R9": "Columns, formats and counts are what an inspection showed, not what a name suggests.",
    "R10": "A failed job is diagnosed from its whole log, and something specific changes before the next attempt. The "
    "same error twice means that the diagnosis was wrong, and stops the task.",
    "R11": "Imports and arguments come from documentation or examples opened now; memory of libraries is out of date.",
    "R12": "Prebuilt packages before compiled ones; an exception is written down with its reason.",
    "R13": "Secrets come from the environment by name; they stand in no file, argument or log.",
    "R14": "Every model, data set, paper, job and dashboard is given by its direct address.",
}
