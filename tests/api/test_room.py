"""Room for the bytes of bodies and of answers."""

import pytest

from api.errors import Problem
from api.room import AnswerRoom, BodyRoom


@pytest.mark.parametrize(
    ("kind", "code", "setting"),
    [(BodyRoom, "bodies_full", "NST_MAX_BODIES_BYTES"), (AnswerRoom, "answers_full", "NST_MAX_ANSWERS_BYTES")],
)
def test_room_is_taken_until_the_end(kind: type[BodyRoom | AnswerRoom], code: str, setting: str) -> None:
    room = kind(100)
    with room.for_one(60) as take:
        take(60)
        with pytest.raises(Problem) as refusal, room.for_one(50):
            pass
        assert (refusal.value.status, refusal.value.code) == (503, code)
        assert f"{kind.what} of 60 bytes are in hand, the limit is 100 ({setting})" in refusal.value.detail
        assert refusal.value.headers
        with room.for_one() as other:
            other(40)
            with pytest.raises(Problem):
                other(1)
    with room.for_one() as take:
        take(100)


def test_what_is_alone_has_room() -> None:
    room = AnswerRoom(100)
    for _ in range(2):
        with room.for_one() as take, room.for_one() as other:
            take(101)
            with pytest.raises(Problem):
                other(1)
