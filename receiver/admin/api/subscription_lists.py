"""Lists of subscriptions over the API: all of one counts, or nothing of it."""

from contextlib import suppress

from flask import Response, jsonify
from pydantic import Field

from receiver.access import Action, Scope
from receiver.optout.subscribing import SubscriptionImport, resume
from receiver.store.errors import StoreError

from ..parts import parts
from .gate import act
from .lists import MOST_NAMED, BadLine, ImportedList, ListQuery, checked, described, listed, named
from .routes import Routes

routes = Routes("Subscription lists", "Many subscriptions at once, as a list.")


class SubscriptionImportQuery(ListQuery):
    pass


class ImportedSubscriptions(ImportedList):
    """What became of a list of subscriptions."""

    new: int = Field(description="Subscriptions that are new by it", examples=[1])
    already: int = Field(description="Lines that name one which was there before, or by another line", examples=[1])
    opted_out: int = Field(description="Lines left out, since their phones are opted out", examples=[0])
    left_out: list[BadLine] = Field(description=f"Those lines, the first {MOST_NAMED:,} of them")


@routes.post(
    "/subscriptions/import",
    scope=Scope.OPTOUTS_WRITE,
    answers={200: ImportedSubscriptions},
    content=described(
        "phone,service,since\n13900000003,news,2025-06-03\n", '{"phone": "13900000003", "service": "news"}\n'
    ),
)
def import_subscriptions(query: SubscriptionImportQuery) -> Response:
    """Import subscriptions

    Every phone of the list gets the service that stands beside it. A list is CSV with the columns `phone` and
    `service` (`text/csv`; UTF-8 or GB18030; commas, semicolons or tabs), or one JSON object a line with these members
    (`application/x-ndjson`). `since` (2025-06-03 or 2025-06-03T17:00, China time unless it says) is when it began, now
    where it is left out. Others are left alone.

    First the whole list is checked. If any line is bad nothing is imported, and the problem names the first of them:
    correct them, or say `skip_bad`. `dry_run` names them too, and counts what would become of the others. Lines of
    phones that are opted out are always left out, and named.

    Then all of it counts at once, or nothing; on SQLite, past 50,000 lines, part by part within seconds, and what a
    crash leaves of that a worker completes. What is there already is passed over, so that the same list may be sent
    again, after a lost answer for example.
    """
    store = parts().store
    with listed(["phone", "service"], ["since"]) as found:
        resume(store)
        wanted = SubscriptionImport(store, found, region=parts().settings.default_region)
        rejected, bad = checked(wanted, query)
        try:
            wanted.stage()
            opted_out = list(wanted.opted_out())
            if query.dry_run:
                new = wanted.preview()
            else:
                noted = act(
                    Action.SUBSCRIPTIONS_IMPORTED, rows=wanted.rows, rejected=rejected, file_sha256=found.sha256
                )
                new = wanted.take(note=noted)
        finally:
            with suppress(StoreError):  # where that can't be done now, a later import does it
                wanted.drop()
    became = ImportedSubscriptions(
        dry_run=query.dry_run,
        rows=wanted.rows,
        new=new,
        already=max(0, wanted.staged - len(opted_out) - new),
        opted_out=len(opted_out),
        left_out=named(iter(opted_out[:MOST_NAMED])),
        rejected=rejected,
        bad=bad,
    )
    return jsonify(became.model_dump(mode="json"))
