"""What a line really runs: names resolved, wrappers unwrapped, the unknown kept unknown."""

from __future__ import annotations

import pytest

from mlresearch.guard.collect import BINDERS
from mlresearch.guard.unwrap import ACTIVE, commands, name
from mlresearch.guard.words import Command, ReadError
from mlresearch.guard.wrappers import WRAPPERS

# Each row: a text and every command it runs, arguments joined with a blank, "?" for one known only at run time.
NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # variables
    ('S="uv run j.py"; $S submit', ("uv run j.py submit", "j.py submit")),
    ('S="a b"; "$S" c', ("a b c",)),
    ("S=a; ${S} b", ("a b",)),
    ("S=a; ${S}b c", ("ab c",)),
    ("S=a; $Sb c", ("? c",)),
    ("S=a && $S b", ("a b",)),
    ("cd x && S=a && $S b", ("cd x", "a b")),
    ("S=a; T=$S; $T b", ("a b",)),
    ("S=a; S=$S; $S b", ("a b",)),
    ('A=a; B="$A b"; $B c', ("a b c",)),
    ("A=a; A+=b; $A c", ("a c", "ab c")),
    ("S='  a   b  '; x${S}y", ("x a b y",)),
    ("S=; $S a b", ("a b",)),
    ('S=; "$S" a', (" a",)),
    ("export S=a; $S b", ("export S=a", "a b")),
    ("declare -r S=a; $S b", ("declare -r S=a", "a b")),
    ("declare -l S=A; $S b", ("declare -l S=A", "? b")),
    ("declare -n S=T; $S b", ("declare -n S=T", "? b")),
    ("readonly S='a b'; $S", ("readonly S=a b", "a b")),
    ("if x; then S=a; else S=b; fi; $S c", ("x", "a c", "b c", "c")),
    ("[ x ] && S=a; $S b", ("[ x ]", "a b", "b")),
    ("x | { y; S=a; }; $S b", ("x", "y", "a b", "b")),
    ("{ S=a; } | x; $S b", ("x", "a b", "b")),
    ("(S=a); $S b", ("a b", "b")),
    ("S=a; S=$(x); $S b", ("x", "? b")),
    ("S=a; read S; $S b", ("read S", "? b")),
    ("S=a; printf -v S x; $S b", ("printf -v S x", "? b")),
    ("S=a; unset S; $S b", ("unset S", "a b", "b")),
    ("S=a; eval S=b; $S c", ("eval S=b", "", "a c", "b c")),
    ("S=a; : ${S:=b}; $S c", (": ?", "? c")),
    ("$S b; S=a", ("? b",)),
    ("while x; do $S b; S=a; done", ("x", "a b", "b")),
    ("S=a $S b", ("? b",)),
    ("S=a b; $S c", ("b", "? c")),
    ("a $X", ("a ?",)),
    ("$X a", ("? a",)),
    ("a ${X:-b}", ("a ?",)),
    ("X=b; a ${X:-c}", ("a b",)),
    ("X=b; a ${X%c} ${#X}", ("a ? ?",)),
    ("X='*'; a $X", ("a ?",)),
    ("X='*'; a \"$X\"", ("a *",)),
    ("hf${IFS}jobs${IFS}run", ("hf jobs run",)),
    ("IFS=,; S=a,b; $S c", ("a b c",)),
    ("S=a; f() { $S b; }; f", ("f", "a b")),
    ("f() { S=a; }; f; $S b", ("f", "a b", "b")),
    ('S=a; b "$S/x" \'$S\'', ("b a/x $S",)),
    ("F=program.md; a > $F", ("a",)),
    ("A=" + "a" * 100 + ";" + "A=$A$A;" * 40 + "$A b", ("? b",)),
    # loops
    ("for x in a b; do $x c; done", ("a c", "b c")),
    ('for x in "a b"; do $x c; done', ("a b c",)),
    ("for x in a $Y; do $x c; done", ("? c",)),
    ("for x in *.sh; do $x c; done", ("? c",)),
    ("for x in {a,b}; do $x; done", ("a", "b")),
    ("L='a b'; for x in $L; do $x; done", ("a", "b")),
    ("for x; do $x; done", ("?",)),
    ("for i in 1 2; do a --seed $i; done", ("a --seed 1", "a --seed 2")),
    # arrays
    ('A=(a b c); "${A[@]}" d', ("a b c d",)),
    ("A=(a b c); ${A[*]} d", ("a b c d",)),
    ("A=('a b'); ${A[@]} c", ("a b c",)),
    ('A=(a b); "${A[0]}" c', ("a c",)),
    ('A=(a b); "$A" c', ("a c",)),
    ('A=(a); A+=(b); "${A[@]}"', ("a", "a b")),
    ('A=(a $X); "${A[@]}"', ("a ?",)),
    ('A=(a *.py); "${A[@]}"', ("?",)),
    ('A=(a); A[0]=b; "${A[@]}"', ("?",)),
    ('declare -a A=(a b); "${A[@]}"', ("declare -a", "a b")),
    # arguments
    ('set -- a b; "$@" c', ("set -- a b", "a b c")),
    ('set -- a b; "$1" $2', ("set -- a b", "a b")),
    ('set -- a b; shift; "$@"', ("set -- a b", "shift", "b")),
    ("f() { a \"$@\"; }; f b 'c d'", ("f b c d", "a b c d")),
    ("f() { $1 $2; }; f a b", ("f a b", "a b")),
    ('f() { local n=$1; shift; "$@"; }; f 3 a b', ("f 3 a b", "local n=3", "shift", "a b")),
    ('f() { while x; do shift; done; "$@"; }; f a', ("f a", "x", "shift", "?")),
    ('f() { "$@"; }; f $X a', ("f ? a", "? a")),
    ('f() { "$@"; }', ("?",)),
    ('f() { "$@" a; }; f', ("f", "a")),
    ("f() { a ${1:-5}; }; f 3", ("f 3", "a 3")),
    ("set -- a; b ${\u00b2} ${1} ${00} ${9} ${99999999999}", ("set -- a", "b ? a ? ?")),
    # functions and aliases
    ("f() { a; }; f; f", ("f", "a", "f", "a")),
    ("f() { a; }", ("a",)),
    ("f() { f; }; f", ("f", "f")),
    ("f() { g; }; g() { a; }; f", ("f", "g", "a")),
    ("f() { a; }; f() { b; }; f", ("f", "a", "b")),
    ("f() { a; }; export -f f; bash -c f", ("export -f f", "bash -c f", "f", "a")),
    ("f() { bash -c 'f() { a; }; f'; }; f", ("f", "bash -c f() { a; }; f", "f", "a")),
    ("alias h=hf\nh jobs", ("alias h=hf", "h jobs", "hf jobs")),
    ("alias h='a; hf'\nh jobs", ("alias h=a; hf", "h jobs", "a", "hf jobs")),
    ("alias a='a -x'\na b", ("alias a=a -x", "a b", "a -x b")),
    ("alias a=$X\na b", ("alias ?", "a b", "?")),
    ("alias s='sudo ' h=hf\ns h x", ("alias s=sudo  h=hf", "s h x", "sudo h x", "h x", "hf x")),
    # braces and patterns
    ("{hf,jobs,run}", ("hf jobs run",)),
    ("h{f,g} x", ("hf hg x",)),
    ("a {1..3} {a..c} {01..03} {3..1} {1..9..4}", ("a 1 2 3 a b c 01 02 03 3 2 1 1 5 9",)),
    ("a {b,{c,d}e}f {}", ("a bf cef def {}",)),
    ('a {"b c",d}x', ("a b cx dx",)),
    ("S=b; a {$S,c}", ("a b c",)),
    ("a {1..100000}", ("a ?",)),
    ("a {b} {c", ("a {b} {c",)),
    ("a *.py ~/x $HOME/y", ("a ? ~/x ?",)),
    # substitutions that only print a literal
    ("$(echo hf) jobs", ("echo hf", "hf jobs")),
    ('a "$(cat <<\'E\'\nit\'s $x\nE\n)"', ("cat", "a it's $x")),
    ("a $(echo b | c)", ("echo b", "c", "a ?")),
    ("a $(printf '%s-%s' b c)", ("printf %s-%s b c", "a b-c")),
    ("a $(echo b > f)", ("echo b", "a ?")),
)  # fmt: skip

