"""What the ledger's rows add up to: money, open jobs, experiments under way, the incumbent. Pure arithmetic.

The compact state is checkpointed outside the project, so that neither the hook nor a submit reads the whole
ledger. It holds open jobs and undecided experiments only: its size does not grow with the campaign's length.
Refuses amounts that are no counts: a negative bill would be a way to more money.
"""

from __future__ import annotations

from mlresearch.envelope import Spent
from mlresearch.errors import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BASELINE = "baseline"
MOST = 10**15  # a billion dollars in micro-dollars, and any time in seconds


class Standing:
    """The fold of every row so far. `offset` and `head` name the last row it saw: its end in bytes and its hash."""

    __slots__ = (
        "baseline", "campaign", "counts", "experiments", "final", "finalized", "head", "incumbent", "jobs", "micro",
        "next_experiment", "next_job", "next_seed", "no_gain", "offset", "open", "queries", "sealed", "seconds", "seq",
        "started", "stopped",
    )  # fmt: skip

    def __init__(self) -> None:
        self.seq, self.offset, self.head = 0, 0, "0" * 64
        self.next_job = 1
        self.open: dict[str, dict[str, Any]] = {}
        self.reset("")

    def reset(self, campaign: str) -> None:
        """A new campaign starts its own count; job ids go on, so that no two jobs of a folder share one."""
        self.campaign = campaign
        self.jobs, self.seconds, self.micro = 0, 0, 0
        self.next_experiment, self.next_seed, self.no_gain, self.queries = 1, 0, 0, 0
        self.experiments: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, int] = {}
        self.sealed: dict[str, str] = {}
        self.baseline: dict[str, Any] | None = None
        self.incumbent: dict[str, Any] | None = None
        self.final: dict[str, Any] | None = None
        self.stopped: dict[str, Any] | None = None
        self.started = self.finalized = False

    def spent(self) -> Spent:
        """Ended jobs at what was billed, open ones at their reservation."""
        held = [job for job in self.open.values() if job["campaign"] == self.campaign]
        return Spent(
            jobs=self.jobs,
            open_jobs=len(held),
            seconds=self.seconds + sum(job["reserved_s"] for job in held),
            micro=self.micro + sum(job["ceiling_micro"] for job in held),
        )

    def dump(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restore(cls, stored: dict[str, Any]) -> Standing:
        """The checkpointed state; raises KeyError when a field is missing, ValueError when one has another type."""
        standing = cls()
        for name in cls.__slots__:
            value, fresh = stored[name], getattr(standing, name)
            is_other = type(value) is not type(fresh) and not (fresh is None and isinstance(value, dict))
            if is_other or (isinstance(value, int) and value < 0):
                raise ValueError(f"{name} is {shown(value)}")
            setattr(standing, name, value)
        return standing


def fold(standing: Standing, row: dict[str, Any]) -> None:
    """Add one row; raises KeyError, TypeError or ValueError when the row does not fit what came before."""
    step = _STEPS.get(row["event"])
    if step is not None:
        step(standing, row)
    standing.seq = row["seq"]


def _count(row: dict[str, Any], key: str) -> int:
    value = row[key]
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError(f"{key} is {shown(value)}, no count")
    return value


def _once(done: object, what: str) -> None:
    if done:
        raise ValueError(f"{what} a second time")


def _approved(standing: Standing, row: dict[str, Any]) -> None:
    if row["campaign"] != standing.campaign:
        # its jobs would count in sums that begin at 0 again
        _once(
            any(job["campaign"] == row["campaign"] for job in standing.open.values()), "a campaign that was left opens"
        )
        standing.reset(row["campaign"])
    standing.stopped = None


def _started(standing: Standing, row: dict[str, Any]) -> None:
    _once(standing.started, "started")
    standing.started, standing.sealed = True, row["sealed"]
    standing.experiments[BASELINE] = _undecided(row, "baseline")


def _undecided(row: dict[str, Any], stage: str) -> dict[str, Any]:
    kept = {key: row.get(key) for key in ("hypothesis", "lever", "config", "parent", "by", "files", "deliverables")}
    return {**kept, "stage": stage, "runs": [], "analysed": False, "seq": row["seq"]}


def _planned(standing: Standing, row: dict[str, Any]) -> None:
    _once(row["experiment"] in standing.experiments, "planned")
    standing.experiments[row["experiment"]] = _undecided(row, "screen")
    standing.next_experiment += 1


def _reserved(standing: Standing, row: dict[str, Any]) -> None:
    kept = {key: row[key] for key in ("label", "backend", "flavor", "purpose", "seed")}
    kept |= {key: _count(row, key) for key in ("timeout_s", "reserved_s", "ceiling_micro")}
    kept |= {key: row.get(key) for key in ("experiment", "train_job", "namespace")}
    number = int(row["job"][1:])
    _once(number < standing.next_job, "the job id is used")
    following = standing.next_seed if row["seed_index"] is None else _count(row, "seed_index") + 1
    kept |= {"campaign": standing.campaign, "job_id": None, "ts": row["ts"], "absent_since": None}
    standing.open[row["job"]] = kept
    standing.jobs += 1
    standing.next_job = number + 1
    standing.next_seed = max(standing.next_seed, following)


def _submitted(standing: Standing, row: dict[str, Any]) -> None:
    standing.open[row["job"]]["job_id"] = row["job_id"]


def _absent(standing: Standing, row: dict[str, Any]) -> None:
    standing.open[row["job"]]["absent_since"] = row["ts"]


def _released(standing: Standing, row: dict[str, Any]) -> None:
    if standing.open.pop(row["job"])["campaign"] == standing.campaign:
        standing.jobs -= 1


def _settled(standing: Standing, row: dict[str, Any]) -> None:
    job, billed_s, billed_micro = standing.open[row["job"]], _count(row, "billed_s"), _count(row, "billed_micro")
    del standing.open[row["job"]]
    if job["campaign"] != standing.campaign:
        return
    # a bill above the reservation is reported by reconcile; in the envelope's arithmetic it counts as reserved
    standing.seconds += min(billed_s, job["reserved_s"])
    standing.micro += min(billed_micro, job["ceiling_micro"])


def _measured(standing: Standing, row: dict[str, Any]) -> None:
    run = {key: row.get(key) for key in ("job", "purpose", "seed", "value", "stage", "exit_code", "train_job")}
    if row["purpose"].startswith("final"):
        final = standing.final
        if final is None:
            raise ValueError("a final measurement before the sealed data was opened")
        precision = {"n": row.get("n"), "stderr": row.get("stderr")}
        final["runs"].append({**run, **precision, "experiment": row["experiment"]})
        return
    standing.experiments[row["experiment"]]["runs"].append(run)
    standing.queries += 1


def _baseline(standing: Standing, row: dict[str, Any]) -> None:
    files = standing.experiments.pop(BASELINE)["files"]
    standing.baseline = {"values": row["values"], "sigma": row["sigma"], "mean": row["mean"], "files": files}
    standing.incumbent = {
        "experiment": BASELINE,
        "values": row["values"],
        "mean": row["mean"],
        "config": {},
        "files": files,
    }


def _analysed(standing: Standing, row: dict[str, Any]) -> None:
    standing.experiments[row["experiment"]]["analysed"] = True


def _decided(standing: Standing, row: dict[str, Any]) -> None:
    if row["state"] == "candidate":
        standing.experiments[row["experiment"]]["stage"] = "confirm"
        return
    experiment = standing.experiments.pop(row["experiment"])
    standing.counts[row["state"]] = standing.counts.get(row["state"], 0) + 1
    standing.no_gain = 0 if row["decision"] == "keep" else standing.no_gain + 1
    if row["decision"] == "keep":
        standing.incumbent = {
            "experiment": row["experiment"],
            "values": row["values"],
            "mean": row["best"],
            "config": experiment["config"],
            "files": experiment["files"],
        }


def _stopped(standing: Standing, row: dict[str, Any]) -> None:
    standing.stopped = {"reason": row["reason"], "message": row["message"]}


def _opened(standing: Standing, row: dict[str, Any]) -> None:
    _once(standing.final, "the sealed data opened")
    standing.final = {"finalists": row["finalists"], "seed_base": row["seed_base"], "runs": []}


def _finalized(standing: Standing, row: dict[str, Any]) -> None:
    standing.finalized = True


_STEPS = {
    "approved": _approved,
    "started": _started,
    "planned": _planned,
    "reserved": _reserved,
    "submitted": _submitted,
    "adopted": _submitted,
    "released": _released,
    "absent": _absent,
    "settled": _settled,
    "measured": _measured,
    "baseline": _baseline,
    "analysed": _analysed,
    "decided": _decided,
    "stopped": _stopped,
    "opened": _opened,
    "finalized": _finalized,
}
