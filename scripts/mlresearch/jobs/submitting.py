"""Authorizes, reserves, starts and records one job. Refuses whatever the seal, or a one-off limit, does not cover."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from mlresearch import envelope, invariant, ledger, money, redact, seal, store, tracking
from mlresearch.backends import Backend, SourceFile
from mlresearch.envelope import Envelope, Request
from mlresearch.errors import BackendError, EnvelopeBreach, Refused, SealError, UsageError
from mlresearch.invariant import Fault, Paid
from mlresearch.jobs import intents, prices
from mlresearch.jobs.order import Order, Submitted, args_sha256, source_files, spec
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.ledger import Transaction
from mlresearch.seal import Seal
from mlresearch.standing import Standing


def submit(root: str, order: Order, backend: Backend, now: float | None = None) -> Submitted:
    """Reserve, start, record. Raises EnvelopeBreach (nothing started) or BackendError (the reservation is released).

    Any other failure leaves the reservation standing until `reconcile` has asked the backend for the label.
    """
    files = source_files(order)
    _must_find_companions(order, files)
    _must_be_approved(root, order, now or time.time())
    if order.backend not in FREE_BACKENDS:
        invariant.require(paid(root, order, files))
    elif order.secrets:
        invariant.require_allowed_writes(paid(root, order, files))
    reserved_s = order.timeout_s + backend.start_allowance_s
    ceiling = money.job_ceiling(1, reserved_s, _price(backend, order.flavor))
    request = Request(order.backend, order.flavor, order.timeout_s, reserved_s, ceiling, order.is_final)
    order = replace(order, namespace=backend.namespace(order.namespace))
    carried = {file.path: file.sha256 for file in files}
    with _reserved(root, order, request, carried, now or time.time()) as (job, label):
        try:
            ref = backend.submit(spec(order, files, job, label))
        except (BackendError, Refused) as error:
            ledger.append(root, "released", job=job, why=str(error)[:500])
            raise
        ledger.append(root, "submitted", job=job, job_id=ref.job_id, url=ref.url)
    return Submitted(job, ref, ceiling)


def faults(root: str, order: Order) -> list[Fault]:
    """What a submit would refuse in the job itself, before it asks a provider; UsageError for a script that is none."""
    files = source_files(order)
    if order.backend in FREE_BACKENDS and not order.secrets:
        return invariant.companion_faults([file.path for file in files], order.args)
    return invariant.faults(paid(root, order, files))


def paid(root: str, order: Order, files: tuple[SourceFile, ...]) -> Paid:
    """Without a program a person answers for the one job: it may write any repository that it names."""
    approved = seal.load(root)
    limits = approved.envelope if approved is not None else None
    repos = "any concrete owner/name" if limits is None else ", ".join(limits.output_repos) or "output_repos is empty"
    return Paid(
        files=tuple((file.path, file.content) for file in files),
        args=order.args,
        env=order.env,
        timeout_s=order.timeout_s,
        root=os.path.realpath(root),
        repos=repos,
        writable=lambda repo: limits is None or envelope.repo_allowed(limits, repo),
        exists=lambda path: os.path.exists(os.path.join(root, path)),
        holds_secret=redact.from_environment(order.secrets).finds,
        may_publish=lambda space: approved is None or space == tracking.public_space(approved.program["run"]),
        is_evaluation=order.purpose == "final_score",
    )


def _must_find_companions(order: Order, files: tuple[SourceFile, ...]) -> None:
    """A free job too: it would end at once for a file that lies elsewhere than its argument says."""
    found = invariant.companion_faults([file.path for file in files], order.args)
    if found:
        told = "; ".join(f"{fault.where}: {fault.wrong}" for fault in found)
        raise UsageError(told, ", ".join(fault.allowed for fault in found), found[0].next_step)


def _must_be_approved(root: str, order: Order, now: float) -> None:
    """Refuse what nobody approved before a provider is asked for anything, its prices included."""
    if not _is_one_off(root, order):
        seal.require(root, now)
    elif order.max_usd_micro is None and order.backend not in FREE_BACKENDS:
        raise EnvelopeBreach(
            f"a job on backend {order.backend!r} costs money and nobody approved any spending here",
            "--max-usd with a one-off limit, or an approved program.md",
            "program.py init",
        )


def _is_one_off(root: str, order: Order) -> bool:
    """A draft holds back what costs: a smoke run on this machine must be possible while it is written."""
    return seal.load(root) is None and (order.backend in FREE_BACKENDS or seal.read_program(root) is None)


def _price(backend: Backend, flavor: str) -> int:
    """Micro-dollars a minute, read now."""
    known = prices.read(backend)
    if flavor not in known:
        raise UsageError(
            f"flavor {flavor!r} has no price on backend {backend.name}",
            ", ".join(sorted(known)),
            f"jobs.py hardware --backend {backend.name}",
        )
    return known[flavor]


@contextmanager
def _reserved(
    root: str, order: Order, request: Request, carried: dict[str, str], now: float
) -> Iterator[tuple[str, str]]:
    """Write the reservation, with hashes of all that runs, and hold the job's intent lock around what follows."""
    with ExitStack() as intent:
        with ledger.transaction(root) as tx:
            _authorize(root, order, request, tx, now)
            job = f"j{tx.standing.next_job:04d}"
            label = f"mlr-{tx.standing.campaign or 'one-off'}-{job}-{secrets.token_hex(4)}"
            intent.enter_context(intents.held(root, job))
            tx.append(
                "reserved",
                job=job,
                label=label,
                experiment=order.experiment,
                purpose=order.purpose,
                seed=order.seed,
                seed_index=order.seed_index,
                train_job=order.train_job,
                backend=order.backend,
                namespace=order.namespace,
                flavor=order.flavor,
                timeout_s=order.timeout_s,
                reserved_s=request.reserved_s,
                ceiling_micro=request.ceiling_micro,
                files=carried,
                args_sha256=args_sha256(order.args),
                is_smoke=order.env.get("SMOKE") == "1",
            )
        yield job, label


