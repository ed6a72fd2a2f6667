"""Honest work passes every gate: a paid task, a task on this machine, one that only evaluates, one that builds data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.pipeline_answers import OUTPUT, Answer, log_of_evaluation
from fakes.pipeline_play import Play
from fakes.pipeline_world import DATASET, MODEL, a_model
from mlresearch import schema
from mlresearch.pipeline import briefs, conformity, fold, journal
from mlresearch.pipeline.job_plans import JobPlan, plan
from mlresearch.pipeline.profiles import PROFILES, Profile
from mlresearch.pipeline.task import Accept, Halt, Refuse, SendBack
from mlresearch.script_facts import header

TEMPLATES = Path(__file__).parents[2] / "skills" / "ml-research-task" / "templates"


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))


def test_an_honest_paid_task_is_accepted_at_every_step(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    state = play.advance()
    assert state.stopped is None
    assert set(state.results) == {step.name for step in fold.way(state.results)}
    assert conformity.missing(state, play.world) == {}


def test_an_honest_task_on_this_machine_is_accepted_at_every_step(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", output="work/{task}/model", backend="local", smoke_model="tiny/model")
    before = play.advance("cpu_smoke")
    assert before.frozen is not None
    smoke = play.answer("cpu_smoke") | {"usedProxyModel": True}
    assert isinstance(play.complete("cpu_smoke", smoke), Accept)
    Path(play.root, play.honest.output).mkdir()
    state = play.advance()
    assert state.todo == ()
    assert state.stopped is None


@pytest.mark.parametrize(("device", "is_noted"), [("cpu", True), ("cuda:0", False)])
def test_a_job_that_leaves_its_accelerator_idle_is_accepted_with_a_note(
    tmp_path: Path, device: str, is_noted: bool
) -> None:
    play = Play(tmp_path / "project")
    play.advance("gpu_preflight")
    answer = play.answer("gpu_preflight")
    before = play.world.job(answer["jobId"])
    assert before is not None
    line = f"model {MODEL} has 494032768 parameters, 8798208 trained, on {device}"
    play.world.change(answer["jobId"], log=(line, *before.log))
    done = play.complete("gpu_preflight", answer)
    assert isinstance(done, Accept)
    assert any("trained on its cpu" in note for note in done.notes) == is_noted


def _measured(play: Play, log: str, **facts: Any) -> str:
    """A job of the task's own script, outside any plan."""
    script = play.honest.write("measure.py", "print('measures')\n")
    wanted = JobPlan(str(play.root), play.state.task.backend, script, (), "cpu", 600, False, ())
    job = play.world.run(wanted, log)
    play.world.change(job, **facts)
    return job


def _without_training(play: Play, task_type: str, metric: str) -> Answer:
    plan = play.honest.plan()
    baseline = plan["baseline"] | {"method": task_type, "adapter": None, "sequenceLength": None}
    judged = plan["successMetric"] | {"name": metric}
    return plan | {"taskType": task_type, "baseline": baseline, "successMetric": judged}


def _follow(play: Play) -> None:
    """Honest answers up to the evaluation; nobody followed citations."""
    while play.state.todo != ("evaluate",):
        for step in play.state.todo:
            answer = play.answer(step)
            play.complete(step, answer | {"citationGraphFidelity": "none"} if step == "research.recipe" else answer)


