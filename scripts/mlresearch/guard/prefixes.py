"""Programs that run the rest of their command line: how many of their own words stand before it.

A row: words that must lead to it ("uv" "run"), option letters and long options that take a value, operands to skip.
An option missing here costs a phantom command whose name is the option's value, never a missed suffix: callers try
every suffix of a command they do not know.
"""

from __future__ import annotations

DOCKER_RUN = ("!", "rm", "init", "privileged", "read-only", "no-healthcheck", "oom-kill-disable", "detach",
              "interactive", "tty", "quiet", "publish-all", "help", "sig-proxy", "replace", "tls-verify", "no-TTY",
              "no-deps", "service-ports", "use-aliases", "build", "remove-orphans", "quiet-pull", "rmi")  # fmt: skip
DOCKER_SHORT = "acehlmpuvw"
GLOBAL = {
    "docker": ("Hcl", ("host", "config", "context", "log-level", "tlscacert", "tlscert", "tlskey")),
    "compose": ("fp", ("file", "project-name", "profile", "env-file", "project-directory", "parallel", "ansi")),
    "uv": ("", ("directory", "project", "config-file", "cache-dir", "color", "python-preference",
                "allow-insecure-host")),
    "poetry": ("CP", ("directory", "project")),
    "pdm": ("cp", ("config", "project")),
    "hatch": ("ep", ("env", "project", "data-dir", "cache-dir", "config")),
    "kubectl": ("ns", ("namespace", "context", "kubeconfig", "server", "token", "user", "cluster")),
    "npm": ("Cw", ("prefix", "workspace")),
}  # fmt: skip
UV_RUN = ("with", "with-editable", "with-requirements", "env-file", "extra", "no-extra", "group", "no-group",
          "only-group", "index", "default-index", "index-url", "extra-index-url", "find-links", "index-strategy",
          "keyring-provider", "resolution", "prerelease", "fork-strategy", "exclude-newer", "link-mode",
          "exclude-newer-package", "config-setting", "config-settings-package", "no-build-isolation-package",
          "no-build-package", "no-binary-package", "reinstall-package", "refresh-package", "upgrade-package",
          "package", "python", "python-platform", "cache-dir", "directory", "project", "config-file", "color",
          "allow-insecure-host", "python-preference", "from", "constraints", "overrides", "torch-backend",
          "build-constraints")  # fmt: skip
UV_SHORT = "pifCPwcb"
SYSTEMD = ("unit", "property", "description", "slice", "setenv", "uid", "gid", "nice", "working-directory", "host",
           "machine", "service-type", "on-active", "on-boot", "on-startup", "on-unit-active", "on-unit-inactive",
           "on-calendar", "timer-property", "path-property", "socket-property", "background")  # fmt: skip
CONDA = ("name", "prefix", "cwd")

Row = tuple[tuple[str, ...], str, tuple[str, ...], int]


def _plain(*names: str) -> dict[str, tuple[Row, ...]]:
    return dict.fromkeys(names, (((), "", (), 0),))


def _engine(*names: str) -> dict[str, tuple[Row, ...]]:
    runs: list[tuple[str, ...]] = [("run",), ("create",), ("container", "run"), ("compose", "run")]
    execs: list[tuple[str, ...]] = [("exec",), ("container", "exec"), ("compose", "exec")]
    rows = [(lead, DOCKER_SHORT, DOCKER_RUN, 1) for lead in runs]
    return dict.fromkeys(names, tuple(rows + [(lead, "euw", DOCKER_RUN, 1) for lead in execs]))


