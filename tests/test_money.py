"""Money is exact: what can not be written in whole micro-dollars is refused, and sums never drift."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch import money
from mlresearch.errors import UsageError

READ = [
    (0, 0),
    (10, 10_000_000),
    (2.5, 2_500_000),
    ("2.50", 2_500_000),
    ("0.000001", 1),
    (0.000001, 1),
    ("1000000", 10**12),
    (1000000, 10**12),
    (0.1, 100_000),
    (1e-06, 1),
    ("007", 7_000_000),
]
REFUSED: dict[str, object] = {
    "negative": -1,
    "negative text": "-1",
    "negative zero": -0.0,
    "nan": float("nan"),
    "nan text": "nan",
    "infinity": float("inf"),
    "infinity text": "inf",
    "true": True,
    "none": None,
    "list": [1],
    "empty": "",
    "space": " 1",
    "line feed": "1\n",
    "dollar sign": "$1",
    "word": "ten",
    "comma": "1,50",
    "thousands": "1,000",
    "exponent": "1e3",
    "underscore": "1_0",
    "plus": "+1",
    "no digit before the point": ".5",
    "no digit after the point": "5.",
    "arabic digits": "٣",
    "too many decimals": "0.0000001",
    "float below a micro-dollar": 1e-7,
    "float with a rounding error": 0.1 + 0.2,
    "too much": "1000000.000001",
    "too much as a number": 1000001,
    "far too much": 1e300,
    "thousands of digits": "9" * 5000,
    "number of thousands of digits": 10**5000,
}


@pytest.mark.parametrize(("value", "micro"), READ, ids=[repr(value) for value, _ in READ])
def test_an_amount_is_read_exactly(value: object, micro: int) -> None:
    assert money.to_micro(value) == micro


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_is_no_amount_is_refused_with_its_name(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        money.to_micro(value, "max_usd")
    assert caught.value.wrong.startswith("max_usd ")
    assert caught.value.allowed == money.ALLOWED
    assert len(str(caught.value)) < 200


@given(st.integers(0, 10**12))
def test_what_is_shown_reads_back_as_the_same_amount(micro: int) -> None:
    assert money.to_micro(money.show(micro).removeprefix("$")) == micro


@given(st.lists(st.decimals("0", "1000", places=6), max_size=30))
def test_sums_of_amounts_are_exact(amounts: list[Decimal]) -> None:
    assert sum(money.to_micro(f"{amount:f}") for amount in amounts) == sum(amounts) * money.MICRO


@given(st.integers(0, 10**6), st.integers(0, 99))
def test_cents_written_as_a_float_are_exact(dollars: int, cents: int) -> None:
    value = float(f"{dollars}.{cents:02d}")
    if dollars < 10**6:
        assert money.to_micro(value) == dollars * money.MICRO + cents * 10_000


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "$0.00"), (2_140_000, "$2.14"), (1, "$0.000001"), (-500_000, "-$0.50")]
)
def test_an_amount_is_shown_with_the_digits_it_needs(micro: int, text: str) -> None:
    assert money.show(micro) == text


@given(st.integers(1, 9), st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_ceiling_covers_every_begun_minute_of_every_attempt(attempts: int, seconds: int, price: int) -> None:
    ceiling = money.job_ceiling(attempts, seconds, price)
    assert ceiling * 60 >= attempts * seconds * price
    assert ceiling <= attempts * (seconds + 59) // 60 * price + attempts * price
    assert ceiling == attempts * money.job_ceiling(1, seconds, price)


@pytest.mark.parametrize(("seconds", "minutes"), [(1, 1), (59, 1), (60, 1), (61, 2), (120, 2), (0, 0)])
def test_each_begun_minute_is_billed_whole(seconds: int, minutes: int) -> None:
    assert money.job_ceiling(1, seconds, 7) == 7 * minutes
