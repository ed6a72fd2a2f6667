"""Answers that keep to their schema and lie: none advances a task, and each is told for what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.pipeline_answers import EVALUATE, TRAIN, Answer, log_of, log_of_evaluation
from fakes.pipeline_play import Play
from fakes.pipeline_world import DATASET, MODEL, a_model, a_verdict, the_limits
from mlresearch import schema
from mlresearch.pipeline import steps
from mlresearch.pipeline.job_plans import plan
from mlresearch.pipeline.task import Accept, Halt, Refuse, SendBack, Verdict

# gives the lie in place of the honest answer; may change files and world as well
Lie = Callable[[Play, Answer], Answer | None]


@dataclass(frozen=True)
class Cheat:
    """`told` stands in the refusal, or is the reason of the stop, or the step that the work goes back to."""

    step: str
    lie: Lie
    told: str
    kind: type[Accept | Refuse | SendBack | Halt] = Refuse


def put(**fields: Any) -> Lie:
    return lambda play, answer: answer | fields


def inside(key: str, **fields: Any) -> Lie:
    return lambda play, answer: answer | {key: answer[key] | fields}


def source(**fields: Any) -> Lie:
    """Another first source."""

    def lie(play: Play, answer: Answer) -> Answer:
        return answer | {"sources": [answer["sources"][0] | fields, *answer["sources"][1:]]}

    return lie


def evidence(text: str) -> Lie:
    """The first source's evidence with other bytes."""

    def lie(play: Play, answer: Answer) -> None:
        Path(play.root, answer["sources"][0]["evidence"]).write_text(text)

    return lie


def outside(play: Play, answer: Answer) -> None:
    """The evidence is a link to a file of this machine that holds everything."""
    elsewhere = play.root.parent / "elsewhere.json"
    place = Path(play.root, answer["sources"][0]["evidence"])
    elsewhere.write_bytes(place.read_bytes())
    place.unlink()
    place.symlink_to(elsewhere)


def world(change: Callable[[Play], object]) -> Lie:
    """Another truth under the same answer."""

    def lie(play: Play, answer: Answer) -> None:
        change(play)

    return lie


def inspected(**facts: Any) -> Lie:
    """The data is of another kind than the answer says."""
    return world(lambda play: play.world.verdicts.update({DATASET: a_verdict(**facts)}))


def script(*pairs: tuple[str, str], base: str = TRAIN, key: str = "train") -> Lie:
    """A script with other words, told honestly as far as its bytes go."""

    def lie(play: Play, answer: Answer) -> Answer:
        text = base
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        return play.honest.implement(**{"train" if key == "train" else "evaluation": text})

    return lie


def args(key: str, old: str, new: str) -> Lie:
    return lambda play, answer: answer | {key: [new if word == old else word for word in answer[key]]}


def rewritten(old: str, new: str) -> Lie:
    """The reviewed training script was changed before its job ran; the job is of the changed bytes."""

    def lie(play: Play, answer: Answer) -> Answer:
        path = Path(play.root, play.honest.work, "train.py")
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return answer | {"jobId": play.run(_step_of(play))}

    return lie


def invented(play: Play, answer: Answer) -> Answer:
    """A better number, printed by the evaluation script itself."""
    path = Path(play.root, play.honest.work, "evaluate.py")
    path.write_text(path.read_text().replace("1.9", "0.1"))
    return answer | {"jobId": play.run("evaluate", log_of_evaluation(0.1)), "value": 0.1}


def _step_of(play: Play) -> str:
    return play.state.todo[0]


def job(**facts: Any) -> Lie:
    """Another truth of the job that the answer names."""
    return lambda play, answer: play.world.change(answer["jobId"], **facts)


def logged(text: str) -> Lie:
    """Another log of that job, quoted to the letter."""

    def lie(play: Play, answer: Answer) -> Answer:
        play.world.change(answer["jobId"], log=tuple(text.splitlines()))
        return answer | ({"logTail": text.splitlines()[-1]} if "logTail" in answer else {})

    return lie