WRAPPED: tuple[tuple[str, tuple[str, ...]], ...] = (
    # shells; the first command is the wrapper itself and is left out
    ("bash -c 'hf a; b'", ("hf a", "b")),
    ("sh -lc 'hf'", ("hf",)),
    ("bash -ec 'hf' x y", ("hf",)),
    ("bash -c -e 'hf'", ("hf",)),
    ("bash -o pipefail -ec 'hf'", ("hf",)),
    ("bash +x --norc -c -- 'hf'", ("hf",)),
    ("/bin/zsh -ic 'hf'", ("hf",)),
    ("bash -c 'hf \"$@\"' _ a b", ("hf a b",)),
    ("bash -c '$1 x' _ hf", ("hf x",)),
    ("bash -c 'bash -c \"hf\"'", ("bash -c hf", "hf")),
    ("dash -c \"hf $X\"", ("?", "hf ?")),
    ('bash -c "$X"', ("?", "?")),
    ("S=hf bash -c '$S a'", ("hf a",)),
    ("bash <<'E'\nhf a\nb\nE", ("hf a", "b")),
    ("bash <<E\nhf $X\nE", ("?", "hf ?")),
    ("bash -s x <<'E'\nhf $1\nE", ("hf x",)),
    ("bash <<< 'hf a'", ("hf a",)),
    ("bash", ("?", "?")),
    ("bash < f", ("?", "?")),
    ("bash x.sh", ()),
    ("bash $X", ("?", "?")),
    ("bash /dev/stdin <<< hf", ("hf",)),
    ("bash <(echo hf a)", ("hf a",)),
    ("source <(echo hf a)", ("hf a",)),
    (". x.sh", ()),
    ("eval hf a", ("hf a",)),
    ("eval 'hf a; b' c", ("hf a", "b c")),
    ("eval -- hf", ("hf",)),
    ('eval "$X"', ("?", "?")),
    ("trap 'hf a' EXIT", ("hf a",)),
    ("trap -- 'hf a' INT TERM", ("hf a",)),
    ("trap - EXIT", ()),
    ("trap '' EXIT", ()),
    # prefixes
    ("env hf a", ("hf a",)),
    ("env -i A=b -u C -C /d hf a", ("hf a",)),
    ("env A=$X hf a", ("hf a",)),
    ("env - hf", ("hf",)),
    ("env -S 'hf a' b", ("hf a b",)),
    ("/usr/bin/env -S hf a", ("hf a",)),
    ("env A=hf bash -c '$A x'", ("bash -c $A x", "hf x")),
    ("env", ()),
    ("nohup hf a", ("hf a",)),
    ("nice hf", ("hf",)),
    ("nice -n 5 hf", ("hf",)),
    ("nice -n5 hf", ("hf",)),
    ("nice --adjustment=5 hf", ("hf",)),
    ("nice --adj 5 hf", ("hf",)),
    ("nice -10 hf", ("hf",)),
    ("ionice -c 3 hf", ("hf",)),
    ("timeout 5m hf a", ("hf a",)),
    ("timeout -k 5 --signal INT --foreground 5m hf", ("hf",)),
    ("timeout --kill-after=5 5m hf", ("hf",)),
    ("stdbuf -oL -e 0 hf", ("hf",)),
    ("setsid -f hf", ("hf",)),
    ("/usr/bin/time -f %E -o f hf", ("hf",)),
    ("sudo -u me -E A=1 hf", ("hf",)),
    ("sudo -- hf", ("hf",)),
    ("sudo -s <<< hf", ("hf",)),
    ("doas -u me hf", ("hf",)),
    ("su -c 'hf a' me", ("hf a",)),
    ("su - me -c 'hf a'", ("hf a",)),
    ("su me --command='hf a'", ("hf a",)),
    ("runuser -u me -- hf a", ("hf a",)),
    ("command hf a", ("hf a",)),
    ("command -p hf a", ("hf a",)),
    ("command -v hf", ()),
    ("exec hf a", ("hf a",)),
    ("exec -a x hf", ("hf",)),
    ("exec > f", ()),
    ("builtin eval hf", ("eval hf", "hf")),
    ("chroot --userspec=a /d hf", ("hf",)),
    ("unshare -r -n hf", ("hf",)),
    ("nsenter -t 1 -m hf", ("hf",)),
    ("systemd-run --user -u x --on-active 5 hf", ("hf",)),
    ("systemd-run --scope -p A=b hf", ("hf",)),
    ("strace -f -e trace=open -o f hf", ("hf",)),
    ("ltrace -o f hf", ("hf",)),
    ("taskset -c 0-3 hf", ("hf",)),
    ("numactl -N 0 hf", ("hf",)),
    ("flock -n /l hf a", ("hf a",)),
    ("flock /l -c 'hf a'", ("hf a",)),
    ("flock 9", ()),
    ("script -qc 'hf a' /f", ("hf a",)),
    ("script -q /f hf a", ("hf a",)),
    ("busybox sh -c 'hf'", ("sh -c hf", "hf")),
    ("nice $X hf", ("? hf",)),
    ("env nice nohup timeout 1 hf", ("nice nohup timeout 1 hf", "nohup timeout 1 hf", "timeout 1 hf", "hf")),
    # inputs
    ("xargs hf a", ("hf a ?",)),
    ("xargs -n1 -P 4 -d '\\n' hf", ("hf ?",)),
    ("xargs -0 --max-args=1 hf", ("hf ?",)),
    ("xargs", ("echo ?",)),
    ("xargs -I{} hf a {} b", ("hf a ? b",)),
    ("xargs -I % hf %.py", ("hf ?",)),
    ("xargs -i hf {}", ("hf ?",)),
    ("xargs -I{} {} a", ("? a",)),
    ("xargs -I{} sh -c 'hf {}'", ("sh -c ?", "?", "hf ?")),
    ("xargs sh -c 'hf \"$@\"' _", ("sh -c hf \"$@\" _ ?", "hf ?")),
    ("parallel hf {} ::: a b", ("hf a", "hf b")),
    ("parallel -j4 hf ::: a", ("hf a",)),
    ("parallel ::: 'hf a' b", ("hf a", "b")),
    ("parallel hf {.}", ("hf ?",)),
    ("parallel hf :::: f", ("hf ?",)),
    ("parallel", ("?", "?")),
    ("find . -name x -exec hf {} \\;", ("hf ?",)),
    ("find . -exec hf a {} + -o -execdir b \\;", ("hf a ?", "b")),
    ("find . -exec {} a \\;", ("? a",)),
    ("find . -exec sh -c 'hf $1' _ {} \\;", ("sh -c hf $1 _ ?", "hf ?")),
    ("find . -name hf", ()),
    ("fd -e py -x hf {}", ("hf ?",)),
    ("entr -r hf /_", ("hf ?",)),
    ("entr -s 'hf a; b'", ("hf a", "b")),
    ("watch -n 60 hf a", ("hf a",)),
    ("watch 'hf a; b'", ("hf a", "b")),
    ("hyperfine -w 1 --prepare 'hf a' 'hf b'", ("hf a", "hf b")),
    # elsewhere and later
    ("ssh box hf a", ("hf a",)),
    ("ssh -p 22 -o A=b me@box 'cd d && hf a'", ("cd d", "hf a")),
    ("ssh -o ProxyCommand='hf a' box", ("hf a",)),
    ("ssh box", ()),
    ("ssh box bash -s <<< hf", ("bash -s", "hf")),
    ("ssh box <<'E'\nhf a\nE", ("hf a",)),
    ("docker run --rm -it -v /a:/b -e A=b --gpus all img hf a", ("hf a",)),
    ("docker run --entrypoint hf img a", ("hf a",)),
    ("docker exec -it -u me box sh -c 'hf a'", ("sh -c hf a", "hf a")),
    ("docker --context c container exec box hf", ("hf",)),
    ("docker compose -f f.yml run --rm svc hf a", ("hf a",)),
    ("podman run img hf", ("hf",)),
    ("docker ps", ()),
    ("kubectl exec -it pod -- hf a", ("hf a",)),
    ("tmux new-session -d -s job 'hf a'", ("hf a",)),
    ("tmux new -d hf a \\; split-window -h 'b'", ("hf a", "b")),
    ("tmux send-keys -t job 'hf a' Enter", ("hf a",)),
    ("tmux send-keys hf Space a C-m", ("hf a",)),
    ("tmux run-shell -b 'hf a'", ("hf a",)),
    ("tmux ls", ()),
    ("screen -dmS job hf a", ("hf a",)),
    ("screen -S job -X stuff 'hf a\n'", ("hf a",)),
    ("at now <<< 'hf a'", ("hf a",)),
    ("batch <<'E'\nhf a\nE", ("hf a",)),
    ("at -f x.sh now", ("?", "?")),
    ("at -l", ()),
    ("crontab - <<< '0 * * * * hf a'", ("hf a",)),
    ("crontab - <<'E'\n# x\nA=b\n@daily hf a\nE", ("hf a",)),
    ("crontab f", ("?", "?")),
    ("crontab -l", ()),
    ("expect -c 'spawn hf a'", ("hf a",)),
    # tools that run others
    ("git -c alias.s='!hf a' s", ("hf a",)),
    ("git -c alias.s='push --force' s", ("git push --force",)),
    ("git -c core.editor='hf a' commit", ("hf a",)),
    ("git config --global alias.s '!hf a'", ("hf a",)),
    ("git bisect run hf a", ("hf a",)),
    ("git rebase -i --exec 'hf a' main", ("hf a",)),
    ("git rebase -x 'hf a' main", ("hf a",)),
    ("git rebase --exec='hf a' main", ("hf a",)),
    ("git -C d submodule --quiet foreach --recursive 'hf a'", ("hf a",)),
    ("git filter-branch --tree-filter 'hf a' HEAD", ("hf a",)),
    ("git status", ()),
    ("make SHELL=hf x", ("hf",)),
    ("uv run hf a", ("hf a",)),
    ("uv run --with x -p 3.12 --env-file=f hf a", ("hf a",)),
    ("uv --directory d run --script j.py submit", ("j.py submit",)),
    ("uv run -m pkg a", ("python -m pkg a",)),
    ("uv run -- hf a", ("hf a",)),
    ("uv tool run --from x hf a", ("hf a",)),
    ("uv pip install x", ()),
    ("uvx --from 'x[y]==1' hf a", ("hf a",)),
    ("uvx hf@1.2 a", ("hf a",)),
    ("pipx run --spec x hf a", ("hf a",)),
    ("poetry run hf a", ("hf a",)),
    ("pdm run hf a", ("hf a",)),
    ("hatch run test:hf a", ("hf a",)),
    ("conda run -n e --no-capture-output hf a", ("hf a",)),
    ("npx -y -p x hf a", ("hf a",)),
    ("npx -c 'hf a'", ("hf a",)),
    ("npm exec -- hf a", ("hf a",)),
    ("EDITOR='hf a' git commit", ("hf a",)),
    ("GIT_SSH_COMMAND='hf a' git fetch", ("hf a",)),
    ("python3 -c 'import os'", ()),
    ("git log --format='%h; hf a'", ()),
    ("echo 'hf a; b'", ()),
    ("grep -n 'hf jobs' x", ()),
)  # fmt: skip

