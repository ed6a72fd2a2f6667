"""The redactor takes out every secret that it can know of, and leaves code alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch import redact
from mlresearch.redact import MARK, Redactor

# Made up, and put together here so that no scanner takes this file for a leak.
HUB = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("tokenizer.pad_token = tokenizer.eos_token", id="a token of a tokenizer"),
        pytest.param("pad_token = eos_token", id="bare names"),
        pytest.param("pad_token='<|endoftext|>', eos_token=\"</s>\"", id="special tokens"),
        pytest.param("max_new_tokens=4096 num_tokens: 1234567890123456789012", id="counts"),
        pytest.param("token=tokenizer.convert_ids_to_tokens(151643)", id="a call"),
        pytest.param("secret = load_secret_from_the_environment_by_name()", id="a long name"),
        pytest.param("the bearer token is required; basic authentication follows", id="prose"),
        pytest.param("from huggingface_hub import hf_hub_download, hf_raise_for_status", id="hf_ functions"),
        pytest.param("hf_transformers_compatible_checkpoint_directory", id="a long hf_ name"),
        pytest.param("https://huggingface.co/settings/tokens", id="an address"),
        pytest.param("git clone https://user@example.org/a.git", id="an address with a user"),
        pytest.param("sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", id="a hash"),
        pytest.param("val_accuracy: 0.9722", id="a metric"),
        pytest.param("", id="nothing"),
    ],
)
def test_code_and_prose_are_spared(text: str) -> None:
    assert Redactor()(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param(f"login({HUB})", f"login(hf_{MARK})", id="a Hub token"),
        pytest.param(f'HF_TOKEN="{HUB}"', f'HF_TOKEN="hf_{MARK}"', id="assigned"),
        pytest.param(f"'authorization': 'Bearer {HUB}'", f"Bearer hf_{MARK}", id="a header"),
        pytest.param("Authorization: Bearer a1b2c3d4e5f6g7h8i9", f"Bearer {MARK}", id="an unknown bearer"),
        pytest.param("Authorization: Basic dXNlcjpwYXNzd29yZDEyMw==", f"Basic {MARK}", id="basic"),
        pytest.param("https://bob:hunter22@example.org/x", f"https://{MARK}@example.org/x", id="in an address"),
        pytest.param(f"id_token={JWT}", f"eyJ{MARK}", id="a JWT"),
        pytest.param("OPENAI_API_KEY=sk-proj-" + "a1B2" * 6, f"sk-{MARK}", id="another provider"),
        pytest.param("aws: AKIA" + "ABCDEFGH12345678", f"AKIA{MARK}", id="a cloud key id"),
        pytest.param('"api_key": "0a1b2c3d4e5f60718293a4b5"', f'"api_key": "{MARK}"', id="a JSON field"),
        pytest.param("wandb_api_key = " + "0123456789abcdef" * 2, f"= {MARK}", id="hex"),
        pytest.param(f"two {HUB} and {HUB}", f"two hf_{MARK} and hf_{MARK}", id="twice"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_taken_out(text: str, left: str) -> None:
    found = Redactor()(text)

    assert left in found
    assert "aBcDeFg" not in found


def test_known_values_go_whatever_they_look_like_and_the_longer_one_first() -> None:
    assert Redactor(["swordfish", "swordfish-and-more", ""])("a swordfish-and-more b swordfish") == (
        f"a {MARK} b {MARK}"
    )


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        pytest.param("HF_TOKEN", "not-shaped-like-one", True, id="a token"),
        pytest.param("WANDB_API_KEY", "not-shaped-like-one", True, id="a key"),
        pytest.param("AWS_SECRET_ACCESS_KEY", "not-shaped-like-one", True, id="an access key"),
        pytest.param("db_password", "not-shaped-like-one", True, id="lower case"),
        pytest.param("HF_TOKEN_PATH", "/home/me/.cache/token", False, id="where it is kept"),
        pytest.param("TOKENIZERS_PARALLELISM", "not-shaped-like-one", False, id="a tokenizer"),
        pytest.param("MY_TOKEN", "false", False, id="a short value"),
        pytest.param("EDITOR", "not-shaped-like-one", False, id="any other"),
    ],
)
def test_the_environment_tells_which_values_are_secret(name: str, value: str, known: bool) -> None:
    assert redact.from_environment(environment={name: value}).finds(f"x {value} y") is known


def test_a_variable_named_by_the_caller_is_secret_even_when_short() -> None:
    redactor = redact.from_environment(["PIN", "ABSENT", "TINY"], ["cached"], {"PIN": "hunt", "TINY": "ab"})

    assert redactor("hunt ab cached") == f"{MARK} ab {MARK}"


@given(st.text(), st.text(alphabet="abcXYZ019$*+()\\", min_size=4, max_size=30), st.text())
def test_a_known_value_never_survives(before: str, secret: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)