def earlier(step: str) -> Lie:
    """The job that an earlier step rests on."""
    return lambda play, answer: answer | {"jobId": play.state.results[step]["jobId"]}


def of_other_step(step: str) -> Lie:
    """A job that ran as another step needs it."""

    def lie(play: Play, answer: Answer) -> Answer:
        needed = plan(play.state, step)
        assert needed is not None
        return answer | {"jobId": play.world.run(needed, log_of(500, 250))}

    return lie


def unread(play: Play, answer: Answer) -> Answer:
    first = sorted(answer["reviewed"])[0]
    return answer | {"reviewed": {name: told for name, told in answer["reviewed"].items() if name != first}}


def misread(play: Play, answer: Answer) -> Answer:
    return answer | {"reviewed": dict.fromkeys(answer["reviewed"], "0" * 64)}


def blocking(play: Play, answer: Answer) -> Answer:
    told = "the cited paper does not exist"
    issue = {"severity": "error", "claim": told, "evidence": "404 of papers.py", "url": None}
    return answer | {"ok": False, "mustReblock": True, "issues": [issue]}


def silent_error(play: Play, answer: Answer) -> Answer:
    return blocking(play, answer) | {"ok": True, "mustReblock": False}


def first(key: str, **fields: Any) -> Lie:
    """Another first entry of a list."""
    return lambda play, answer: answer | {key: [answer[key][0] | fields, *answer[key][1:]]}


def removed(name: str) -> Lie:
    return world(lambda play: Path(play.root, play.honest.work, name).unlink())


def emptied(name: str) -> Lie:
    return world(lambda play: Path(play.root, play.honest.work, name).write_text(""))


def unsatisfied(play: Play, answer: Answer) -> Answer:
    item = {"timeoutSized": answer["timeoutSized"] | {"ok": False}}
    return answer | item | {"allSatisfied": False, "missing": ["timeoutSized"]}


def far_too_short(play: Play, answer: Answer) -> Answer:
    log = log_of(40, 20)
    play.world.change(answer["jobId"], log=tuple(log.splitlines()))
    return answer | {"lastStep": 40, "logTail": log.splitlines()[-1]}


def preflight_log(play: Play, **facts: Any) -> None:
    play.world.change(play.state.results["gpu_preflight"]["jobId"], **facts)


TRIVIAL: Answer = {
    "isTrivial": True, "directAnswer": "it is easy", "taskType": None, "steps": [], "successMetric": None,
}  # fmt: skip
NOTHING_CHECKED = [{"what": "everything", "command": "read it", "found": "fine"}]
ALERT = "[TRACKIO ERROR] divergence_nan: loss nan at step 40 (step 40)"
JSON_END = log_of(500, 250).splitlines()[-1]
NAN_END = JSON_END.replace("1.9", "NaN")

NO_RESULT: Answer = {"result": None, "model": None, "dataset": None}

