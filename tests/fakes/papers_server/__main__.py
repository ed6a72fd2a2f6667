"""Serves the library until it is ended; prints `export` lines for a shell first."""

from __future__ import annotations

import argparse
import contextlib

from fakes.papers_server import SERVICES, Fault, PapersServer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="SERVICE=KIND", help=", ".join(SERVICES))
    given = parser.parse_args()
    with PapersServer(given.port) as server:
        for each in given.fault:
            service, _, kind = each.partition("=")
            server.faults[service] = Fault(kind)
        for name, value in server.environment.items():
            print(f"export {name}={value}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.closing.wait()


if __name__ == "__main__":
    main()
