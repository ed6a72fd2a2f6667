"""Programs that no table lists: nearly all that could spend are denied under a seal, ordinary commands hardly ever."""

from __future__ import annotations

from typing import Any

NAMES = (
    "skylift", "gridfarm", "nimbusctl", "tensorport", "quickgpu", "farmhand", "podlaunch", "computely", "renderhive",
    "gpushare", "clusterly", "jobforge", "trainhub", "hyperrent", "flopstore", "nodecast", "batchly", "cloudkiln",
    "warpjobs", "burstrun", "rentgrid", "mlpier", "octofarm", "silicore", "lambdadesk", "stratusml", "coreleap",
    "meshcompute", "beamly2", "quotaless", "spotwise", "deepdock", "runway-ml", "bigiron", "h100club", "vectorport",
    "elasticml", "paperfarm", "fleetgpu", "zephyrctl", "orbitml", "titanrent", "ironjobs", "shardlab", "kernelbay",
    "latticeml", "foundryctl", "cumulus-cli", "prismgpu", "anvil-run", "pulsarjobs", "gigaflopper",
)  # fmt: skip
USES = ("{} run train.py", "{} submit --gpu a100 train.py", "{} deploy app.yaml")
WRAPPED = ("{}", "nohup {} &", "cd work && {}", "uvx {}", "bash -c '{}'", "pipx run {}", "x=$({})")

