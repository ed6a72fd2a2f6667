"""Jobs on the Hugging Face Hub: the backend that costs money.

Owns what the protocol's verbs mean there. A job's id is `namespace/id`, as the Hub's own command line writes it, so
that whatever is later asked of a job names who pays. It refuses a price that was not read, and it never retries a
submit: the Hub has no key that would make a second one harmless.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlresearch.backends import ENDED, JobRef, JobReport, JobSpec, hf_logs, hf_spec
from mlresearch.backends.hf_hub import Hub, Patience
from mlresearch.backends.hf_report import START_ALLOWANCE_S, is_over, report
from mlresearch.backends.hf_spec import LABEL
from mlresearch.errors import BackendError, NotFound, Unavailable

if TYPE_CHECKING:
    from huggingface_hub import JobHardwareInfo, JobInfo

CLIENT_VERSION = "2.4.0"  # the huggingface_hub whose calls, fields and stages are assumed here

_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class Sighting:
    """A job of a namespace, whoever started it. `label` is our submission's label, None for a job that is not ours."""

    ref: JobRef
    label: str | None
    flavor: str
    report: JobReport


@dataclass(frozen=True)
class Machine:
    """Hardware of one flavor at its live price, in micro-dollars per minute. `accelerators` is 0 for a CPU.

    `memory` is in bytes: of all accelerators together as the Hub lists it, or of the CPU; 0 when it can not be read.
    """

    flavor: str
    micro_per_minute: int
    accelerators: int
    model: str
    memory: int


class HfBackend:
    """`endpoint` None is HF_ENDPOINT, else the public Hub.

    `certain_after_s` is how long a label must be absent from whole listings until no job with it can appear.
    """

    name = "hf"
    start_allowance_s = START_ALLOWANCE_S

    def __init__(self, endpoint: str | None = None, patience: Patience | None = None) -> None:
        self._hub = Hub(endpoint, patience or Patience())
        self.certain_after_s = self._hub.patience.certain_s

    def namespace(self, asked: str | None = None) -> str:
        """Who pays: the namespace asked for, else the token's owner; UsageError for what can be none."""
        return self._hub.namespace(asked)

    def prices(self) -> dict[str, int]:
        """Live prices in micro-dollars per minute. A flavor sold by another unit, or at no clear price, is left out."""
        with self._hub.talking("reading the hardware's prices"):
            return {item.name: item.unit_cost_micro_usd for item in self._hub.api.list_jobs_hardware() if _clear(item)}

    def machines(self) -> builtins.list[Machine]:
        """What can be rented, with its memory; a flavor without a clear price is left out, as in `prices`."""
        with self._hub.talking("reading the hardware and its prices"):
            return [_machine(item) for item in self._hub.api.list_jobs_hardware() if _clear(item)]

    def submit(self, spec: JobSpec) -> JobRef:
        """Start the job, or return the one with its label. BackendError: none was started; Unavailable: doubt."""
        hub = self._hub
        sent = hf_spec.prepare(spec, hf_spec.secret_values(spec.secrets, hub.token), hub.redactor(spec.secrets))
        namespace = hub.namespace(spec.namespace)
        earlier = self.find(spec.label, namespace)
        if earlier is not None:
            return earlier
        with hub.talking(f"submitting {spec.job} to {namespace}", namespace, missing=BackendError):
            info = hub.api.run_job(
                image=sent.image,
                command=[*sent.command],
                env=dict(sent.environment),
                secrets=dict(sent.secrets) or None,
                flavor=spec.flavor,
                timeout=spec.timeout_s,
                labels=dict(sent.labels),
                namespace=namespace,
            )
            return _ref(info, namespace)

    def inspect(self, ref: JobRef) -> JobReport:
        return report(self._info(ref))

    def logs(self, ref: JobRef, follow: bool = False) -> Iterator[str]:
        """The log's lines, secrets taken out; NotFound comes at the call. With `follow`, until the job has ended."""
        info = self._info(ref)
        hide = self._hub.redactor(info.secrets or ())
        return map(hide, hf_logs.lines(self._hub, ref.job_id, lambda: is_over(self._info(ref)), follow))

    def metrics(self, ref: JobRef) -> Mapping[str, Any] | None:
        """One sample of the machine's load, as the Hub names its parts; None for a job that does not run."""
        namespace, job = _place(ref)
        if self.inspect(ref).stage != "RUNNING":
            return None
        with self._hub.talking(f"reading the load of {ref.job_id}", namespace):
            samples = self._hub.api.fetch_job_metrics(job_id=job, namespace=namespace)
            return next(iter(samples), None)

    def cancel(self, ref: JobRef) -> None:
        """Ask the Hub to end the job; a job that has ended stays as it is, whatever the Hub answers."""
        namespace, job = _place(ref)
        try:
            with self._hub.talking(f"cancelling {ref.job_id}", namespace):
                self._hub.api.cancel_job(job_id=job, namespace=namespace)
        except BackendError:
            if self.inspect(ref).stage not in ENDED:
                raise

    def find(self, label: str, namespace: str | None = None) -> JobRef | None:
        """The job with this label, by whole listings; None when it is in none now (see `certain_after_s`).

        Without a namespace, the token's owner and every organization of theirs are searched; it raises when one of
        them can not be listed, since the job may be there.
        """
        places = self._namespaces() if namespace is None else [self._hub.namespace(namespace)]
        for place in places:
            # the label is compared again here, should the Hub one day ignore a filter
            found = [info for info in self._hub.jobs(place, {LABEL: label}) if _label(info) == label]
            if len(found) > 1:
                ids = ", ".join(f"{place}/{info.id}" for info in found)
                raise Unavailable(f"label {label} is on {len(found)} jobs: {ids}", next_step="cancel all but one")
            if found:
                return _ref(found[0], place)
        return None

    def list(self) -> builtins.list[JobRef]:
        """Our jobs in the token owner's namespace, queued ones too, newest first."""
        return [seen.ref for seen in self.sightings() if seen.label is not None]

    def sightings(self, namespace: str | None = None) -> builtins.list[Sighting]:
        """Every job of a namespace with its flavor and bill, so that what the ledger does not know can be told."""
        place = self._hub.namespace(namespace)
        return [
            Sighting(_ref(info, place), _label(info), str(info.flavor or ""), report(info))
            for info in self._hub.jobs(place)
        ]

    def _info(self, ref: JobRef) -> JobInfo:
        namespace, job = _place(ref)
        with self._hub.talking(f"looking at {ref.job_id}", namespace):
            return self._hub.api.inspect_job(job_id=job, namespace=namespace)

    def _namespaces(self) -> builtins.list[str]:
        account = self._hub.account
        return [account["name"], *(organization["name"] for organization in account.get("orgs", ()))]