PIPED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("echo 'hf a' | sh", ("hf a",)),
    ("echo -n hf a | bash -s", ("hf a",)),
    ("printf '%s\\n' 'hf a' b | bash", ("hf a", "b")),
    ("printf 'hf a\\nb\\n' | bash", ("hf a", "b")),
    ("cat <<'E' | bash\nhf a\nE", ("hf a",)),
    ("echo 'hf a' | tee f | sh", ("hf a",)),
    ("S='hf a'; echo $S | sh", ("hf a",)),
    ("echo 'hf\\nb' | sh", ("hfnb", "hf", "b")),
    ("echo 'hf a' | at now", ("hf a",)),
    ("echo '* * * * * hf a' | crontab -", ("hf a",)),
    ("echo 'hf a' | xargs -I{} sh -c '{}'", ("sh -c ?", "?", "?")),
    ("echo 'hf a' | parallel", ("hf a",)),
    ("echo 'hf a' | ssh box", ("hf a",)),
    ("echo hf | bash -c 'cat | sh'", ("cat", "sh", "hf")),
    ("curl x | sh", ("?", "?")),
    ("cat f | sh", ("?", "?")),
    ("{ echo a; echo b; } | sh", ("?", "?")),
    ("echo a | { cat; sh; }", ("?", "?")),
    ("(crontab -l; echo '* * * * * hf') | crontab -", ("?", "?")),
)  # fmt: skip


