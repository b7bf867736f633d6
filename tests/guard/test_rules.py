"""What is remembered between exchanges is bounded, whatever clients and models write."""

from interlock.guard.inspect import LONGEST_NAME, logged
from interlock.guard.rules import KEPT_PROMPT_CHARS, LONGEST_PROMPT, MOST_SIGNALS, Prompts, Verdicts
from interlock.model.event import Channel
from tests.guard.play import ENGINE


def mails(count: int) -> str:
    return " ".join(f"user{number}@halden.example" for number in range(count))


def test_a_name_is_cut_before_it_is_remembered() -> None:
    long = "m" * 4_000_000
    assert logged(long) == "m" * LONGEST_NAME
    assert logged(long) is logged(long + "x")


def test_a_text_with_many_signals_is_looked_at_again_each_time() -> None:
    verdicts = Verdicts()
    assert len(verdicts.scan(ENGINE, mails(MOST_SIGNALS), Channel.USER, "few")) == MOST_SIGNALS
    many = verdicts.scan(ENGINE, mails(MOST_SIGNALS + 1), Channel.USER, "many")
    assert verdicts.scan(ENGINE, mails(MOST_SIGNALS + 1), Channel.USER, "many") == many
    assert len(many) > MOST_SIGNALS
    assert len(verdicts) == 1


def test_so_many_signals_are_kept_and_those_of_the_oldest_texts_go() -> None:
    verdicts = Verdicts(signals=50)
    for number in range(10):
        verdicts.scan(ENGINE, mails(20), Channel.USER, f"d{number}")
    verdicts.scan(ENGINE, "nothing", Channel.USER, "d10")
    assert len(verdicts) == 3


def test_a_long_system_prompt_is_read_again_and_a_short_one_is_not() -> None:
    prompts = Prompts()
    short, long = {"a": "Be brief."}, {"b": "w" * LONGEST_PROMPT}
    assert prompts.of(short) is prompts.of(short)
    assert prompts.of(long) is not prompts.of(long)
    assert len(prompts) == 1


def test_so_many_characters_of_system_prompts_are_kept() -> None:
    prompts = Prompts()
    for number in range(40):
        prompts.of({f"d{number}": "w" * (LONGEST_PROMPT - 100)})
    assert len(prompts) == KEPT_PROMPT_CHARS // LONGEST_PROMPT
    small = Prompts(kept=3)
    for number in range(10):
        small.of({f"d{number}": "w"})
    assert len(small) == 3
