"""A paid job is refused for whatever its files and arguments already tell, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlresearch.errors import UsageError
from mlresearch.invariant import MINIMUM_S, Paid, faults, require, require_allowed_writes
from mlresearch.redact import Redactor

TOKEN = "hf_" + "A1b2" * 9
HERE = {"data/train.csv", "config.yaml", "helper.py", "./data/train.csv", "digits", "data"}
GOOD = "from trl import SFTConfig\nSFTConfig(push_to_hub=True, hub_model_id='ada/run-1')\nprint('loss: 1')\n"


def job(source: str = "print(1)\n", *args: str, **changes: Any) -> Paid:
    plain = Paid(
        files=(("train.py", source.encode()), ("helper.py", b"x = 1\n")),
        args=args,
        env={},
        timeout_s=MINIMUM_S,
        root="/srv/project",
        repos="ada/run-*",
        writable=lambda repo: repo.startswith("ada/run-"),
        exists=HERE.__contains__,
        holds_secret=Redactor(["swordfish"]).finds,
    )
    return replace(plain, **changes)


# no tracker, as it stands
UNWATCHED = {
    "a trainer": "SFTTrainer(args=SFTConfig()).train()",
    "a trainer that reports nowhere": "T(report_to='none').train()",
    "a list of nothing": "T(report_to=[]).train()",
    "whatever is installed": "T(report_to='all').train()",
    "a name in a comment": "t.train()  # report_to='trackio'",
    "a name in a text": "t.train()\nprint('trackio.log')",
    "an import alone": "import trackio\nt.train()",
    "a start alone": "import trackio\ntrackio.init('p')\nt.train()",
    "a log of no tracker": "import math\nmath.log(2)\nt.train()",
    "an option's default": "p.add_argument('--report-to', default='none')\nT(report_to=args.report_to).train()",
    "wandb that is off": "import os\nos.environ['WANDB_DISABLED'] = 'true'\nT(report_to='wandb').train()",
    "wandb that a table turns off": "os.environ.update({'WANDB_MODE': 'disabled'})\nT(report_to='wandb').train()",
    "wandb in a mode": "import wandb\nwandb.init(mode='disabled')\nwandb.log({})\nt.train()",
    "a callback that is off": "os.environ['WANDB_MODE'] = 'offline'\nT(callbacks=[WandbCallback()]).train()",
    "scikit-learn": "model.fit(x, y)",
    "a part at a time": "model.partial_fit(x, y)",
    "a loop": "loss = f(x)\nself.optimizer.step()",
    "a gradient": "accelerator.backward(loss)",
    "JAX": "updates = optax.apply_updates(p, u)",
}
WATCHED = {
    "report_to": "T(report_to='trackio').train()",
    "report_to of several": "T(report_to=('tensorboard', 'trackio')).train()",
    "report_to by name": "TO = ['wandb']\nT(report_to=TO).train()",
    "report_to in a dictionary": "T(**{'report_to': 'trackio'}).train()",
    "report_to set later": "args.report_to = 'trackio'\nt.train()",
    "report_to unless it is a smoke run": "T(report_to='none' if SMOKE else 'trackio').train()",
    "an option's default": "p.add_argument('--report_to', default='trackio')\nT(report_to=args.report_to).train()",
    "a field's default": "class A:\n    to: str = 'mlflow'\nT(report_to=a.to).train()",
    "log": "import trackio\nt.train()\ntrackio.log({'loss': 1})",
    "log by another name": "import trackio as t\nt.log({})\nm.train()",
    "log by itself": "from wandb import log\nlog({})\nm.train()",
    "a run's log": "import wandb\nrun = wandb.init()\nm.train()\nrun.log({})",
    "a writer": "from torch.utils.tensorboard import SummaryWriter\nw = SummaryWriter()\nw.add_scalar()\nm.train()",
    "a callback": "T(callbacks=[TrackioCallback()]).train()",
    "a logger": "L.Trainer(logger=WandbLogger()).fit(m)",
    "one of two is off": "os.environ['WANDB_DISABLED'] = '1'\nT(report_to=['wandb', 'trackio']).train()",
    "switched off, but not": "os.environ['WANDB_DISABLED'] = 'false'\nT(report_to='wandb').train()",
}
NO_TRAINING = {
    "a mode": "model.train(False)\nmodel.eval()",
    "a trainer that evaluates": "Trainer(model).evaluate()",
    "data": "StandardScaler().fit(x)\nself.tokenizer.fit(x)",
    "a function": "def train(): ...\ntrain()",
    "another kind of step": "env.step(action)\nscheduler.step()",
}
PUSH = "T(push_to_hub=True, hub_model_id='ada/run-1', report_to='trackio', {}).train()"
HELD = PUSH.format("trackio_static_space_id=False")
INIT = "import os, trackio\ntrackio.init('p', "

REFUSED: dict[str, tuple[Paid, str, str]] = {
    "no Python": (job("x = 1\ndef f(:\n"), "train.py line 2", "not Python"),
    "a companion that is no Python": (job(files=(("train.py", b""), ("b.py", b"("))), "b.py line 1", "not Python"),
    "hardware in the header": (
        job('# /// script\n# dependencies = []\n# [tool.hf-jobs]\n# flavor = "a100x8"\n# ///\n'),
        "train.py header",
        "[tool.hf-jobs]",
    ),
    "hardware in a quoted table": (job('# /// script\n# tool."hf-jobs".flavor = "x"\n# ///\n'), "header", "hf-jobs"),
    "a header that can not be read": (job("# /// script\n# [tool\n# ///\n"), "train.py", "can not be read"),
    "a header without an end": (job("# /// script\n# dependencies = []\n"), "train.py", "can not be read"),
    "a short timeout": (job(timeout_s=MINIMUM_S - 1), "--timeout", "9m59s"),
    "SMOKE without a 1": (job(timeout_s=60, env={"SMOKE": "0"}), "--timeout", "1m"),
    "a push behind a switch that is on": (
        job("A(**{'push_to_hub': True})\nif t.args.push_to_hub:\n    t.push_to_hub()"),
        "line 3",
        "without hub_model_id",
    ),
    "a push behind an option that is on": (
        job("p.add_argument('--to', default='eve/x')\nif a.to:\n    d.push_to_hub(a.to)"),
        "line 3",
        "run time only",
    ),
    "a push behind an option that is given": (
        job("p.add_argument('--to')\nif a.to:\n    d.push_to_hub(a.to)", "--to", "eve/x"),
        "line 3",
        "'eve/x'",
    ),
    "a push behind an option that the script sets": (
        job("p.add_argument('--to')\na.to = f()\nif a.to:\n    d.push_to_hub(a.to)"),
        "line 4",
        "run time only",
    ),
    "a push that is set later": (job("x = C()\nx.push_to_hub = True"), "line 2", "without hub_model_id"),
    "a push that an argument asks for": (
        job("A(push_to_hub=bool(a.hub_model_id) and x)", "--hub-model-id", "eve/x"),
        "--hub_model_id",
        "'eve/x'",
    ),
    "a push to no repository": (job("SFTConfig(push_to_hub=True)"), "train.py line 1", "without hub_model_id"),
    "a push in a dictionary": (job("A(**{'push_to_hub': True})"), "train.py line 1", "without hub_model_id"),
    "a push by argument": (job("", "--push_to_hub"), "arguments", "without hub_model_id"),
    "a push by argument with a value": (job("", "--push-to-hub=True"), "arguments", "without hub_model_id"),
    "a push that a name decides": (job("import x\nA(push_to_hub=x.y())"), "line 2", "without hub_model_id"),
    "a trainer that pushes": (job("t.push_to_hub('the end')"), "line 1", "without hub_model_id"),
    "a model that pushes elsewhere": (job("m.push_to_hub('eve/run-1')"), "line 1", "'eve/run-1'"),
    "a name alone": (job("A(push_to_hub=True, hub_model_id='run-1')"), "line 1", "'run-1'"),
    "a foreign repository": (job("A(push_to_hub=True, hub_model_id='eve/run-1')"), "line 1", "'eve/run-1'"),
    "a foreign repository by name": (job("R = 'eve/x'\nA(push_to_hub=1, hub_model_id=R)"), "line 2", "'eve/x'"),
    "a foreign repository by argument": (job("", "--push_to_hub", "--hub_model_id", "eve/x"), "--hub_model_id", "eve"),
    "the allowed one only in a comment": (
        job("A(push_to_hub=True)  # hub_model_id='ada/run-1'"),
        "line 1",
        "without hub_model_id",
    ),
    "a repository known at run time": (job("A(push_to_hub=True, hub_model_id=f())"), "line 1", "run time only"),
    "a name that is bound twice": (
        job("R = 'ada/run-1'\nR = 'eve/x'\nA(push_to_hub=True, hub_model_id=R)"),
        "line 3",
        "run time only",
    ),
    "a name that stands for itself": (
        job("R = f'{R}/x'\nA(push_to_hub=True, hub_model_id=R)"),
        "line 2",
        "run time only",
    ),
    "an upload elsewhere": (job("api.upload_folder(repo_id='eve/x', folder_path='.')"), "line 1", "'eve/x'"),
    "a repository that is made elsewhere": (job("create_repo('eve/x')"), "line 1", "'eve/x'"),
    "a Mac's folder": (job("", "--data=/Users/eve/x"), "argument 1", "path of this machine"),
    "a home folder": (job("open('/home/eve/x')"), "train.py line 1", "path of this machine"),
    "a cluster's folder": (job("\nP = '/fsx/x'"), "train.py line 2", "path of this machine"),
    "a tilde": (job("", "--data", "~/x"), "argument 2", "path of this machine"),
    "a drive": (job("", "C:\\data"), "argument 1", "path of this machine"),
    "the project": (job("", "--data", "/srv/project/data"), "argument 2", "path of this machine"),
    "a file of this machine": (job("", "--config", "config.yaml"), "argument 2", "path of this machine"),
    "a file that is read": (job("pd.read_csv('data/train.csv')"), "line 1", "path of this machine"),
    "a file by a dotted path": (job("P = './data/train.csv'"), "line 1", "path of this machine"),
    "your-username": (job("", "--repo=your-username/x"), "argument 1", "placeholder"),
    "<org>": (job("R = '<org>/model'"), "line 1", "placeholder"),
    "username": (job("R = 'username/model'"), "line 1", "placeholder"),
    "a token in an argument": (job("", TOKEN), "argument 1", "token"),
    "a token in the script": (job(f"\nlogin('{TOKEN}')"), "train.py line 2", "token"),
    "a token in a companion": (job(files=(("train.py", b""), ("c.json", TOKEN.encode()))), "c.json line 1", "token"),
    "a named secret's value": (job("", "--pin=swordfish"), "argument 1", "token"),
    "a secret's variable": (job(env={"WANDB_API_KEY": "x"}), "--env", "WANDB_API_KEY"),
    "a token in a variable": (job(env={"X": TOKEN}), "--env", "X is given by value"),
    "a short timeout for a long task": (job(timeout_s=3600, minimum_s=7200), "--timeout", "1h would end"),
    "a companion as an argument": (job("", "--config", "./helper.py"), "argument 2", "not into the folder"),
    "a companion as a value": (job("", "--config=helper.py"), "argument 1", "not into the folder"),
    "a companion that was not sent": (
        job("", "--config", "../src/a.yaml"),
        "argument 2",
        "{src}/a.yaml does not travel",
    ),
    "a companion that is opened": (job("open('./helper.py')"), "line 1", "lies beside the script"),
    **{f"unwatched: {name}": (job(source), "line", "no tracker sees") for name, source in UNWATCHED.items()},
    "unwatched by argument": (job("t.train()", "--report_to=none"), "line 1", "no tracker sees"),
    "unwatched by variable": (
        job("T(report_to='wandb').train()", env={"WANDB_MODE": "offline"}),
        "line 1",
        "no tracker sees",
    ),
    "a push that publishes": (job(PUSH.format("")), "line 1", "publishes the metrics"),
    "a push that publishes in spite of None": (job(PUSH.format("trackio_static_space_id=None")), "line 1", "publishes"),
    "a push at the end that publishes": (
        job("T(report_to='trackio', hub_model_id='ada/run-1').train()\nt.push_to_hub('done')"),
        "line 1",
        "publishes",
    ),
    "a static Space": (job(PUSH.format("trackio_static_space_id='ada/run-c'")), "line 1", "'ada/run-c' public"),
    "a foreign Space": (job(f"{INIT}space_id='eve/c', private=True)"), "line 2", "'eve/c'"),
    "a foreign Space by place": (job(f"{INIT}'n', 'g', 'eve/c', private=True)"), "line 2", "'eve/c'"),
    "a foreign Space in a Trainer": (
        job("T(report_to='trackio', trackio_space_id='eve/c', hub_private_repo=True)"),
        "line 1",
        "'eve/c'",
    ),
    "a foreign Space by argument": (
        job("", "--trackio_space_id=eve/c", "--hub_private_repo"),
        "arguments",
        "'eve/c'",
    ),
    "a foreign Space by variable": (job(env={"TRACKIO_SPACE_ID": "eve/c"}), "--env", "'eve/c'"),
    "a foreign Space that the script sets": (
        job(f"os.environ['TRACKIO_SPACE_ID'] = 'eve/c'\n{INIT}private=True)"),
        "line 3",
        "'eve/c'",
    ),
    "a foreign Space by argument of the script's own": (
        job(
            f"S = {{}} if x else {{'space_id': a.trackio_space}}\n{INIT}private=True, **S)", "--trackio-space", "eve/c"
        ),
        "line 3",
        "'eve/c'",
    ),
    "a Space that a spread may name": (job(f"{INIT}private=True, **f())"), "line 2", "run time only"),
    "a Space of no owner": (job(f"{INIT}space_id='c', private=True)"), "line 2", "'c'"),
    "a foreign Space in one case": (job(f"{INIT}space_id='eve/c' if x else None, private=True)"), "line 2", "'eve/c'"),
    "a Space known at run time": (job(f"{INIT}space_id=f(), private=True)"), "line 2", "run time only"),
    "a public Space by omission": (job(f"{INIT}space_id='ada/run-c')"), "line 2", "public"),
    "a public Space by choice of the script": (job(f"{INIT}space_id='ada/run-c', private=False)"), "line 2", "public"),
    "a public Space by variable": (job(f"{INIT})", env={"TRACKIO_SPACE_ID": "ada/run-c"}), "line 2", "public"),
    "a public Space of a Trainer by variable": (
        job("T(report_to='trackio').train()", env={"TRACKIO_SPACE_ID": "ada/run-c"}),
        "line 1",
        "public",
    ),
    "a frozen Space": (job("import trackio\ntrackio.freeze('ada/run-c')"), "line 2", "public"),
    "a foreign bucket": (job(f"{INIT}space_id='ada/run-c', bucket_id='eve/b', private=True)"), "line 2", "'eve/b'"),
    "a foreign bucket by variable": (job(env={"TRACKIO_BUCKET_ID": "eve/b"}), "--env", "'eve/b'"),
}

FINE: dict[str, Paid] = {
    "nothing special": job(),
    "a push inside": job(GOOD),
    "a push by arguments": job("", "--push_to_hub", "--hub_model_id", "ada/run-7"),
    "a switch that no argument sets": job("A(push_to_hub=args.push_to_hub, hub_model_id=args.hub_model_id)"),
    "a switch and its repository": job("A(push_to_hub=a.push_to_hub)", "--push-to-hub", "--hub-model-id=ada/run-1"),
    "no push": job("A(push_to_hub=False, hub_model_id='eve/x')"),
    "a push that only an argument asks for": job(
        "A(push_to_hub=bool(a.hub_model_id) and x, hub_model_id=a.hub_model_id)"
    ),
    "a push behind the trainer's own switch": job(
        "A(push_to_hub=a.push_to_hub, hub_model_id=a.hub_model_id)\nif t.args.push_to_hub:\n    t.push_to_hub()"
    ),
    "a push behind an option that nobody gave": job("p.add_argument('--to')\nif a.to and n:\n    d.push_to_hub(a.to)"),
    "no push by argument": job("", "--push_to_hub", "false"),
    "a model's own push": job("m.push_to_hub('ada/run-1')"),
    "a repository by name": job("O = 'ada'\nR = f'{O}/run-1'\nA(push_to_hub=True, hub_model_id=R)"),
    "a repository by variable": job(
        "import os\nA(push_to_hub=True, hub_model_id=os.environ['REPO'])", env={"REPO": "ada/run-1"}
    ),
    "a header with another tool": job('# /// script\n# dependencies = ["trl"]\n# [tool.uv]\n# ///\n'),
    "a short smoke run": job(timeout_s=60, env={"SMOKE": "1"}),
    "a companion beside the script": job("open(Path(__file__).parent / 'helper.py')"),
    "a companion after chdir": job("os.chdir('/src')\nopen('./helper.py')"),
    "a companion by its place": job("", "--config", "../src/helper.py", "--all=../src/"),
    **{f"trains: {name}": job(source) for name, source in WATCHED.items()},
    **{f"no training: {name}": job(source) for name, source in NO_TRAINING.items()},
    "watched by another file": job(files=(("train.py", b"t.train()"), ("log.py", b"import trackio\ntrackio.log({})"))),
    "watched by argument": job("t.train()", "--report_to", "trackio"),
    "a smoke run that nobody watches": job("t.train()", env={"SMOKE": "1"}),
    "an evaluation that fits a probe": job("probe.fit(x, y)", is_evaluation=True),
    "a push with the static Space held back": job(HELD),
    "a push with a private Space": job(PUSH.format("trackio_space_id='ada/run-c', hub_private_repo=True")),
    "a push with another tracker": job(HELD.replace("'trackio'", "'wandb'").replace("False", "None")),
    "no push, so no static Space": job("T(report_to='trackio').train()"),
    "a private Space": job(f"{INIT}space_id='ada/run-c', private=True)"),
    "a private Space by a spread": job(f"K = {{'private': True}}\n{INIT}space_id='ada/run-c', **K)"),
    "a private Space by variable": job(f"{INIT}private=True)", env={"TRACKIO_SPACE_ID": "ada/run-c"}),
    "a Space of a job alone": job(
        f"S = os.environ.get('TRACKIO_SPACE_ID') if x else None\n{INIT}space_id=S, private=True)",
        env={"TRACKIO_SPACE_ID": "ada/run-c"},
    ),
    "a Space that nobody names": job(f"{INIT}space_id=os.environ.get('SPACE'))"),
    "a Space of no argument": job(f"p.add_argument('--space-id')\n{INIT}space_id=args.space_id)"),
    "a public Space that a person allowed": job(f"{INIT}space_id='ada/run-c')", may_publish="ada/run-c".__eq__),
    "the out folder": job("open('./log.txt', 'w')", "--out", "."),
    "a file that is written": job("open('data/train.csv', 'w')"),
    "a word that is a folder here": job("", "--task", "digits"),
    "paths in prose": job('"""Reads /home/x and ~/y."""\nprint(1)  # /Users/z\n'),
    "addresses": job("U = 'https://example.org/home/x'\nV = 's3://b/Users'", "--from=hf://datasets/a/b"),
    "code about tokens": job("pad_token = eos_token\nmax_new_tokens = 4096\n"),
    "a format": job("P = '{}/model.pt'.format('x')"),
}


@pytest.mark.parametrize(("paid", "where", "what"), REFUSED.values(), ids=REFUSED)
def test_a_job_that_would_waste_or_leak_is_refused(paid: Paid, where: str, what: str) -> None:
    found = faults(paid)

    assert len(found) == 1, found
    assert where in found[0].where
    assert what in found[0].wrong
    assert found[0].allowed
    assert found[0].next_step
    assert TOKEN not in str(found[0])


@pytest.mark.parametrize("paid", FINE.values(), ids=FINE)
def test_a_job_that_is_in_order_is_let_through(paid: Paid) -> None:
    require(paid)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        require(job("A(push_to_hub=True)", "~/x", timeout_s=1))

    assert [part in raised.value.wrong for part in ("--timeout", "argument 1", "train.py line 1")] == [True] * 3
    assert "ada/run-*" in raised.value.allowed
    assert "SMOKE=1" in raised.value.next_step


def test_a_free_job_with_a_token_may_write_only_where_a_paid_one_may() -> None:
    elsewhere = GOOD.replace("ada/run-1", "eve/run-1")
    short = {"timeout_s": 5, "env": {"SMOKE": "1"}}
    require_allowed_writes(job(GOOD, "--data", "/home/ada/data", **short))
    with pytest.raises(UsageError, match="eve/run-1"):
        require_allowed_writes(job(elsewhere, **short))
    with pytest.raises(UsageError, match=r"helper\.py line 1: this is not Python"):
        require_allowed_writes(job(GOOD, files=(("train.py", GOOD.encode()), ("helper.py", b"x = ("))))