def shown(command: Command) -> str:
    return " ".join("?" if word.text is None else word.text for word in command.argv)


def ran(found: list[Command]) -> list[str]:
    return sorted(filter(None, map(shown, found)))


@pytest.mark.parametrize(("text", "expected"), NAMES, ids=[repr(text[:60]) for text, _ in NAMES])
def test_names_set_on_the_line_are_resolved(text: str, expected: tuple[str, ...]) -> None:
    assert ran(commands(text)) == sorted(filter(None, expected))


@pytest.mark.parametrize(("text", "expected"), WRAPPED, ids=[repr(text[:60]) for text, _ in WRAPPED])
def test_a_wrapper_is_listed_with_what_it_runs(text: str, expected: tuple[str, ...]) -> None:
    found = commands(text)
    outer = [command for command in found if not command.via]
    inner = [command for command in found if command.via]
    assert outer[-1].argv, "the wrapper itself is listed"
    assert ran(inner) == sorted(expected)


@pytest.mark.parametrize(("text", "expected"), PIPED, ids=[repr(text[:60]) for text, _ in PIPED])
def test_a_literal_piped_into_a_shell_is_read(text: str, expected: tuple[str, ...]) -> None:
    assert ran([command for command in commands(text) if command.via]) == sorted(expected)


def test_the_names_that_need_a_full_reading_are_exactly_those_with_a_rule() -> None:
    assert set(ACTIVE) == (set(WRAPPERS) | set(BINDERS) | {"set", "shift"}) - {"git"}