CHEATS: dict[str, Cheat] = {
    # the plan
    "another model than the user's": Cheat("plan", inside("baseline", model="Qwen/Qwen2-0.5B-Instruct"), MODEL),
    "another data set than the user's": Cheat("plan", inside("baseline", dataset="trl-lib/tldr"), DATASET),
    "the model left open": Cheat("plan", inside("baseline", model=None), MODEL),
    "LoRA dropped from the plan": Cheat("plan", inside("baseline", adapter="full"), "baseline.adapter"),
    "LoRA left open in the plan": Cheat("plan", inside("baseline", adapter=None), "baseline.adapter"),
    "another method than SFT": Cheat("plan", inside("baseline", method="dpo"), "baseline.method"),
    "a shorter length in the plan": Cheat("plan", inside("baseline", sequenceLength=512), "baseline.sequenceLength"),
    "the length left open": Cheat("plan", inside("baseline", sequenceLength=None), "baseline.sequenceLength"),
    "a revision nobody named": Cheat("plan", inside("baseline", revision="abcdef1"), "baseline.revision"),
    "work called trivial": Cheat("plan", put(**TRIVIAL), "isTrivial"),
    "no metric": Cheat("plan", put(successMetric=None), "successMetric"),
    "a plan of one step": Cheat("plan", put(steps=["train"]), "steps"),
    "a profile that does not train": Cheat("plan", put(taskType="eval"), "no method of eval"),
    # research
    "a cited paper that does not exist": Cheat("research.landmark", source(id="2399.99999"), "there is no paper"),
    "evidence that is missing": Cheat("research.landmark", source(evidence="work/none.json"), "does not exist"),
    "evidence that is empty": Cheat("research.landmark", evidence(""), "is empty"),
    "evidence of something else": Cheat("research.landmark", evidence("{}"), "does not speak of"),
    "evidence that leads out of the project": Cheat("research.landmark", outside, "leads out of the project"),
    "a quote that no source holds": Cheat(
        "research.landmark",
        lambda play, answer: answer | {"findings": [answer["findings"][0] | {"quote": "LoRA needs no data at all"}]},
        "findings.0.quote",
    ),
    "a finding without its source": Cheat(
        "research.landmark",
        lambda play, answer: answer | {"findings": [answer["findings"][0] | {"source": 7}]},
        "there is no source 7",
    ),
    "a recipe without its source": Cheat(
        "research.recipe",
        lambda play, answer: answer | {"recipe": [answer["recipe"][0] | {"source": 9}]},
        "there is no source 9",
    ),
    "a recipe that cites what does not exist": Cheat("research.recipe", source(id="2399.99999"), "there is no paper"),
    "no result found, and no reason": Cheat("research.recipe", first("recipe", **NO_RESULT), "recipe.0.fits"),
    "an example without a result, and without a reason": Cheat(
        "research.recipe",
        lambda play, answer: answer | {"recipe": [*answer["recipe"], answer["recipe"][0] | NO_RESULT]},
        "recipe.1.fits: without a result",
    ),
    "a result of no model": Cheat("research.recipe", first("recipe", model=None), "recipe.0.model"),
    "a result without its data": Cheat("research.recipe", first("recipe", dataset=None), "recipe.0.dataset: null"),
    # critics
    "a review of other bytes": Cheat("verify_research", misread, "other bytes"),
    "a review that left a file out": Cheat("verify_research", unread, "was not read"),
    "a review that checked nothing": Cheat("verify_research", put(checked=NOTHING_CHECKED), "nothing was checked of"),
    "an error that does not block": Cheat("verify_research", silent_error, "1 issues of severity error"),
    "a paper that is gone meanwhile": Cheat(
        "verify_research", world(lambda play: play.world.known.clear()), "there is no paper"
    ),
    "research that the critic blocks": Cheat("verify_research", blocking, "research.recipe", SendBack),
    "data that the critic blocks": Cheat("format_critic", blocking, "data_audit", SendBack),
    "code that the critic blocks": Cheat("code_review", blocking, "implement", SendBack),
    "a review of code that changed": Cheat(
        "code_review",
        world(lambda play: Path(play.root, play.honest.work, "train.py").write_text(TRAIN + "\n")),
        "train.py",
    ),
    "a review that never opened the scripts": Cheat("code_review", put(checked=NOTHING_CHECKED), "train.py"),
    # resources
    "another model in its place": Cheat("resources.model", inside("verified", id="gpt2"), "in its place"),
    "a model that does not exist": Cheat(
        "resources.model", world(lambda play: play.world.models.clear()), "resource_unavailable", Halt
    ),
    "a data set that does not exist": Cheat(
        "resources.dataset", world(lambda play: play.world.datasets.clear()), "resource_unavailable", Halt
    ),
    "a gated model told as open": Cheat(
        "resources.model",
        world(lambda play: play.world.models.update({MODEL: a_model(gated=True, access=False)})),
        "gated_access",
        Halt,
    ),
    "another revision of the model": Cheat("resources.model", inside("verified", revision="d" * 40), "revision"),
    "another licence": Cheat("resources.model", inside("verified", licence="mit"), "licence"),
    "a model made smaller": Cheat("resources.model", put(parameters=1_000_000), "parameters"),
    "hardware that nobody approved": Cheat("resources.model", put(flavor="h200"), "flavor"),
    "evidence of the model missing": Cheat("resources.model", inside("verified", evidence="work/no"), "does not exist"),
    # data
    "data that can not serve the method": Cheat(
        "data_audit",
        inspected(status="incompatible", missing=["messages"]),
        "dataset_format_incompatible",
        Halt,
    ),
    "a mapping left out": Cheat(
        "data_audit",
        inspected(status="needs_mapping", mapping={"messages": "conversations"}),
        "mappingNeeded",
    ),
    "other required columns": Cheat("data_audit", put(requiredFields=["text"]), "requiredFields"),
    "rows that are not there": Cheat("data_audit", put(splits={"train": 99_999, "test": 200}), "99999 rows"),
    "a split left out": Cheat("data_audit", put(splits={"train": 15_806}), "left out"),
    "a column made up": Cheat(
        "data_audit", lambda play, answer: answer | {"columns": answer["columns"] | {"text": "string"}}, "no text"
    ),
    "other data audited": Cheat("data_audit", put(dataset="trl-lib/tldr"), "the one that was verified"),
    # the scripts
    "a script that is not there": Cheat("implement", removed("train.py"), "does not exist"),
    "a script that is empty": Cheat("implement", emptied("train.py"), "is empty"),
    "a script told with other bytes": Cheat("implement", put(trainScriptContent=TRAIN + "#"), "not the bytes"),
    "a script that is no Python": Cheat("implement", script(("import argparse", "import argparse (")), "no Python"),
    "a shorter length inside the script": Cheat(
        "implement", script(("max_length=args.max_length", "max_length=512")), "sequence length"
    ),
    "a shorter length by assignment": Cheat(
        "implement", script(("args.steps = 1", "args.max_length = 512\nargs.steps = 1")), "sequence length"
    ),
    "a shorter length by setattr": Cheat(
        "implement", script(("args.steps = 1", 'setattr(args, "max_length", 512)\nargs.steps = 1')), "sequence length"
    ),
    "a shorter length by a spread dictionary": Cheat(
        "implement", script(("max_length=args.max_length", '**{"max_length": 512}')), "sequence length"
    ),
    "arguments rewritten by the script": Cheat(
        "implement",
        script(("args = parser.parse_args()", "import sys\nsys.argv += ['--x']\nargs = parser.parse_args()")),
        "known at run time only",
    ),
    "SMOKE switched on for good": Cheat(
        "implement", script(('SMOKE = os.environ.get("SMOKE") == "1"', "SMOKE = True")), "smokeKnobs"
    ),
    "full training in place of LoRA": Cheat("implement", script(("LoraConfig(r=8)", "None")), "adapter"),
    "another trainer": Cheat("implement", script(("SFTTrainer", "RewardTrainer")), "method"),
    "another model in the arguments": Cheat("implement", args("args", MODEL, "gpt2"), "model: asked for"),
    "another data set in the arguments": Cheat("implement", args("args", DATASET, "trl-lib/tldr"), "dataset"),
    "another length in the arguments": Cheat("implement", args("args", "1024", "512"), "sequence length"),
    "monitoring removed": Cheat("implement", script(("trackio.log", "print"), ("trackio.init", "print")), "monitor"),
    "a short run of other data": Cheat("implement", args("preflightArgs", DATASET, "trl-lib/tldr"), "preflightArgs"),
    "a short run of another length": Cheat("implement", args("preflightArgs", "1024", "64"), "preflightArgs"),
    "a time limit past the envelope": Cheat("implement", put(timeoutHours=9), "a time limit of"),
    "a time limit that is too short": Cheat("implement", put(timeoutHours=0.3), "would end before"),
    "other hardware than was approved": Cheat("implement", put(flavor="h200"), "flavor h200"),
    "a destination that is a placeholder": Cheat("implement", put(persistenceDest="your-org/name"), "persistenceDest"),
    "a destination outside the envelope": Cheat("implement", put(persistenceDest="other/model"), "persistenceDest"),
    "pins that the script does not have": Cheat("implement", put(dependencies=["torch==2.0"]), "dependencies"),
    "a dependency without its pin": Cheat(
        "implement",
        script(("import argparse", '# /// script\n# dependencies = ["trackio"]\n# ///\nimport argparse')),
        "must pin every dependency",
    ),
    "a reference that is none": Cheat("implement", inside("reference", what="my memory"), "reference.what"),
    "a reference whose page does not exist": Cheat(
        "implement", inside("reference", url="https://example.org/none"), "reference.url"
    ),
    "an evaluation of another model": Cheat("implement", args("evalArgs", "me/capybara-lora", "gpt2"), "does not load"),
    "a training that pushes nowhere": Cheat(
        "implement", script(("HfApi().create_repo", "print"), ("HfApi().upload_file", "print")), "saves nothing to"
    ),
    "an evaluation of another metric": Cheat(
        "implement", script(("eval_loss", "score"), base=EVALUATE, key="evaluation"), "never names eval_loss"
    ),
    # the smoke run
    "a failed smoke run told as a success": Cheat("cpu_smoke", job(stage="FAILED"), "ended as FAILED"),
    "a smoke run that is still open": Cheat("cpu_smoke", job(stage=None), "still open"),
    "a smoke run without SMOKE=1": Cheat("cpu_smoke", job(is_smoke=False), "SMOKE=1"),
    "a job that does not exist": Cheat("cpu_smoke", put(jobId="j0999"), "not in the ledger"),
    "a job of another script": Cheat("cpu_smoke", job(files={"train.py": "0" * 64}), "ran other files"),
    "a job with a file beside its script": Cheat(
        "cpu_smoke",
        lambda play, answer: play.world.change(
            answer["jobId"], files={**play.world.jobs[answer["jobId"]].files, "trl.py": "0" * 64}
        ),
        "ran other files",
    ),
    "a job with other arguments": Cheat("cpu_smoke", job(args_sha256="0" * 64), "other arguments"),
    "a stand-in that is not told": Cheat("cpu_smoke", put(usedProxyModel=True), "usedProxyModel"),
    "a log that was made up": Cheat("cpu_smoke", put(logTail="step 1 loss 0.0\ndone"), "logTail"),
    "steps that were not run": Cheat("cpu_smoke", put(stepsRun=12), "stepsRun"),
    "a smoke run that trained nothing": Cheat("cpu_smoke", logged('{"steps": 0, "ended": "done"}'), "no training step"),
    "a job of an earlier task": Cheat("cpu_smoke", job(reserved_at=1.0), "before this task began"),
    # the short job
    "the smoke run as the short job": Cheat("gpu_preflight", earlier("cpu_smoke"), "belongs to cpu_smoke"),
    "the full job as the short job": Cheat("gpu_preflight", of_other_step("full_job"), "other arguments"),
    "a short job on other hardware": Cheat("gpu_preflight", job(flavor="cpu-basic"), "flavor"),
    "a short job on this machine": Cheat("gpu_preflight", job(backend="local"), "backend"),
    "a short job in smoke mode": Cheat("gpu_preflight", job(is_smoke=True), "SMOKE=1"),
    "a length cut after the review": Cheat(
        "gpu_preflight", rewritten("max_length=args.max_length", "max_length=256"), "lengths: was 1024"
    ),
    "data cut after the review": Cheat(
        "gpu_preflight",
        rewritten("rows = load_dataset(args.data)", "rows = load_dataset(args.data)\nrows = rows[:2]"),
        "amounts",
    ),
    "monitoring cut after the review": Cheat("gpu_preflight", rewritten("trackio.log(", "print("), "monitoring"),
    "LoRA cut after the review": Cheat("gpu_preflight", rewritten("LoraConfig(r=8)", "None"), "adapters"),
    "a job with an alert told as a success": Cheat("gpu_preflight", logged(f"{ALERT}\n{JSON_END}"), "ERROR alert"),
    "a loss that is no number": Cheat("gpu_preflight", logged(f"step 3 loss nan\n{JSON_END}"), "no finite number"),
    "a stand-in as the real model": Cheat("gpu_preflight", put(realModelLoaded=False), "realModelLoaded"),
    "a job that was never healthy": Cheat("gpu_preflight", put(healthy=False), "healthy"),
    "a script mended without a failure": Cheat("gpu_preflight", rewritten("2.0 - step", "3.0 - step"), "no diagnosis"),
    # the checklist
    "a checklist with a failed short job": Cheat(
        "readiness", world(lambda play: preflight_log(play, stage="FAILED")), "preflightPassed"
    ),
    "a checklist with too little time": Cheat(
        "readiness", world(lambda play: preflight_log(play, log=tuple(log_of(10, 9000).splitlines()))), "timeoutSized"
    ),
    "a checklist with other bytes": Cheat(
        "readiness", world(lambda play: preflight_log(play, files={"train.py": "0" * 64})), "codeByValue"
    ),
    "a checklist with a destination outside": Cheat(
        "readiness",
        world(lambda play: setattr(play.world, "limits", the_limits() | {"output_repos": ["you/*"]})),
        "persistenceConcrete",
    ),
    "a checklist after monitoring was cut": Cheat(
        "readiness",
        world(
            lambda play: Path(play.root, play.honest.work, "train.py").write_text(TRAIN.replace("trackio.log", "print"))
        ),
        "monitoringWired",
    ),
    "all satisfied, with one that is not": Cheat("readiness", inside("timeoutSized", ok=False), "missing"),
    "a checklist that is honestly not satisfied": Cheat(
        "readiness",
        unsatisfied,
        "preflight_checklist_unsatisfied",
        Halt,
    ),
    # the full job
    "the short job as the full job": Cheat("full_job", earlier("gpu_preflight"), "belongs to gpu_preflight"),
    "a full job of few steps": Cheat(
        "full_job",
        far_too_short,
        "500 steps were planned",
    ),
    "steps of the full job made up": Cheat("full_job", logged(log_of(40, 20)), "the log shows 40"),
    "a full job that timed out": Cheat("full_job", job(stage="TIMEOUT"), "ended as TIMEOUT"),
    "a full job with a longer limit": Cheat("full_job", job(timeout_s=9 * 3600), "timeout"),
    "a full job that says it diverged": Cheat(
        "full_job", logged(log_of(500, 250).replace('"done"', '"diverged"')), "diverged"
    ),
    "another rate of data after the review": Cheat(
        "full_job", rewritten("type=int, default=16", "type=int, default=1"), "effective batch"
    ),
    # the evaluation
    "a better value than the log's": Cheat("evaluate", put(value=1.2), "value: 1.2"),
    "more examples than the log's": Cheat("evaluate", put(n=20_000), "n: 20000"),
    "a smaller error than the log's": Cheat("evaluate", put(stderr=0.0001), "stderr"),
    "a worse baseline than the log's": Cheat("evaluate", put(baselineValue=9.9), "baselineValue"),
    "a baseline of nobody knows what": Cheat("evaluate", put(baselineWhat=None), "baselineWhat: None"),
    "a surer baseline than the log's": Cheat("evaluate", put(baselineStderr=0.001), "baselineStderr"),
    "a difference that the log does not tell": Cheat(
        "evaluate", put(difference={"value": -0.5, "stderr": 0.001}), "difference"
    ),
    "the baseline left out": Cheat("evaluate", put(baselineValue=None), "baselineValue"),
    "another metric": Cheat("evaluate", put(metric="accuracy"), "metric: accuracy"),
    "the full job as the evaluation": Cheat("evaluate", earlier("full_job"), "belongs to full_job"),
    "an evaluation that failed": Cheat("evaluate", job(stage="FAILED"), "ended as FAILED"),
    "an evaluation that was not run": Cheat("evaluate", put(evaluated=False), "evaluated: false"),
    "a log without a number": Cheat("evaluate", logged("done"), "without the JSON line"),
    "a model that is not saved": Cheat(
        "evaluate", world(lambda play: play.world.places.clear()), "not_persisted", Halt
    ),
    "another model's page": Cheat("evaluate", put(modelUrl="https://huggingface.co/Qwen/Qwen2-0.5B"), "saves to"),
    "an evaluation script that prints what it likes": Cheat("evaluate", invented, "no diagnosis"),
    # the end
    "conforms with an open job": Cheat(
        "final_verification",
        world(lambda play: play.world.change(play.state.results["full_job"]["jobId"], stage=None)),
        "open jobs",
    ),
    "conforms with a changed script": Cheat(
        "final_verification",
        world(lambda play: Path(play.root, play.honest.work, "train.py").write_text(TRAIN.replace("1024", "512"))),
        "files",
    ),
    "conforms with evidence that is gone": Cheat(
        "final_verification",
        world(lambda play: next(Path(play.root, play.honest.work, "evidence").iterdir()).unlink()),
        "files",
    ),
    "conforms with an answer that was edited": Cheat(
        "final_verification",
        world(lambda play: Path(play.root, "runs", play.task, "results", "evaluate.json").write_text("{}")),
        "files",
    ),
    "conforms past the cap": Cheat(
        "final_verification", world(lambda play: setattr(play.world, "spent", 11_000_000)), "spending"
    ),
    "conforms without the model": Cheat("final_verification", world(lambda play: play.world.places.clear()), "result"),
    "does not conform, and names nothing": Cheat("final_verification", put(conforms=False), "conforms: False"),
    "an artifact that does not exist": Cheat(
        "final_verification",
        lambda play, answer: (
            answer | {"artifacts": [*answer["artifacts"], {"what": "dashboard", "where": "https://example.org/none"}]}
        ),
        "artifacts.2",
    ),
    "the model left out of the artifacts": Cheat(
        "final_verification", lambda play, answer: answer | {"artifacts": answer["artifacts"][1:]}, "the result itself"
    ),
}


