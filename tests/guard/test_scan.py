"""The shell reader against a table of shapes: which commands a text holds, and which texts it refuses."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlresearch.guard.reader import resolve
from mlresearch.guard.scan import scan
from mlresearch.guard.unwrap import commands
from mlresearch.guard.words import Command, ReadError, Redirect

# Each row: a text and the commands in it, arguments joined with a blank, "?" for one known only at run time.
SHAPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # separators
    ("hf jobs run", ("hf jobs run",)),
    ("  hf\tjobs   run  ", ("hf jobs run",)),
    ("", ()),
    ("   \n\t\n", ()),
    ("a;b", ("a", "b")),
    ("a ; b ;", ("a", "b")),
    ("a\nb\n\nc", ("a", "b", "c")),
    ("a&&b||c", ("a", "b", "c")),
    ("a|b|&c", ("a", "b", "c")),
    ("a & b &", ("a", "b")),
    ("a&b", ("a", "b")),
    ("a &&\n\n  b", ("a", "b")),
    ("a |\nb", ("a", "b")),
    ("! a", ("a",)),
    ("! ! a | b", ("a", "b")),
    ("!(a; b)", ("a", "b")),
    ("time a", ("a",)),
    ("time -p a | b", ("a", "b")),
    ("time -- a", ("a",)),
    ("time -f %E a", ("time -f %E a",)),
    ("time { a; }", ("a",)),
    ("coproc a b", ("a b",)),
    ("coproc N { a; }", ("a",)),
    ("coproc { a; b; }", ("a", "b")),
    ("coproc N ( a )", ("a",)),
    ("coproc while a; do b; done", ("a", "b")),
    # quotes
    ("h''f", ("hf",)),
    ("'h'f", ("hf",)),
    ('h"f"', ("hf",)),
    ("\\hf", ("hf",)),
    ("h\\f", ("hf",)),
    ("$'\\x68f'", ("hf",)),
    ("$'\\150f'", ("hf",)),
    ("$'\\u0068f'", ("hf",)),
    ("$'\\U00000068f'", ("hf",)),
    ("$'\\x{68}f'", ("hf",)),
    ("$'hf\\0zzz'", ("hf",)),
    ("$'a\\'b' c", ("a'b c",)),
    ('$"hf" x', ("hf x",)),
    ("h\\\nf jobs", ("hf jobs",)),
    ("hf \\\n  jobs", ("hf jobs",)),
    ("a '' \"\"", ("a  ",)),
    ("a 'b;c' \"d|e\" f\\;g", ("a b;c d|e f;g",)),
    ("a \"it's\" b", ("a it's b",)),
    ("a 'say \"x\"' b", ('a say "x" b',)),
    ('a "b\\"c"; d', ('a b"c', "d")),
    ('a "b\\\\"; d', ("a b\\", "d")),
    ("a 'b\\'; d", ("a b\\", "d")),
    ("a \\\\; d", ("a \\", "d")),
    ('a "\\n\\$x"', ("a \\n$x",)),
    ('a "b\nc"; d', ("a b\nc", "d")),
    ("a 'b\nc'\nd", ("a b\nc", "d")),
    ('a "b\\\nc"', ("a bc",)),
    ("a\\", ("a\\",)),
    # comments
    ("# hf jobs run", ()),
    ("a # hf jobs run", ("a",)),
    ("a # it's\nb", ("a", "b")),
    ("a#b c#", ("a#b c#",)),
    ("a \\# b", ("a # b",)),
    ("a '#' b", ("a # b",)),
    ("a;# b\nc", ("a", "c")),
    ("( # x )\n a )", ("a",)),
    ("a $# b", ("a ? b",)),
    ("a ${#x} b", ("a ? b",)),
    ("echo $(a # )\n)", ("a", "echo ?")),
    # expansions
    ("$S submit", ("? submit",)),
    ("hf$X", ("?",)),
    ("a $1 $@ $* $$ $! $? $-", ("a ? ? ? ? ? ? ?",)),
    ("a $", ("a $",)),
    ("a $% $.", ("a $% $.",)),
    ("a ${x}y", ("a ?",)),
    ("a ${x:-$(b c)}", ("b c", "a ?")),
    ("a \"${x:-$(b 'c')}\"", ("b c", "a ?")),
    ('a "${x:-"$(b)"}"', ("b", "a ?")),
    ("a ${x/'}'/$(b)}", ("b", "a ?")),
    ("a ${x//\\}/y} ; b", ("a ?", "b")),
    ("a ${x#\"}\"}; b", ("a ?", "b")),
    ("a ${x:-`b`}", ("b", "a ?")),
    ("a ${x[$(b)]}", ("b", "a ?")),
    ("a ${!x} ${x@P} ${x,,}", ("a ? ? ?",)),
    ("hf${IFS}jobs", ("?",)),
    ("a \"${x:-'$(b)'}\"", ("b", "a ?")),
    ("${ a; }", ("a", "?")),
    # substitutions
    ("echo $(a b)", ("a b", "echo ?")),
    ('echo "x $(a) y"', ("a", "echo ?")),
    ("echo `a b`", ("a b", "echo ?")),
    ('echo "`a "b"`"', ("a b", "echo ?")),
    ("echo `a \\`b\\``", ("b", "a ?", "echo ?")),
    ("echo $(a $(b $(c)))", ("c", "b ?", "a ?", "echo ?")),
    ("$(a) b", ("a", "? b")),
    ("x=$(a)", ("a", "")),
    ("x=`a` b", ("a", "b")),
    ("echo '$(a) `b`'", ("echo $(a) `b`",)),
    ("echo \\$(a)", ("echo $", "a")),
    ('echo "\\$(a)"', ("echo $(a)",)),
    ("echo $(case x in a) b;; esac)", ("b", "echo ?")),
    ("echo $(a ')' b) ; c", ("a ) b", "echo ?", "c")),
    ('echo $(a ")"); c', ("a )", "echo ?", "c")),
    ("a <(b c) >(d)", ("b c", "d", "a ? ?")),
    ("a < <(b)", ("b", "a")),
    ("a > >(b)", ("b", "a")),
    ("a x<(b)", ("b", "a ?")),
    ('a "<(b)"', ("a <(b)",)),
    # arithmetic
    ("echo $((1 + 2))", ("echo ?",)),
    ("echo $(( $(a) + `b` ))", ("a", "b", "echo ?")),
    ("echo $((a) ; b)", ("a", "b", "echo ?")),
    ("(( x = 1 << 2 )); a", ("a",)),
    ("((x++)) && a", ("a",)),
    ("(( $(a) > 1 )); b", ("a", "b")),
    ("((a); b)", ("a", "b")),
    ("( (a) )", ("a",)),
    ("echo $[1 + $(a)]", ("a", "echo ?")),
    ("echo $((16#ff)); a", ("echo ?", "a")),
    # subshells and groups
    ("(a; b)", ("a", "b")),
    ("(a)|(b)", ("a", "b")),
    ("{ a; b; }", ("a", "b")),
    ("{ a; } > f", ("a", "")),
    ("{a,b} c", ("? c",)),
    ("{a b", ("{a b",)),
    ("a {} {x} }", ("a {} {x} }",)),
    ("a { b", ("a { b",)),
    # conditions and loops
    ("if a; then b; elif c; then d; else e; fi; f", ("a", "b", "c", "d", "e", "f")),
    ("if a\nthen\nb\nfi", ("a", "b")),
    ("while a; do b; done", ("a", "b")),
    ("until a; do b; done | c", ("a", "b", "c")),
    ("for x in a $(b) c; do d $x; done", ("b", "d ?")),
    ("for x; do a; done", ("a",)),
    ("for x do a; done", ("a",)),
    ("for x in a b # it's\ndo c; done", ("c",)),
    ("for x in a\\\n b\ndo c; done", ("c",)),
    ("for ((i=0; i<$(a); i++)); do b; done", ("a", "b")),
    ("for ((;;)) { a; }", ("a",)),
    ("select x in a b; do c; done", ("c",)),
    ("for in in in; do a; done", ("a",)),
    ("while read x; do a; done < f", ("read x", "a", "")),
    ("echo if then else fi", ("echo if then else fi",)),
    ("case x in a) b;; c) d;; esac; e", ("b", "d", "e")),
    ("case x in (a|b) c ;& d) e ;;& *) f; esac", ("c", "e", "f")),
    ("case $(a) in $(b)) c;; esac", ("a", "b", "c")),
    ("case x in\n# it's\na)\n b\n;;\nesac\nc", ("b", "c")),
    ("case x in esac; a", ("a",)),
    ("case x in (esac) a;; esac; b", ("a", "b")),
    ("case x in a) case y in b) c;; esac; d;; e) f;; esac", ("c", "d", "f")),
    ("case x in 'a b'|\"c\") d;; esac", ("d",)),
    ("case x in a) if b; then c; fi;; d) e;; esac", ("b", "c", "e")),
    ("[[ -f a && b == c* ]] && d", ("[[ -f a b == ? ]]", "d")),
    ("[[ $(a) =~ ^(b|c)$ ]] || d", ("a", "[[ ? =~ ^ b c $ ]]", "d")),
    ("[[ a < b ]]; c", ("[[ a b ]]", "c")),
    ("[[ a\n&& b ]]; c", ("[[ a b ]]", "c")),
    ("[ -f a ] && b", ("[ -f a ]", "b")),
    ("[ a = b -o c = d ]; e", ("[ a = b -o c = d ]", "e")),
    ("test -f a", ("test -f a",)),
    # functions
    ("f() { a; }; f", ("a", "f")),
    ("f () ( a )", ("a",)),
    ("function f { a; }", ("a",)),
    ("function f() { a; }", ("a",)),
    ("f()\n{\na\n}", ("a",)),
    ("f() if a; then b; fi", ("a", "b")),
    ("f() [[ $(a) ]]", ("a", "[[ ? ]]")),
    ("f() a", ("a",)),
    ("a-b() { c; }; a-b", ("c", "a-b")),
    (":(){ :|:& };:", (":", ":", ":")),
    # redirections
    ("a > f", ("a",)),
    ("a>f b", ("a b",)),
    ("> f a", ("a",)),
    ("a 2>&1 b", ("a b",)),
    ("a 2>f b", ("a b",)),
    ("a x2>f b", ("a x2 b",)),
    ("a &>f b", ("a b",)),
    ("a &>>f b", ("a b",)),
    ("a >|f b", ("a b",)),
    ("a <>f b", ("a b",)),
    ("a >&f b", ("a b",)),
    ("a 3<&- b", ("a b",)),
    ("a {fd}>f b", ("a b",)),
    ("a >$(b)", ("b", "a")),
    ("a <<<b c", ("a c",)),
    ('a <<<"$(b)"', ("b", "a")),
    ("a 2> >(b) c", ("b", "a c")),
    # here-documents
    ("a <<E\nb c\nE\nd", ("a", "d")),
    ("a <<E\n$(b)\nE\nd", ("a", "b", "d")),
    ("a <<'E'\n$(b)\nE\nd", ("a", "d")),
    ('a <<"E F"\nb\nE F\nd', ("a", "d")),
    ("a <<\\E\n$(b)\nE\nd", ("a", "d")),
    ("a <<E'F'\n$(b)\nEF\nd", ("a", "d")),
    ("a <<$'E'\nb\nE\nd", ("a", "d")),
    ("a <<-E\n\tb\n\tE\nd", ("a", "d")),
    ("a <<-'E'\n\t$(b)\n\tE\nd", ("a", "d")),
    ("a <<E\n\tE\nE\nd", ("a", "d")),
    ("a <<E; b\nc\nE\nd", ("a", "b", "d")),
    ("a <<E | b\nc\nE\nd", ("a", "b", "d")),
    ("a <<E <<F\nx\nE\n$(y)\nF\nd", ("a", "y", "d")),
    ("a <<E && (b\nit's\nE\nc)", ("a", "b", "c")),
    ("a <<E\nit's\nE\nd", ("a", "d")),
    ("a <<E\nb\\\nE\nE\nd", ("a", "d")),
    ("a <<E\nb\nE \nE\nd", ("a", "d")),
    ("a <<E\nb", ("a",)),
    ("a <<''\nb\n\nd", ("a", "d")),
    ("a << E\nb\nE\nd", ("a", "d")),
    ("a <<E\n`b`\n${x:-$(c)}\nE\nd", ("a", "b", "c", "d")),
    ("a <<E\n\\$(b) \\`c\\`\nE\nd", ("a", "d")),
    ("a <<E\nE\\\nF\nE\nd", ("a", "d")),
    ("a <<EF\nb\nE\\\nF\nd", ("a", "d")),
    ("a $(b <<E\nc\nE\n) d", ("b", "a ? d")),
    ("x=(a <(b)\n c); d", ("b", "", "d")),
    # assignments and arrays
    ("A=1 B=2 a", ("a",)),
    ("A=1", ("",)),
    ("A=$(a) B=`b` c", ("a", "b", "c")),
    ("a A=1", ("a A=1",)),
    ("A=(x $(a) 'y z')", ("a", "")),
    ("A=( # it's\nx\n)", ("",)),
    ("A=(x) B=1 a", ("a",)),
    ("A+=(x $(a)); b", ("a", "", "b")),
    ("A[0]=x a", ("a",)),
    ("A[$(a)]=x b", ("a", "b")),
    ("A[1 + 2]=x b", ("b",)),
    ("declare -a A=(x $(a)); b", ("a", "declare -a", "b")),
    ("export A=$(a)", ("a", "export ?")),
    ('"A"=1 b', ("A=1 b",)),
    ("1A=1 b", ("1A=1 b",)),
    ("A={a,b} B=*.py c", ("c",)),
    # patterns
    ("ls *.py a?c [ab]", ("ls ? ? ?",)),
    ("ls '*' \\? \"[ab]\"", ("ls * ? [ab]",)),
    ("ls @(a|b) !(c)", ("ls ? ?",)),
    ("ls @(a|$(b))", ("b", "ls ?")),
    ("/usr/bin/h[f] x", ("? x",)),
    ("a x] [y", ("a x] [y",)),
    ("a {1..3} {x,y}z", ("a ? ?",)),
    ("a '{x,y}' {x\\,y}", ("a {x,y} {x,y}",)),
    ("~/bin/hf x", ("~/bin/hf x",)),
    # odd texts
    ("a\r\nb\r\n", ("a", "b")),
    ("hf jobs\r\n", ("hf jobs",)),
    ("a é 日本 \u00a0", ("a é 日本 \u00a0",)),
    ("\uff41 b", ("\uff41 b",)),
    ("a )", ("a",)),
    ("} a", ("a",)),
    ("done; a", ("a",)),
    ("a;;b", ("a", "b")),
    ("a\ufeff b", ("a\ufeff b",)),
)  # fmt: skip


def shown(command: Command) -> str:
    return " ".join("?" if word.text is None else word.text for word in command.argv)


@pytest.mark.parametrize(("text", "expected"), SHAPES, ids=[repr(text) for text, _ in SHAPES])
def test_the_commands_of_a_shape_are_found(text: str, expected: tuple[str, ...]) -> None:
    found = [shown(command) for command in scan(text)]
    assert sorted(filter(None, found)) == sorted(filter(None, expected))


@pytest.mark.parametrize("text", [text for text, _ in SHAPES])
def test_the_short_way_for_plain_lines_finds_what_the_full_reading_finds(text: str) -> None:
    full = resolve(scan(text), {"ROOT": "/x"})
    assert [shown(command) for command in commands(text, {"ROOT": "/x"}) if command.argv] == [
        shown(command) for command in full if command.argv
    ]


def test_the_table_of_shapes_is_not_thinned_out() -> None:
    assert len(dict(SHAPES)) >= 150


@pytest.mark.parametrize(
    "text",
    ["a 'b", 'a "b', "a `b", "a $(b", "a $((1", "a ${b", "(a", "a <(b", "$'a", "[[ a", "A=(x", "A=(x;y)", "a >", "a <",
     "a >\nb", "a > ; b", "a <<", "a <<$(b)\nc", "for ((i", "case x a", "case x in a; b", "case", "for", "function",
     "a $(b <<E)\nc\nE", 'a "${x:-it\'s}"; b', "A[1&2]=x b", "a\0b", "$(" * 70 + "a" + ")" * 70, "(" * 70,
     "{ " * 70 + "a", "if a; then " * 70, "<(" * 400, "${x:-" * 5000, "a <<'E\nF'\n", "@(a"],
    ids=lambda text: repr(text[:24]),
)  # fmt: skip
def test_a_text_that_does_not_close_or_reads_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ReadError):
        scan(text)


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("x", ()), ("a && x", ()), ("(x)", ("subshell",)), ("echo $(x)", ("substitution",)),
        ("echo `x`", ("substitution",)),
        ("f() { x; }", ("function",)), ("f() ( x )", ("function", "subshell")), ("for i in 1; do x; done", ("loop",)),
        ("while x; do a; done", ("loop",)), ("if x; then a; fi", ("conditional",)), ("x &", ("background",)),
        ("a | x &", ("background",)), ("{ x; } &", ("background",)), ("(x) &", ("subshell", "background")),
        ("case a in b) x;; esac", ("conditional",)), ("if a; then (x); fi", ("conditional", "subshell")),
        ("for i in 1; do a; done; x", ()), ("if a; then b; fi; x", ()), ("a & x", ()),
        ("cat <<E\n$(x)\nE", ("substitution",)),
        ("a | { b; x; }", ("subshell",)), ("{ x; } | a", ("subshell",)),
        ("{ a; } | x", ()), ("a | while b; do x; done", ("subshell", "loop")),
        ("{ a; } & x", ()), ("a; { b; x & }", ("background",)), ("f() { a; }; x", ()),
        ("for i in $(x); do a; done", ("loop", "substitution")),
    ],
)  # fmt: skip
def test_a_command_knows_what_it_stands_in(text: str, context: tuple[str, ...]) -> None:
    (found,) = [command for command in scan(text) if shown(command) == "x"]
    assert found.context == context


@pytest.mark.parametrize(
    ("text", "depth"),
    [("x", 0), ("a; x", 0), ("x &", 0), ("{ x; }", 1), ("(x)", 1), ("if a; then x; fi", 1), ("f() { a; }; x", 0),
     ("echo $(x)", 1), ("for i in 1; do (x); done", 2), ("echo $(echo `x`)", 2)],
)  # fmt: skip
def test_depth_counts_the_constructs_around_a_command(text: str, depth: int) -> None:
    (found,) = [command for command in scan(text) if shown(command) == "x"]
    assert found.depth == depth


@pytest.mark.parametrize(
    ("text", "join"),
    [("x", ""), ("a; x", ";"), ("a && x", "&&"), ("a || x", "||"), ("a | x", "|"), ("a & x", "&"), ("a\nx", "newline"),
     ("a &&\nx", "&&"), ("a && (x)", "&&"), ("a; if b; then c; fi && x", "&&")],
)  # fmt: skip
def test_a_command_knows_the_operator_before_it(text: str, join: str) -> None:
    (found,) = [command for command in scan(text) if shown(command) == "x"]
    assert found.join == join


def _redirects(text: str) -> list[tuple[str, str, str | None]]:
    found: list[Redirect] = [redirect for command in scan(text) for redirect in command.redirects]
    return [(redirect.fd, redirect.op, redirect.target.text) for redirect in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > f", [("", ">", "f")]), ("a 2>>'f g'", [("2", ">>", "f g")]), ("a &> f", [("", "&>", "f")]),
        ("a 2>&1 >f", [("2", ">&", "1"), ("", ">", "f")]), ("a {n}>f", [("{n}", ">", "f")]),
        ("a > $F", [("", ">", None)]),
        ("{ a; } > f", [("", ">", "f")]), ("while a; do b; done < f", [("", "<", "f")]), ("(a) > f", [("", ">", "f")]),
        ("a <<E\nx $y\nE\n", [("", "<<", None)]), ("a <<E\n\\$y \\\nz\nE\n", [("", "<<", "$y z\n")]),
        ("a <<'E'\n\\$y\nE\n", [("", "<<", "\\$y\n")]), ("a <<-E\n\tx\n\tE\n", [("", "<<-", "x\n")]),
        ("a <<< 'x y'", [("", "<<<", "x y")]), ("a <<E\nx\n", [("", "<<", "x\n")]), ("a <<E", [("", "<<", "")]),
    ],
)  # fmt: skip
def test_redirections_keep_descriptor_and_target(text: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert _redirects(text) == expected


@pytest.mark.parametrize(
    ("text", "stdin"),
    [("a <<E\nx\nE\n", "x\n"), ("a <<< x", "x\n"), ("a <<E\n$x\nE\n", None), ("a < f", None), ("a", None),
     ("a <<E <f\nx\nE\n", None), ("a <f <<E\nx\nE\n", "x\n"), ("a 3<<E\nx\nE\n", None)],
)  # fmt: skip
def test_the_text_on_standard_input_is_known_when_it_is_literal(text: str, stdin: str | None) -> None:
    assert scan(text)[0].stdin == stdin


def test_a_pipe_names_the_command_that_writes_to_it() -> None:
    first, second, third = scan("a | b | { c; }")
    assert first.pipe_from is None
    assert second.pipe_from is first
    assert third.pipe_from is second


def test_the_writer_of_a_whole_group_is_not_mistaken_for_its_last_command() -> None:
    reader = scan("{ echo a; echo b; } | c")[-1]
    assert reader.pipe_from is not None
    assert reader.pipe_from.argv == []


@pytest.mark.parametrize(
    ("text", "is_glob"),
    [("*.py", True), ("{a,b}", True), ("a{1..3}*", True), ("$x*", False), ("a", False), ("'*'", False), ("[a", False)],
)
def test_a_word_of_patterns_alone_is_told_from_a_dynamic_one(text: str, is_glob: bool) -> None:
    assert scan(f"ls {text}")[0].argv[1].glob is is_glob


TOKENS = (*"ab1 \t\n'\"\\$`(){}[]<>|&;#!=*?@+-,.~:/%^\r\0é", "<<E\n", "$((", " in ", "case ", "for ",
          "; do ", "; done ", "if ", "; fi ", "esac ", "[[ ", " ]] ", "f() ", "eval ", "bash -c ", "x=", "$x",
          "alias a=", "xargs ")  # fmt: skip
SHELL_TEXT = st.lists(st.sampled_from(TOKENS), max_size=60).map("".join)


@given(SHELL_TEXT)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (scan, commands):
        try:
            found = read(text)
        except ReadError:
            continue
        assert all(isinstance(command, Command) for command in found)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_unicode_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ReadError):
        commands(text)


@given(st.text(alphabet="abc ;|&(){}$'\"\n", max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_quoted_text_holds_no_command(text: str) -> None:
    quoted = text.replace("'", "'\\''")
    assert [shown(command) for command in scan(f"echo '{quoted}'")] == [f"echo {text}"]
    assert [shown(command) for command in scan(f"cat <<'END'\n{text}\nEND\n")] == ["cat"]


@pytest.mark.parametrize(
    "text",
    ["git status -s; " * 20_000, "cat <<'E'\n" + "a line of text\n" * 60_000 + "E\n", "((a) b); " * 20_000,
     "{" * 20_000, "[" * 20_000, "a," * 20_000, "$((" * 20_000, "<<A " * 5_000, "a & " * 20_000,
     'a "b"; ' * 20_000, "\\\n" * 20_000 + "a"],
    ids=["commands", "heredoc", "almost arithmetic", "braces", "brackets", "commas", "arithmetic", "heredocs",
         "background", "quotes", "continuations"],
)  # fmt: skip
def test_long_texts_are_read_without_going_quadratic(text: str) -> None:
    """No time is asserted: a quadratic reader would take minutes here and hit the limit of the whole suite."""
    try:
        assert len(scan(text)) > 0
    except ReadError as error:
        assert "nested" in str(error)