PREFIXES: dict[str, tuple[Row, ...]] = {
    **_plain("nohup", "setsid", "builtin", "busybox", "toybox", "chronic", "linux32", "linux64", "setpriv",
             "fakeroot", "unbuffer", "catchsegv", "dbus-run-session", "proot", "firejail", "rlwrap", "ifne",
             "tsocks", "torsocks", "proxychains", "proxychains4", "nocorrect", "noglob"),
    **_engine("docker", "podman", "nerdctl"),
    "docker-compose": ((("run",), DOCKER_SHORT, DOCKER_RUN, 1), (("exec",), "euw", DOCKER_RUN, 1)),
    "exec": (((), "a", (), 0),),
    "command": (((), "", (), 0),),
    "nice": (((), "n", ("adjustment",), 0),),
    "ionice": (((), "cnpPu", ("class", "classdata", "pid", "pgid", "uid"), 0),),
    **dict.fromkeys(("timeout", "gtimeout"), (((), "ks", ("kill-after", "signal"), 1),)),
    "time": (((), "fo", ("format", "output"), 0),),
    "gtime": (((), "fo", ("format", "output"), 0),),
    "stdbuf": (((), "ioe", ("input", "output", "error"), 0),),
    "sudo": (((), "CDghpRrTtUu", ("close-from", "chdir", "group", "host", "prompt", "chroot", "role", "type",
                                  "command-timeout", "other-user", "user"), 0),),
    "doas": (((), "Cau", (), 0),),
    "pkexec": (((), "", ("user",), 0),),
    "strace": (((), "abeEIoOpPsSuUX", ("attach", "output", "user", "env", "expr", "string-limit", "columns",
                                       "interruptible", "trace-path", "summary-sort-by"), 0),),
    "ltrace": (((), "aAeFlnopsuxXwD", ("output", "align", "config", "library", "indent", "where", "debug"), 0),),
    "chroot": (((), "", ("groups", "userspec"), 1),),
    "unshare": (((), "RSGw", ("root", "wd", "setuid", "setgid", "map-user", "map-group", "propagation"), 0),),
    "nsenter": (((), "tSG", ("target", "setuid", "setgid"), 0),),
    "systemd-run": (((), "pueEHM", SYSTEMD, 0),),
    "systemd-inhibit": (((), "", ("what", "who", "why", "mode"), 0),),
    "taskset": (((), "", (), 1),),
    "chrt": (((), "TPD", ("sched-runtime", "sched-period", "sched-deadline"), 1),),
    "numactl": (((), "iwmNCpP", ("interleave", "membind", "cpunodebind", "physcpubind", "preferred"), 0),),
    "prlimit": (((), "p", ("pid", "output"), 0),),
    "cpulimit": (((), "elpP", ("exe", "limit", "pid", "path"), 0),),
    "caffeinate": (((), "tw", (), 0),),
    "xvfb-run": (((), "efnpsw", ("error-file", "auth-file", "server-num", "xauth-protocol", "server-args"), 0),),
    "setarch": (((), "", (), 1),),
    "valgrind": (((), "", (), 0),),
    "perf": tuple(((sub,), "eoFpcGCIr", ("event", "output", "freq", "pid", "repeat"), 0)
                  for sub in ("stat", "record", "trace")),
    "direnv": ((("exec",), "", (), 1),),
    "dotenv": ((("run",), "fe", ("file", "env"), 0), ((), "fe", ("file", "env"), 0)),
    "aws-vault": ((("exec",), "dn", ("duration", "region"), 1),),
    **dict.fromkeys(("op", "doppler"), ((("run",), "pc", ("project", "config", "env-file", "account"), 0),)),
    "uv": ((("run",), UV_SHORT, UV_RUN, 0), (("tool", "run"), UV_SHORT, UV_RUN, 0)),
    "uvx": (((), UV_SHORT, UV_RUN, 0),),
    "pipx": ((("run",), "i", ("spec", "python", "pip-args", "index-url", "with"), 0),),
    **dict.fromkeys(("poetry", "pipenv", "rye"), ((("run",), "", (), 0),)),
    "pdm": ((("run",), "psr", ("project", "site-packages", "recreate"), 0),),
    "hatch": ((("run",), "", (), 0), (("env", "run"), "eifx", ("env", "include", "filter", "exclude"), 0)),
    "pixi": ((("run",), "em", ("environment", "manifest-path"), 0), (("exec",), "sc", ("spec", "channel"), 0)),
    **dict.fromkeys(("conda", "mamba", "micromamba"), ((("run",), "np", CONDA, 0),)),
    **dict.fromkeys(("npx", "bunx"), (((), "pw", ("package", "workspace"), 0),)),
    "npm": ((("exec",), "pw", ("package", "workspace"), 0), (("x",), "pw", ("package", "workspace"), 0)),
    **dict.fromkeys(("pnpm", "yarn", "bun"),
                    ((("dlx",), "p", ("package",), 0), (("exec",), "", (), 0), (("x",), "", (), 0))),
    "entr": (((), "", (), 0),),
    "watch": (((), "nqs", ("interval", "equexit"), 0),),
}  # fmt: skip