@pytest.mark.parametrize("program", sorted(WRAPPERS))
def test_every_wrapper_reads_any_arguments_without_failing(program: str) -> None:
    tails = ("", " -", " --", " -x", " --long", " --long=", " -c", " $X", " '' ''", " a", " -S", " a b", " ;", " -I")
    for tail in tails:
        found = commands(f"/bin/{program}{tail}")
        assert shown(found[0]).startswith(f"/bin/{program}")


@pytest.mark.parametrize(
    ("text", "via"),
    [("bash -c 'x'", ("bash -c",)), ("echo x | sh", ("sh stdin",)), ("xargs x", ("xargs",)), ("eval x", ("eval",)),
     ("env nice x", ("env", "nice")), ("f() { x; }; f", ("f()",)), ("alias a=x\na", ("alias a",)), ("x", ()),
     ("uv run x", ("uv run",)), ("ssh h 'bash -c x'", ("ssh", "bash -c")), ("find . -exec x \\;", ("find -exec",)),
     ("S=x; $S", ())],
)  # fmt: skip
def test_via_names_the_wrappers(text: str, via: tuple[str, ...]) -> None:
    assert via in [command.via for command in commands(text) if name(command) == "x"]


def test_the_context_of_a_wrapper_is_handed_down() -> None:
    (inner,) = [command for command in commands("for i in 1 2; do bash -c '( x )'; done") if name(command) == "x"]
    assert inner.context == ("loop", "subshell")
    assert inner.depth > 0


