"""What every process is told."""

import pytest
from pydantic import ValidationError

from jobs.settings import Settings, signing_keys

KEY = "whsec_" + "c2VjcmV0" * 4
NEW = "whsec_" + "bmV3a2V5" * 4


@pytest.mark.parametrize(
    ("value", "keys"), [(KEY, [KEY]), (f"{NEW},{KEY}", [NEW, KEY]), (f" {NEW} , {KEY} ", [NEW, KEY])]
)
def test_webhooks_may_be_signed_with_several_keys(value: str, keys: list[str]) -> None:
    secret = Settings(webhook_secret=value).webhook_secret
    assert secret is not None
    assert signing_keys(secret) == keys


@pytest.mark.parametrize(
    "value", ["secret", KEY.removeprefix("whsec_"), "whsec_c2hvcnQ=", f"{KEY},", f"{KEY},secret", "whsec_%"]
)
def test_what_is_no_key_is_refused_and_not_told(value: str) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and 24 to 64 bytes") as error:
        Settings(webhook_secret=value)
    assert KEY not in str(error.value)


def test_no_key_at_all_is_none() -> None:
    assert Settings(webhook_secret="").webhook_secret is None