def _authorize(root: str, order: Order, request: Request, tx: Transaction, now: float) -> None:
    """Raises unless the seal, or a one-off limit, covers the request. A breach of the seal ends the campaign."""
    _must_be_approved(root, order, now)
    if _is_one_off(root, order):
        _one_off(order, request)
        return
    approved = seal.require(root, now)
    _end_if_denied(root, approved, tx)
    _must_be_open(tx.standing, approved, request)
    breaches = envelope.check(approved.envelope, tx.standing.spent(), request, now)
    if breaches:
        _refuse(approved.envelope, breaches, tx)


def note_denial(root: str, approved: Seal) -> None:
    """A breach that the hook denied ends the campaign in the ledger too; one before the approval does not."""
    if _denied(root, approved) is not None:
        with ledger.transaction(root) as tx:
            _end_if_denied(root, approved, tx)


def _denied(root: str, approved: Seal) -> str | None:
    denied = store.get(f"{store.root_dir(root)}/denied.json")
    if not isinstance(denied, dict) or denied.get("ts", 0) < approved.approved_at:
        return None
    return redact.from_environment()(str(denied.get("reason", "")))[:500]


def _end_if_denied(root: str, approved: Seal, tx: Transaction) -> None:
    why = _denied(root, approved)
    if why is not None and tx.standing.campaign == approved.campaign and not tx.standing.stopped:
        tx.append("stopped", reason="denied", message=why)


def _must_be_open(standing: Standing, approved: Seal, request: Request) -> None:
    if standing.campaign != approved.campaign:
        told = "the ledger belongs to another campaign than the seal"
        raise SealError(told, next_step="campaign.py verify")
    if standing.finalized:
        again = "program.py show, for a new approval"
        raise EnvelopeBreach("the campaign is finalized", "nothing more", again)
    if standing.stopped and not request.final:
        told = f"the campaign has stopped: {standing.stopped['message']}"
        raise EnvelopeBreach(told, "the final evaluation", "campaign.py finalize")


def _refuse(limits: Envelope, breaches: list[envelope.Breach], tx: Transaction) -> None:
    told = "; ".join(map(str, breaches))
    terminal = any(breach.terminal for breach in breaches)
    if terminal and not tx.standing.stopped:
        tx.append("stopped", reason="denied", message=told[:500])
    ended = "campaign.py finalize: the envelope is a person's decision, not an error to work round"
    raise EnvelopeBreach(
        f"outside the approved envelope: {told}",
        f"left: {envelope.left(limits, tx.standing.spent())}",
        ended if terminal else "jobs.py wait",
        terminal,
    )


def _one_off(order: Order, request: Request) -> None:
    if order.max_usd_micro is not None and request.ceiling_micro > order.max_usd_micro:
        raise EnvelopeBreach(
            f"this job could cost {money.show(request.ceiling_micro)}",
            f"at most {money.show(order.max_usd_micro)} (--max-usd)",
            "a shorter --timeout or a cheaper --flavor",
        )