def told_by(verdict: Verdict) -> str:
    if isinstance(verdict, Refuse):
        return " | ".join(verdict.faults)
    if isinstance(verdict, Halt):
        return verdict.reason
    return verdict.step if isinstance(verdict, SendBack) else "accepted"


@pytest.mark.parametrize("name", CHEATS)
def test_a_lie_that_keeps_to_its_schema_does_not_advance(name: str, at: Callable[[str], Play]) -> None:
    cheat = CHEATS[name]
    play = at(cheat.step)
    honest = play.answer(cheat.step)
    lie = cheat.lie(play, honest) or honest
    assert schema.faults(f"pipeline/{steps.BY_NAME[cheat.step].schema}", json.loads(json.dumps(lie))) == []
    verdict = play.judge(cheat.step, lie)
    assert type(verdict) is cheat.kind, told_by(verdict)
    assert cheat.told in told_by(verdict)


def test_there_are_cheats_at_every_step() -> None:
    assert {cheat.step.partition(".")[0] for cheat in CHEATS.values()} == {step.group for step in steps.STEPS}
    assert len(CHEATS) >= 100


@pytest.mark.parametrize("step", [step.name for step in steps.STEPS])
def test_the_same_answer_without_its_lie_is_accepted(step: str, at: Callable[[str], Play]) -> None:
    play = at(step)
    assert isinstance(play.judge(step, play.answer(step)), Accept)