@pytest.mark.parametrize(
    ("text", "defined"),
    [("hf() { a; }; hf", True), ("hf; hf() { a; }", False), ("hf() { a; }; command hf", False),
     ("x && hf() { a; }; hf", False), ("if x; then hf() { a; }; fi; hf", False), ("hf() { a; }; bash -c hf", False),
     ("hf() { a; } | b; hf", False), ("b | hf() { a; }; hf", False), ("hf() { a; }; unset -f hf; hf", False),
     ("f() { hf() { a; }; }; hf", False), ("hf() { a; } & hf", False),
     ("alias hf=a; hf", False), ("hf() { a; }; f() { hf; }; f", True), ("hf() { a; }; env hf", False), ("hf", False),
     ("hf() { a; }; (hf)", True), ("(hf() { a; }); hf", False), ("hf() { a; }; eval hf", True)],
)  # fmt: skip
def test_a_call_that_is_sure_to_reach_a_function_of_the_line_is_marked(text: str, defined: bool) -> None:
    found = [command for command in commands(text) if name(command) == "hf"]
    assert found[-1].defined is defined


def test_assignments_before_a_wrapper_reach_what_it_runs() -> None:
    inner = commands("A=1 env B=2 x")[-1]
    assert [(variable, word.text) for variable, word in inner.assigns] == [("A", "1"), ("B", "2")]


