"""A loopback stand-in for the Jobs service of the Hugging Face Hub, for the real client and the real `hf` command.

    prices      what each hardware flavor costs, as documented
    clock       the service's own time: real, and moved forward or aside by a test
    faults      what goes wrong with which request
    execution   a job that really runs, as a process of this machine
    state       jobs: their course, their log, their bill
    answers     JSON forms, filters and pages
    streams     server-sent events: log and load
    server      HTTP: routes and faults

It can not show what the real service bills, how soon it lists a new job, or how it words an end.
"""

from fakes.hf_jobs.faults import Fault, Faults
from fakes.hf_jobs.server import Emulator
from fakes.hf_jobs.state import Job, Plan

__all__ = ["Emulator", "Fault", "Faults", "Job", "Plan"]
