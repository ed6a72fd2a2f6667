"""A loopback stand-in for the Hub's repositories and the dataset viewer, in the shapes their documentation shows.

    datasets  data sets as records, and what the Hub and the viewer tell about them
    models    models as records, and what the Hub tells about them
    server    HTTP: routes, redirects to a second origin, ranges, faults, what was asked

It can not show how soon the real viewer is ready, nor how large data is converted.
"""

from fakes.hf_jobs.faults import Fault
from fakes.hub_server.datasets import Dataset
from fakes.hub_server.models import Model
from fakes.hub_server.server import HubServer

__all__ = ["Dataset", "Fault", "HubServer", "Model"]