def test_a_redirect_target_is_resolved() -> None:
    found = commands("F=program.md; echo x > $F")
    assert [redirect.target.text for redirect in found[-1].redirects] == ["program.md"]


def test_the_input_of_a_wrapper_reaches_what_it_runs() -> None:
    assert commands("env python3 - <<'E'\nprint(1)\nE")[-1].stdin == "print(1)\n"
    assert commands("bash -c 'python3 -' <<'E'\nprint(1)\nE")[-1].stdin == "print(1)\n"


def test_a_variable_the_caller_vouches_for_is_known_until_the_line_sets_it() -> None:
    known = {"ROOT": "/plugin"}
    assert ran(commands('uv run "$ROOT/j.py"', known)) == ["/plugin/j.py", "uv run /plugin/j.py"]
    assert ran(commands("ROOT=/x; a $ROOT", known)) == ["a /x"]
    assert ran(commands("[ x ] && ROOT=/x; a $ROOT", known)) == ["[ x ]", "a /plugin", "a /x"]
    assert ran(commands("ROOT=$(b); a $ROOT", known)) == ["a ?", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("hf a", "hf"), ("/usr/bin/hf a", "hf"), ("./x.sh", "./x.sh"), ("d/x.sh", "d/x.sh"), ("$X a", None), ("A=1", None),
     ("h''f", "hf"), ("*.sh", None), ("S=/b/hf; $S", "hf")],
)  # fmt: skip
def test_the_name_of_a_command_is_the_base_name_of_an_absolute_program(text: str, expected: str | None) -> None:
    assert name(commands(text)[-1]) == expected


@pytest.mark.parametrize(
    "text",
    ["bash -c 'a \"b'", "eval 'a $(b'", "bash <<'E'\na 'b\nE", "echo \"a '\" | sh", "env " * 40 + "a",
     "".join(f"f{i}() {{ f{i + 1}; f{i + 1}; f{i + 1}; f{i + 1}; }}; " for i in range(12)) + "f0",
     "A=(" + "x " * 2000 + "); " + 'a "${A[@]}"; ' * 200],
    ids=["bash -c", "eval", "heredoc", "piped", "nested", "functions that multiply", "arrays that multiply"],
)  # fmt: skip
def test_a_nested_text_that_cannot_be_read_or_grows_without_end_is_refused(text: str) -> None:
    with pytest.raises(ReadError):
        commands(text)
