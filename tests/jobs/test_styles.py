"""The styles that users added, and the gallery that they are part of."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import redis

from jobs.contract import Job, JobInput, Status, Urls, new_job_id, now
from jobs.errors import LeaseLost, StoreUnavailable, StyleExists, StyleNotRemovable, TooManyStyles
from jobs.gallery import ServiceGallery
from jobs.settings import Settings
from jobs.store import RedisStore
from jobs.styles import StyleStore
from nst_core.errors import UnknownStyle
from nst_core.gallery import Style

NOISE = Style(
    id="noise", title="Noise", artist="Chance", training={"steps": 6}, losses={"style": 0.5}, weights_sha256="a" * 64
)


@pytest.fixture
def styles(redis_url: str) -> Iterator[StyleStore]:
    styles = StyleStore.connect(redis_url)
    yield styles
    styles.close()


def add(styles: StyleStore, style: Style = NOISE, job_id: str = "one", weights: bytes = b"\x00weights\xff") -> None:
    styles.add(style, weights=weights, thumbnail=b"jpeg", job_id=job_id)


def test_a_style_is_kept(styles: StyleStore) -> None:
    add(styles)
    assert styles.get("noise") == NOISE
    assert (styles.weights("noise"), styles.thumbnail("noise")) == (b"\x00weights\xff", b"jpeg")
    add(styles, replace(NOISE, id="another"))
    assert [style.id for style in styles.all()] == ["noise", "another"]


def test_a_style_does_not_expire(styles: StyleStore, redis_url: str) -> None:
    add(styles)
    with redis.Redis.from_url(redis_url) as client:
        assert [client.ttl(key) for key in client.scan_iter()] == [-1, -1]


def test_a_job_may_keep_its_style_again_and_no_other_job_may(styles: StyleStore) -> None:
    add(styles)
    add(styles, weights=b"again")
    with pytest.raises(StyleExists, match="There is a style 'noise' already"):
        add(styles, job_id="two", weights=b"other")
    assert styles.weights("noise") == b"again"
    assert len(styles.all()) == 1


def test_a_worker_adds_a_style_while_it_has_the_job(styles: StyleStore, redis_url: str) -> None:
    store = RedisStore.connect(redis_url, Settings())
    job_id, made_of = new_job_id(), JobInput(params={}, style_sha256=["5" * 64])
    store.create(
        Job(id=job_id, method="train", created_at=now(), input=made_of, urls=Urls.of(job_id)), {"style.0": b"x"}
    )

    def keep(token: str) -> None:
        styles.add(NOISE, weights=token.encode(), thumbnail=b"jpeg", job_id=job_id, token=token)

    with pytest.raises(LeaseLost):
        keep("one")  # nobody has it yet
    store.start(job_id, "one")
    for token in ("two", ""):
        with pytest.raises(LeaseLost):
            keep(token)
    assert styles.all() == []
    keep("one")
    store.finish(job_id, "one", status=Status.CANCELED)
    with pytest.raises(LeaseLost):
        keep("one")
    assert styles.weights("noise") == b"one"
    store.close()


def test_a_style_that_is_deleted_is_gone(styles: StyleStore, redis_url: str) -> None:
    add(styles)
    styles.delete("noise")
    for call in (styles.get, styles.weights, styles.thumbnail, styles.delete):
        with pytest.raises(UnknownStyle, match="there is no style 'noise'"):
            call("noise")
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
    add(styles, job_id="two")
    assert styles.get("noise") == NOISE


def test_a_style_that_cannot_be_read_leaves_the_others(styles: StyleStore, redis_url: str) -> None:
    add(styles)
    add(styles, replace(NOISE, id="another"))
    with redis.Redis.from_url(redis_url) as client:
        client.hset("nst:style:noise", "entry", '{"of": "another version"}')
    assert [style.id for style in styles.all()] == ["another"]
    with pytest.raises(UnknownStyle):
        styles.get("noise")


@pytest.mark.parametrize("name", ["noise:claim", "Noise", "", "noise\n", "x" * 65, "\x00", "\ud7ff"])
def test_what_no_style_is_called_is_unknown(styles: StyleStore, name: str) -> None:
    styles.claim("noise", "one", 100, lambda _: False, 1)
    for call in (styles.get, styles.weights, styles.thumbnail, styles.delete):
        with pytest.raises(UnknownStyle, match="there is no style"):
            call(name)


def test_a_redis_that_is_away_is_told(tmp_path: Path) -> None:
    styles = StyleStore.connect(f"unix://{tmp_path}/nothing.sock")
    for call in (styles.all, lambda: styles.get("noise"), lambda: add(styles)):
        with pytest.raises(StoreUnavailable):
            call()


def test_a_gallery_has_its_own_styles_and_those_of_users(styles: StyleStore, styles_dir: Path) -> None:
    gallery = ServiceGallery(styles_dir, styles)
    add(styles)
    # Which the folder has too: this one may have come with a newer version of the program.
    add(styles, replace(NOISE, id="waves"))
    assert [style.id for style in gallery.all()] == ["waves", "waves_color", "noise"]
    assert gallery["waves"].title == "Waves [at night]"
    assert gallery["noise"] == NOISE
    assert (gallery.weights("noise"), gallery.thumbnail("noise")) == (b"\x00weights\xff", b"jpeg")
    assert gallery.weights("waves") == (styles_dir / "waves.safetensors").read_bytes()
    assert gallery.removable(["waves", "noise"]) == {"noise"}


def test_only_styles_of_users_are_deleted(styles: StyleStore, styles_dir: Path) -> None:
    gallery = ServiceGallery(styles_dir, styles)
    add(styles)
    gallery.delete("noise")
    with pytest.raises(UnknownStyle):
        gallery.delete("noise")
    add(styles, replace(NOISE, id="waves"))  # before the folder had one of this id
    gallery.delete("waves")
    with pytest.raises(StyleNotRemovable, match="belongs to the gallery of this server"):
        gallery.delete("waves")
    assert gallery["waves"].title == "Waves [at night]"


def test_a_style_of_an_owner_is_deleted_by_that_one(styles: StyleStore, styles_dir: Path) -> None:
    gallery = ServiceGallery(styles_dir, styles)
    add(styles)
    styles.add(replace(NOISE, id="adas"), weights=b"w", thumbnail=b"t", job_id="two", owner="ada")
    every = ["waves", "noise", "adas", "nothing"]
    assert gallery.removable(every, "ada") == {"adas"}
    assert gallery.removable(every, "bob") == set()
    for style_id in ("adas", "noise"):
        with pytest.raises(StyleNotRemovable, match="was not added with this key"):
            gallery.delete(style_id, "bob")
    with pytest.raises(UnknownStyle):
        gallery.delete("nothing", "bob")
    gallery.delete("adas", "ada")
    gallery.delete("noise")
    assert styles.all() == []


def test_an_id_is_claimed_by_one_job_until_that_is_over(styles: StyleStore, redis_url: str) -> None:
    over: set[str] = set()
    claim = partial(styles.claim, "noise", seconds=100, is_over=over.__contains__, most=1)
    assert claim("one") == "one"
    assert claim("two") == "one"
    over.add("one")
    assert claim("two") == "two"
    assert claim("one") == "two"
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl("nst:style:noise:claim") <= 100
        styles.release("noise", "one")  # which has it no more
        assert claim("one") == "two"
        styles.release("noise", "two")
        assert client.dbsize() == 0


def test_styles_and_claims_together_are_bounded(styles: StyleStore, redis_url: str) -> None:
    over: set[str] = set()

    def claim(style_id: str, most: int = 3) -> str:
        return styles.claim(style_id, f"job of {style_id}", 100, over.__contains__, most)

    def refused(style_id: str, most: int = 3) -> bool:
        with pytest.raises(TooManyStyles, match=f"There are {most} styles .*NST_MAX_STYLES"):
            claim(style_id, most)
        return True

    assert refused("noise", 0)
    add(styles)
    for style_id in ("a", "b", "a"):
        assert claim(style_id) == f"job of {style_id}"
    assert refused("c")
    over.add("job of a")
    claim("c")
    assert refused("a")
    with redis.Redis.from_url(redis_url) as client:
        client.delete("nst:style:b:claim")  # expired
    claim("a2")
    styles.release("c", "job of c")
    claim("d")
    add(styles, replace(NOISE, id="d"), job_id="job of d")  # takes the place of its claim
    assert refused("e")
    styles.delete("noise")
    claim("e")
    assert refused("f")


def test_of_claims_at_the_same_time_as_many_are_granted_as_there_is_room(styles: StyleStore) -> None:
    def granted(number: int) -> bool:
        try:
            return bool(styles.claim(f"s{number}", f"job {number}", 100, lambda _: False, 3))
        except TooManyStyles:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(granted, range(24))) == 3


def test_a_style_too_many_is_not_added(styles: StyleStore) -> None:
    def keep(style_id: str, weights: bytes = b"w") -> None:
        styles.add(replace(NOISE, id=style_id), weights=weights, thumbnail=b"t", job_id=style_id, most=1)

    keep("noise")
    with pytest.raises(TooManyStyles):
        keep("another")
    keep("noise", b"again")  # as it is there already
    assert (styles.weights("noise"), len(styles.all())) == (b"again", 1)
