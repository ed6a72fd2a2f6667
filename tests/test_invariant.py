"""A paid job is refused for whatever its files and arguments already tell, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlresearch.errors import UsageError
from mlresearch.invariant import MINIMUM_S, Paid, faults, require
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
}

FINE: dict[str, Paid] = {
    "nothing special": job(),
    "a push inside": job(GOOD),
    "a push by arguments": job("", "--push_to_hub", "--hub_model_id", "ada/run-7"),
    "a switch that no argument sets": job("A(push_to_hub=args.push_to_hub, hub_model_id=args.hub_model_id)"),
    "a switch and its repository": job("A(push_to_hub=a.push_to_hub)", "--push-to-hub", "--hub-model-id=ada/run-1"),
    "no push": job("A(push_to_hub=False, hub_model_id='eve/x')"),
    "no push by argument": job("", "--push_to_hub", "false"),
    "a model's own push": job("m.push_to_hub('ada/run-1')"),
    "a repository by name": job("O = 'ada'\nR = f'{O}/run-1'\nA(push_to_hub=True, hub_model_id=R)"),
    "a repository by variable": job(
        "import os\nA(push_to_hub=True, hub_model_id=os.environ['REPO'])", env={"REPO": "ada/run-1"}
    ),
    "a header with another tool": job('# /// script\n# dependencies = ["trl"]\n# [tool.uv]\n# ///\n'),
    "a short smoke run": job(timeout_s=60, env={"SMOKE": "1"}),
    "a companion by its path": job("open('./helper.py')"),
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