ORDINARY = """
ls
ls -la
ls -la work
ls *.py
ls src/ tests/
pwd
cd work
cd work && ls
cat train.py
cat notes.md
head -50 train.py
head -n 20 work/plan.json
tail -5 work/plan.json
tail -n +20 train.py
wc -l train.py
wc -l *.py
grep -n 'lr' train.py
grep -rn "def main" src
grep -rniE 'loss|accuracy' work
grep -c accuracy work/plan.json
egrep 'a|b' train.py
rg 'seed' src
rg -l accuracy
rg --files
find . -name '*.py'
find work -type f -newer train.py
find . -maxdepth 2 -name '*.json' | head
sort list.txt
sort -k2 -n list.txt | uniq -c
uniq list.txt
cut -d, -f1 list.txt
tr a-z A-Z < list.txt
awk '{print $1}' list.txt
awk -F, 'NR>1 {s+=$2} END {print s/NR}' list.txt
sed -n 1,40p train.py
sed -n '/accuracy/p' notes.md
sed 's/a/b/' notes.md
diff a.py b.py
diff -u a.py b.py | head -40
cmp a.py b.py
echo done
echo "$HOME"
printf '%s\\n' a b
date
date +%s
whoami
hostname
uname -a
env | sort
printenv PATH
which python
command -v uv
type python
file out/model.safetensors
stat train.py
du -sh work
du -sh * | sort -h
df -h
free -g
nproc
lscpu
uptime
ps aux
ps aux | grep train | head
pgrep -f train.py
top -bn1 | head -15
nvidia-smi
nvidia-smi --query-gpu=memory.used,utilization.gpu --format=csv
lsof -i :8000
sleep 5
true
test -f train.py
[ -d work ] && echo yes
[[ -f train.py ]] && echo yes
for f in *.py; do wc -l "$f"; done
for i in 1 2 3; do echo $i; done
while read -r f; do wc -l "$f"; done < list.txt
if [ -f a.py ]; then cat a.py; fi
tree -L 2
basename work/plan.json
dirname work/plan.json
realpath train.py
readlink -f train.py
mkdir -p work/run1
touch work/x
cp train.py work/train_copy.py
mv work/x work/y
rm work/y
rm -rf work/tmp
ln -s ../train.py work/link.py
tee work/log.txt < list.txt
xargs -n1 wc -l < list.txt
cat list.txt | xargs head -3
md5sum train.py
sha256sum train.py
base64 list.txt
xxd list.txt | head
od -c list.txt | head
strings out/model.safetensors | head
column -t list.txt
nl train.py
seq 1 5
paste a.py b.py
comm a.py b.py
jq . work/plan.json
jq -r '.a' work/plan.json
yq . job.json
tar tf work/x.tar
tar czf work/x.tgz src
gzip -k work/plan.json
unzip -l work/x.zip
zip -r work/x.zip src
git status
git status --short
git diff
git diff --stat
git diff HEAD~1 -- train.py
git log --oneline -5
git log -p train.py
git show HEAD
git blame train.py
git branch
git branch -a
git rev-parse HEAD
git ls-files
git add train.py
git add -A work
git commit -m 'try a smaller step'
git remote -v
git tag
git stash list
git config user.name
git grep -n lr
git fetch
git worktree list
git describe --tags
git shortlog -sn
git reflog
python train.py
python train.py --seed 1
python3 train.py --lr 1e-3
python -m pytest
python -m pytest -q tests
python -c 'print(1)'
python -c 'import torch; print(torch.cuda.is_available())'
python -m json.tool work/plan.json
python -m pip list
python --version
python3 -V
python -m py_compile train.py
python -m compileall src
python -m timeit 'pass'
python -m cProfile -o work/prof train.py
python work/ok.py
python a.py && python b.py
CUDA_VISIBLE_DEVICES=0 python train.py
PYTHONPATH=src python train.py
time python train.py
timeout 60 python train.py
nohup python train.py > work/out.log 2>&1 &
python train.py 2>&1 | tee work/log.txt
python train.py | tail -3
nice -n 10 python train.py
uv run train.py
uv run python train.py
uv run pytest
uv run --with numpy python a.py
uv pip list
uv tree
uv --version
uv sync
uv lock
uv add numpy
uv python list
uvx ruff check .
pip list
pip show torch
pip freeze
pip install numpy
pip install -r requirements.txt
conda list
conda env list
poetry show
pytest
pytest -q
pytest -x tests/test_train.py
pytest -k train -q
pytest --collect-only -q
ruff check .
ruff format --check .
ruff check --fix src
black --check .
isort --check .
flake8 src
mypy src
mypy --strict a.py
pyright src
pre-commit run --all-files
coverage report
coverage run -m pytest
jupyter nbconvert --to script calm.ipynb --stdout
torchrun --nproc_per_node 2 train.py
accelerate launch train.py
accelerate env
deepspeed --version
make lint
make -n lint
bash fine.sh
bash -n fine.sh
sh -c 'ls | wc -l'
chmod +x work/ok.py
node --version
npm --version
gcc --version
nvcc --version
cmake --version
hf auth whoami
hf jobs ps
hf jobs logs 123
hf download gpt2
hf cache list
hf models info gpt2
curl -sI https://huggingface.co
curl -s https://huggingface.co/api/models/gpt2
wget -q https://example.org/data.csv -O work/data.csv
tensorboard --logdir work/tb
wandb --version
squeue
squeue -u me
sinfo
sacct -j 1
docker ps
docker images
tmux ls
screen -ls
kill 12345
jobs
history
man ls
less train.py
vim --version
watch -n1 nvidia-smi
htop
bc <<< '1+1'
expr 1 + 1
ssh-keygen -l -f key.pub
export SEED=1
set -e; python train.py
source .venv/bin/activate
tail -f work/log.txt
shellcheck fine.sh
dot -Tpng work/g.dot -o work/g.png
ffmpeg -i work/a.mp4 work/b.gif
convert work/a.png work/b.jpg
pandoc notes.md -o work/notes.html
sqlite3 work/db.sqlite 'select 1'
cargo build
go version
rsync -a src/ work/src/
patch --version
""".strip().split("\n")


def test_at_least_nine_in_ten_uses_of_programs_that_nobody_listed_are_denied(sealed: Any) -> None:
    assert len(set(NAMES)) >= 50
    lines = [shape.format(use.format(name)) for name in NAMES for use in USES for shape in WRAPPED]
    through = [line for line in lines if sealed.bash(line).decision != "deny"]
    print(f"{len(lines) - len(through)} of {len(lines)} denied")
    assert len(through) <= len(lines) / 10, through[:20]


def test_at_most_two_in_a_hundred_ordinary_commands_are_refused_under_a_seal(sealed: Any) -> None:
    assert len(set(ORDINARY)) >= 200
    refused = [line for line in ORDINARY if sealed.bash(line).decision != "silent"]
    print(f"{len(refused)} of {len(ORDINARY)} refused: {refused}")
    assert len(refused) <= len(ORDINARY) * 0.02, refused


def test_a_newcomer_is_nobodys_business_without_a_program(fields: dict[str, Any]) -> None:
    assert {fields["none"].bash(f"{name} run train.py").decision for name in NAMES} == {"silent"}
