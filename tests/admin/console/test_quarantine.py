"""The pages of quarantine: what waits and why, its bytes for who may see them, and replays."""

from uuid import UUID

from receiver.access.roles import Role
from receiver.vocabulary import Reason
from tests.admin.conftest import Admin
from tests.admin.console.conftest import LogIn


def test_what_waits_is_listed_with_why_and_its_bytes_only_for_who_may(admin: Admin, log_in: LogIn) -> None:
    kept = admin.filled.kept(b"src=13922220001&msg=hello")
    viewer = log_in(Role.VIEWER)
    listed = viewer.get("/quarantine").words
    assert "no service number" in listed
    assert "there is no parameter dst" in listed
    for page in (viewer.get("/quarantine?reveal=1"), viewer.get(f"/quarantine/{kept}?reveal=1")):
        assert "13922220001" not in page.text
    operator = log_in(Role.OPERATOR)
    assert "13922220001" not in operator.get(f"/quarantine/{kept}").text
    whole = operator.get(f"/quarantine/{kept}?reveal=1")
    assert "src=13922220001&msg=hello" in whole.words
    assert "73 72 63 3d" in whole.words
    assert [row["actor"] for row in admin.rows("audit", action="quarantine.read")] == ["operator"]
    viewer.cookies["receiver_locale"] = "zh"
    assert "缺少参数 dst" in viewer.get("/quarantine").words
    for wrong in ("older=x", "reason=none", "peer=%00", "peer=" + "x" * 500, "state=x", "newer=%FF"):
        assert viewer.get(f"/quarantine?{wrong}").status == 200
    assert viewer.get(f"/quarantine/{UUID(int=7)}").status == 404


def test_one_is_replayed_once_and_what_can_not_be_says_why(admin: Admin, log_in: LogIn) -> None:
    good = admin.filled.kept(b"src=13922220002&dst=1069&msg=0000", reason=Reason.SOURCE, peer="203.0.113.9")
    bad = admin.filled.kept(b"src=13922220003&msg=hello")
    operator = log_in(Role.OPERATOR)
    operator.get(f"/quarantine/{good}")
    assert "It is taken in" in operator.follow(f"/quarantine/{good}/replay").words
    assert admin.rows("optouts", phone="+8613922220002")
    assert operator.follow(f"/quarantine/{good}/replay").status == 200
    left = operator.post(f"/quarantine/{bad}/replay")
    assert (left.status, "no service number: there is no parameter dst" in left.words) == (422, True)
    noted = [(row["actor"], row["via"]) for row in admin.rows("audit", target=str(good))]
    assert noted == [("operator", "console")]
    assert "taken in" in operator.get("/quarantine?state=replayed").words


def test_all_that_may_be_are_replayed_and_strangers_only_when_chosen(admin: Admin, log_in: LogIn) -> None:
    strange = [
        admin.filled.kept(b"src=1392222010%d&dst=1069&msg=hello" % number, reason=Reason.SOURCE, peer="203.0.113.77")
        for number in range(2)
    ]
    known = admin.filled.kept(b"src=13922220110&dst=1069&msg=hello", reason=Reason.STORAGE)
    operator = log_in(Role.OPERATOR)
    operator.get("/quarantine")
    done = operator.post("/quarantine/replay").words
    assert "of sources that are not allowed" in done
    stored = {row["id"] for row in admin.rows("messages")}
    assert known in stored
    assert stored.isdisjoint(strange)
    done = operator.post("/quarantine/replay", peer="203.0.113.77").words
    assert "Taken in 2" in done
    assert stored | set(strange) == {row["id"] for row in admin.rows("messages")}
    assert "nothing to replay" in operator.post("/quarantine/replay", peer="203.0.113.77").words
    assert operator.post("/quarantine/replay", newer_than="x").status == 400
    for junk in ("\x00", "x" * 5000, "<script>"):
        answer = operator.post("/quarantine/replay", reason=junk, peer=junk)
        assert (answer.status, "<script>" in answer.text) == (200, False)
