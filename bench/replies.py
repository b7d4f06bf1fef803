"""Millions of replies as years bring them, by a seed: few numbers with most of the traffic, few texts that all send,
words with a long tail, stops, duplicates, quiet nights and bursts.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from receiver.vocabulary import earliest_id

SEED = 20_260_603
BEGIN = datetime(2023, 6, 1, tzinfo=UTC)
YEARS = 3
COLUMNS = (
    "id", "received_at", "origin", "kind", "src", "src_wire", "dst", "raw", "text", "charset", "charset_certain",
    "duplicate_of", "service",
)  # fmt: skip

# How often a text has this word, beside what the tail brings.
COMMON, MEDIUM, RARE, ABSENT = "医院", "快递", "鳗鱼", "鲲鹏"
_COMMON_EVERY, _MEDIUM_EVERY = 20, 10_000
RARE_TIMES = 5
_SHORT = ("1", "2", "好的", "收到", "谢谢", "是", "不是", "Y", "ok", "退订", "TD", "你好", "同意", "已付款", "1.")
_HANZI = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多"
    "定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因"
    "由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解"
    "问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少"
    "图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七"
    "海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目"
    "至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算"
    "低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精"
    "值号率族维划选标写存候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该"
    "铁价严"
)


def replies(count: int) -> Iterator[Sequence[Any]]:
    """``count`` rows of messages in the order of their ids, the same ones each time."""
    dice = random.Random(SEED)
    numbers = _numbers(dice)
    weights = list(accumulate(1 / (place + 1) ** 1.2 for place in range(len(numbers))))
    words = _words(dice)
    zipf = list(accumulate(1 / (place + 10) for place in range(len(words))))
    rare = set(dice.sample(range(count), min(RARE_TIMES, count)))
    step = timedelta(days=365 * YEARS) / count
    at, last_id = BEGIN, UUID(int=0)
    for number in range(count):
        # A burst now and then: what comes in after a campaign.
        at += step * (0.05 if number % 50_000 < 10_000 else 1.2)
        src = f"+86139{min(int(dice.paretovariate(0.6)), 99_999_999):08d}"
        dst = dice.choices(numbers, cum_weights=weights)[0]
        is_stop = dice.random() < 0.02
        text = "0000" if is_stop else _text(dice, number, words, zipf)
        if number in rare:
            text = f"{text}{RARE}"
        message_id = UUID(int=earliest_id(at).int | dice.getrandbits(60))
        is_duplicate = dice.random() < 0.004
        yield (
            message_id, at, "push" if dice.random() < 0.97 else "poll", "unsubscribe" if is_stop else "reply", src,
            src[3:], dst, text.encode(), text, "utf-8", True, last_id if is_duplicate else None,
            "news" if dst == numbers[3] else None,
        )  # fmt: skip
        last_id = message_id


def tail_words() -> list[str]:
    """The words of the tail, the most frequent first: those that ``replies`` writes."""
    dice = random.Random(SEED)
    _numbers(dice)  # what is drawn before them
    return _words(dice)


def _numbers(dice: random.Random) -> list[str]:
    return [f"1069{dice.randrange(10**6):06d}" for _ in range(40)]


def _words(dice: random.Random) -> list[str]:
    return ["".join(dice.choices(_HANZI, k=2)) for _ in range(30_000)]


def _text(dice: random.Random, number: int, words: Sequence[str], zipf: Sequence[float]) -> str:
    if dice.random() < 0.55:
        return dice.choice(_SHORT)
    text = "".join(dice.choices(words, cum_weights=zipf, k=dice.randrange(1, 8)))
    if number % _COMMON_EVERY == 0:
        text += COMMON
    if number % _MEDIUM_EVERY == 7:
        text += MEDIUM
    return text