def test_an_honest_evaluation_of_a_model_is_accepted(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", f"Evaluate {MODEL} on {DATASET}", MODEL, backend="local")
    play.complete("plan", _without_training(play, "eval", "eval_loss"))
    _follow(play)
    play.world.places.add(MODEL)
    job = _measured(play, log_of_evaluation())
    assert isinstance(play.judge("evaluate", play.honest.evaluation(job)), Accept)
    other = play.honest.evaluation(job) | {"modelUrl": "https://huggingface.co/gpt2/gpt2"}
    assert isinstance(play.judge("evaluate", other), Refuse)
    strange = _measured(play, log_of_evaluation(), files={"other.py": "0" * 64})
    assert isinstance(play.judge("evaluate", play.honest.evaluation(strange)), Refuse)


def test_an_honest_build_of_data_is_accepted(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", f"Build a clean data set out of {DATASET}", "work/{task}/built", backend="local")
    plan = _without_training(play, "data", "rows")
    play.complete("plan", plan | {"baseline": plan["baseline"] | {"model": None}})
    _follow(play)
    assert "resources.model" not in play.state.results
    built = play.honest.output
    play.world.places.add(built)
    end = {"metric": "rows", "value": 150.0, "n": 200, "stderr": None, "output": str(play.root / built)}
    answer = play.honest.evaluation(_measured(play, json.dumps(end)))
    answer |= {"metric": "rows", "value": 150, "n": 200, "stderr": None, "baselineValue": None, "baselineStderr": None}
    answer |= {"baselineWhat": None}
    assert isinstance(play.judge("evaluate", answer), Accept)
    assert isinstance(play.judge("evaluate", answer | {"value": 200}), Refuse)
    assert isinstance(play.judge("evaluate", answer | {"modelPath": "work/other"}), Refuse)


def test_a_question_is_answered_and_ends(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", f"How long would it take to fine-tune {MODEL} on one GPU?")
    answer = play.honest.plan() | {"isTrivial": True, "directAnswer": "about an hour", "taskType": None}
    verdict = play.complete("plan", answer)
    assert isinstance(verdict, Halt)
    assert play.state.stopped is not None
    assert play.state.stopped["reason"] == "answered"


def test_a_source_that_does_not_answer_is_no_lie(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    play.complete("plan", play.honest.plan())
    play.world.silent |= {"paper"}
    verdict = play.judge("research.landmark", play.honest.finder())
    assert isinstance(verdict, Accept)
    assert "could not be looked up" in verdict.notes[0]


@pytest.mark.parametrize("step", ["resources.model", "implement"])
def test_an_approval_is_missed_only_where_one_is_due(at: Callable[[str], Play], step: str) -> None:
    play = at(step)
    play.world.limits = None
    verdict = play.judge(step, play.answer(step))
    assert isinstance(verdict, Accept)
    assert any("approved" in note for note in verdict.notes) is (step == "implement")


def test_the_listing_of_hardware_is_evidence_for_the_model_that_a_template_builds(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", f"Train a tiny model on {DATASET} with SFT", backend="local")
    plan_ = play.honest.plan()
    of_tiny = {"model": "tiny", "adapter": None, "sequenceLength": None}
    play.world.models["tiny"] = a_model(revision=None, licence=None, parameters=None)
    play.world.known.add(("model", "tiny"))
    play.complete("plan", plan_ | {"baseline": plan_["baseline"] | of_tiny})
    play.advance("resources.model")
    (page,) = (one for one in briefs.briefs(play.state) if one.step.name == "resources.model")
    assert "its evidence is the listing of hardware" in briefs.text(page)
    listing = play.honest.write("evidence/hardware.json", '{"flavors": ["cpu"]}')
    made = play.honest.resource("model")
    verified = {**made["verified"], "id": "tiny", "revision": None, "licence": None, "evidence": listing}
    answer = made | {"verified": verified, "parameters": None}
    assert isinstance(play.judge("resources.model", answer), Accept)
    answer["verified"] |= {"evidence": "work/none.json"}
    assert isinstance(play.judge("resources.model", answer), Refuse)


def test_a_recipe_without_any_reported_result_is_an_answer(at: Callable[[str], Play]) -> None:
    play = at("research.recipe")
    answer = play.answer("research.recipe")
    none = {"result": None, "model": None, "dataset": None}
    answer["recipe"] = [answer["recipe"][0] | none | {"fits": "four searches found no result for such small data"}]
    assert schema.faults("pipeline/research", answer) == []
    assert isinstance(play.judge("research.recipe", answer), Accept)


def test_data_that_can_not_be_inspected_now_is_not_taken_on_trust(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    play.advance("data_audit")
    play.world.silent |= {"verdict"}
    verdict = play.judge("data_audit", play.honest.data_audit())
    assert isinstance(verdict, Refuse)
    assert "complete again later" in verdict.faults[0]


@pytest.mark.parametrize(
    ("text", "baseline"),
    [
        ("train gpt2 on imdb with input/output pairs", {"model": "gpt2", "dataset": "imdb"}),
        ("DPO of Qwen/Qwen2-0.5B without LoRA", {"model": "Qwen/Qwen2-0.5B", "method": "dpo", "adapter": "full"}),
        ("QLoRA, context length 2k, see https://arxiv.org/abs/1", {"adapter": "qlora", "sequenceLength": 2048}),
        ("tune https://huggingface.co/Qwen/Qwen2-0.5B at revision abc1234", {"model": MODEL, "revision": "abc1234"}),
        ("tune a/dpo-x7 of me/qwen-lora", {"model": "me/qwen-lora", "dataset": "a/dpo-x7", "method": "sft"}),
        ("compare SFT/DPO, and/or KTO, of any model", {"method": "kto"}),
        ("fine-tune Qwen2-0.5B and push it to me/new-model", {"model": "Qwen/Qwen2-0.5B"}),
    ],
)
def test_a_plan_in_the_users_words_is_accepted(tmp_path: Path, text: str, baseline: dict[str, Any]) -> None:
    play = Play(tmp_path / "project", text)
    open_to_choice = {"model": None, "dataset": None, "adapter": None, "sequenceLength": None}
    play.world.models |= {name: a_model() for name in [baseline.get("model")] if name}
    play.world.datasets |= {name: a_model() for name in [baseline.get("dataset")] if name}
    plan = play.honest.plan()
    verdict = play.judge("plan", plan | {"baseline": plan["baseline"] | open_to_choice | baseline})
    assert isinstance(verdict, Accept), verdict


@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_what_the_user_named_is_looked_up_before_anything_is_built_on_it(tmp_path: Path, kind: str) -> None:
    play = Play(tmp_path / "project")
    getattr(play.world, kind).clear()
    done = play.complete("plan", play.honest.plan())
    assert isinstance(done, Halt)
    assert done.reason == "resource_unavailable"
    assert play.state.stopped is not None
    assert "Nothing was put in its place" in play.state.stopped["message"]


def test_a_source_that_is_down_stops_no_plan(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    play.world.silent |= {"model", "dataset"}
    done = play.complete("plan", play.honest.plan())
    assert isinstance(done, Accept)
    assert "could not be looked up" in " ".join(done.notes)


@pytest.mark.parametrize("dataset", ["data/train.csv", "data"])
def test_the_other_half_of_a_split_needs_no_mention(tmp_path: Path, dataset: str) -> None:
    play = Play(tmp_path / "project", "train a tiny classifier on data/train.csv, evaluate on data/test.csv")
    for name in ("train", "test"):
        path = Path(play.state.task.root, "data", f"{name}.csv")
        path.parent.mkdir(exist_ok=True)
        path.write_text("text,label\n")
    play.world.models["tiny"] = play.world.datasets[dataset] = a_model(revision=None)
    plan = play.honest.plan()
    wanted = {"model": "tiny", "dataset": dataset, "adapter": None, "sequenceLength": None}
    plan |= {"baseline": plan["baseline"] | wanted}
    assert schema.faults("pipeline/plan", plan) == []
    assert isinstance(play.judge("plan", plan), Accept)
    path.unlink()
    assert isinstance(play.judge("plan", plan), Refuse)


def _granted(play: Play, step: str, job: str | None, **changes: Any) -> None:
    """A failure of the step, with a diagnosis that was accepted."""
    analysis = {"configChanges": changes, "category": "unknown"}
    failure = {"signature": "FAILED: x", "bytes_sha256": "0" * 64, "category": "unknown", "rung": 0}
    with journal.held(str(play.root), play.task):
        journal.append(str(play.root), play.task, "failed", step=step, failure=failure, analysis=analysis, job=job)


def test_a_granted_fix_of_script_and_settings_goes_on(at: Callable[[str], Play]) -> None:
    play = at("full_job")
    failed = play.run("full_job")
    _granted(play, "full_job", failed, micro_batch_size=4, timeoutHours=3, flavor="l40sx1")
    script = Path(play.root, play.honest.work, "train.py")
    script.write_text(script.read_text().replace("2.0 - step", "2.5 - step"))
    needed = plan(play.state, "full_job")
    assert needed is not None
    assert (needed.timeout_s, needed.flavor) == (3 * 3600, "l40sx1")
    assert needed.args[-2:] == ("--micro-batch-size", "4")
    again = plan(play.state, "evaluate")
    assert again is not None
    assert again.flavor == "l4x1"
    answer = play.answer("full_job")
    assert isinstance(play.judge("full_job", answer), Accept)
    assert isinstance(play.judge("full_job", answer | {"jobId": failed}), Refuse)
    play.complete("full_job", answer)
    assert play.advance().todo == ()
    assert conformity.missing(play.state, play.world) == {}


@pytest.mark.parametrize("profile", [each for each in PROFILES.values() if each.trains and each.train])
@pytest.mark.parametrize("backend", ["hf", "local"])
def test_the_plugins_own_templates_pass_as_they_are(tmp_path: Path, profile: Profile, backend: str) -> None:
    is_hub = backend == "hf"
    text = f"work with {MODEL} on {DATASET}"
    play = Play(tmp_path / "project", text, OUTPUT if is_hub else "work/{task}/model", backend=backend)
    method, name = next(iter(profile.train.items()))
    assert profile.evaluate is not None
    plan_ = play.honest.plan() | {"taskType": profile.name}
    plan_["successMetric"] |= {"name": profile.metric, "direction": profile.direction}
    plan_["baseline"] |= {"method": method, "adapter": None, "sequenceLength": None}
    play.complete("plan", plan_)
    train = (TEMPLATES / name).read_text()
    made = play.honest.implement(train, (TEMPLATES / profile.evaluate).read_text())
    made["dependencies"] = (header(train) or {})["dependencies"]
    place = ["--hub-model-id", OUTPUT] if is_hub else ["--output", "{root}/" + play.honest.output]
    usual = ["--model", MODEL, "--data", DATASET, *place, "--steps"]
    made |= {"args": [*usual, "500"], "preflightArgs": [*usual, "20"]}
    made["evalArgs"] += ["--output", "{out}/scores"]
    assert isinstance(verdict := play.judge("implement", made), Accept), verdict


def test_work_that_was_sent_back_and_done_again_conforms(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    play.advance("verify_research")
    issue = {"severity": "error", "claim": "the example is out of date", "evidence": "its page says so", "url": None}
    blocked = play.answer("verify_research") | {"ok": False, "mustReblock": True, "issues": [issue]}
    assert isinstance(play.complete("verify_research", blocked), SendBack)
    assert play.state.todo == ("research.recipe",)
    old = [source["evidence"] for source in play.answer("research.recipe")["sources"]]
    again = play.answer("research.recipe")
    for source in again["sources"]:
        text = Path(play.root, source["evidence"]).read_text()
        source["evidence"] = play.honest.write(f"evidence/again-{Path(source['evidence']).name}", text)
    play.complete("research.recipe", again)
    Path(play.root, next(name for name in old if "code" in name)).unlink()
    state = play.advance()
    assert state.todo == ()
    assert conformity.missing(state, play.world) == {}