def _clear(item: JobHardwareInfo) -> bool:
    """Whether a price can be trusted: whole micro-dollars above zero, by the minute, told twice alike."""
    micro = item.unit_cost_micro_usd
    if item.unit_label != "minute" or type(micro) is not int or micro <= 0:
        return False
    return bool(abs(item.unit_cost_usd * 1_000_000 - micro) <= 1)


def _machine(item: JobHardwareInfo) -> Machine:
    device = item.accelerator
    if device is None:
        return Machine(item.name, item.unit_cost_micro_usd, 0, "CPU", _memory(item.ram))
    count = int(device.quantity) if str(device.quantity).isdigit() else 0
    return Machine(item.name, item.unit_cost_micro_usd, max(1, count), str(device.model), _memory(device.vram))


def _memory(told: object) -> int:
    """Bytes of a text such as `24 GB`, by the thousand: what a device shows is never less."""
    found = re.fullmatch(r"([\d.]{1,9})\s*([GT])i?B", str(told).strip())
    return round(float(found[1]) * {"G": 10**9, "T": 10**12}[found[2]]) if found and found[1].count(".") < 2 else 0


def _label(info: JobInfo) -> str | None:
    return (info.labels or {}).get(LABEL)


def _ref(info: JobInfo, namespace: str) -> JobRef:
    return JobRef(HfBackend.name, f"{namespace}/{info.id}", info.url)


def _place(ref: JobRef) -> tuple[str, str]:
    """Namespace and id; an empty id would address the namespace's whole listing."""
    found = _ID.fullmatch(ref.job_id)
    if ref.backend != HfBackend.name or found is None:
        raise NotFound(f"job {ref.job_id!r} is none of the Hub", "namespace/id", "jobs.py list --backend hf")
    return found[1], found[2]
