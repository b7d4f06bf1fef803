"""``receiver stats``."""

from datetime import UTC, datetime, timedelta

from receiver.admin.api.stats import Acknowledged
from tests.cli.conftest import Filled, Run, on_terminal

DAY = datetime(2021, 6, 3, tzinfo=UTC)
ASKED = ("--since", "2021-06-03", "--until", "2021-06-05")


def test_what_came_in_is_counted_as_lines_for_programs(filled: Filled, run: Run) -> None:
    for place, text in enumerate(["hello", "hello", "hello", "0000"]):
        filled.reply(f"src=1390000{place:04}&dst=1069&msg={text}".encode(), at=DAY + timedelta(hours=6 * place))
    rows = run("stats", *ASKED).rows
    assert [(row["key"], row["replies"], row["unsubscribes"], row["opt_out_rate"]) for row in rows] == [
        ("2021-06-03", 3, 0, 0.0),
        ("2021-06-04", 0, 1, 1.0),
    ]
    assert rows[0]["start"] == "2021-06-02T16:00:00.000000Z"
    assert [row["replies"] for row in run("stats", "--zone", "UTC", *ASKED).rows] == [0, 3, 0]
    assert len(run("stats", "--by", "hour", *ASKED).rows) == 48
    assert run("stats", "--by", "kind", *ASKED, "--format", "csv").out.splitlines()[1:] == [
        "reply,,,3,0,,0.0",
        "unsubscribe,,,0,1,,1.0",
    ]
    [total] = run("stats", "--total", *ASKED).rows
    assert (total["replies"], total["unsubscribes"], total["quarantined"], total["opt_out_rate"]) == (3, 1, 0, 0.25)
    assert total["acknowledged_p99"] is None
    measured = {name.removeprefix("acknowledged_") for name in total if name.startswith("acknowledged_")}
    assert measured == set(Acknowledged.model_fields), "what the API calls them"


def test_people_see_a_table(sqlite: Filled) -> None:
    sqlite.reply(b"src=13900000001&dst=1069&msg=hello", at=DAY)
    sqlite.reply(b"src=13900000001&dst=1069&msg=0000", at=DAY)
    shown = on_terminal(["stats", *ASKED])
    assert "2021-06-03" in shown.out
    assert "50.00%" in shown.out
    shown = on_terminal(["stats", "--total", *ASKED])
    assert "acknowledged_p99" in shown.out


def test_what_can_not_be_told_is_wrong_usage(sqlite: Filled, run: Run) -> None:
    for wrong, named in (
        (("--zone", "Mars/Olympus"), "--zone"),
        (("--since", "2021-06-03"), "--since"),
        (("--by", "week"), "--by"),
    ):
        ran = run("stats", *wrong)
        assert ran.status == 2
        assert named in ran.err
