from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from api.running import ADMIN_KEY, Gateway
from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import col, select
from waiting import wait_for

from mill_api.keys.credentials import is_mistyped, new_key, prefix_of
from mill_api.owners import AdminKeyRefused, ensure_admin_key
from mill_common.clock import db_now
from mill_common.models import ApiKey
from mill_common.settings import Settings

KEYS = "/api/v1/keys"


def test_a_new_key_has_its_form_and_its_checksum() -> None:
    key = new_key()
    assert prefix_of(key) == key.split("_")[1]
    assert not is_mistyped(key)
    swapped = key[:20] + ("a" if key[20] != "a" else "b") + key[21:]
    assert is_mistyped(swapped)


def test_a_key_is_shown_once_and_kept_as_a_digest(gateway: Gateway) -> None:
    made = gateway.admin.post(KEYS, json={"name": "uploader", "owner": "ada"})
    assert made.status_code == 201
    body = made.json()
    assert body["scopes"] == ["jobs"]
    assert body["owner"] == "ada"
    assert body["key"].startswith(f"mill_{body['prefix']}_")
    listed = gateway.admin.get(KEYS)
    assert body["key"] not in listed.text
    assert body["id"] in [key["id"] for key in listed.json()["keys"]]
    with gateway.resources.database.read() as session:
        rows = session.exec(select(ApiKey)).all()
    assert not any(body["key"] in str(row.model_dump()) for row in rows)


def test_a_request_without_a_key_is_refused(gateway: Gateway) -> None:
    with gateway.client() as stranger:
        answer = stranger.get("/api/v1/jobs")
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
    assert "ApiKey" in answer.headers["www-authenticate"]


UNKNOWN = {
    "no key at all": "nonsense",
    "never made": new_key(),
    "mistyped": "mill_aaaaaaaa_" + "b" * 38,
    "not ASCII": "ключ-ключ-ключ-ключ".encode(),
}


@pytest.mark.parametrize("key", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_key_is_refused(gateway: Gateway, key: str | bytes) -> None:
    answer = httpx.get(
        f"{gateway.url}/api/v1/jobs", headers=[(b"X-API-Key", key if isinstance(key, bytes) else key.encode())]
    )
    assert answer.status_code == 401


def test_a_revoked_key_is_refused(gateway: Gateway) -> None:
    made = gateway.admin.post(KEYS, json={"name": "short-lived", "owner": "ada"}).json()
    with gateway.client(made["key"]) as ada:
        assert ada.get("/api/v1/jobs").status_code == 200
        assert gateway.admin.delete(f"{KEYS}/{made['id']}").status_code == 204
        assert gateway.admin.delete(f"{KEYS}/{made['id']}").status_code == 204
        assert ada.get("/api/v1/jobs").status_code == 401
    revoked = next(key for key in gateway.admin.get(KEYS).json()["keys"] if key["id"] == made["id"])
    assert revoked["revoked_at"] is not None


def test_an_expired_key_is_refused(gateway: Gateway) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    with gateway.owner("ada", expires_at=soon.isoformat()) as ada:
        assert ada.get("/api/v1/jobs").status_code == 200
        with gateway.resources.database.write() as session:
            row = session.exec(select(ApiKey).where(col(ApiKey.owner_id) == "ada")).one()
            row.expires_at = datetime.now(UTC) - timedelta(seconds=1)
        assert ada.post("/api/v1/events/tickets", json={}).status_code == 401, "at once for whoever changes something"
        wait_for(lambda: ada.get("/api/v1/jobs").status_code == 401)


def test_a_key_that_would_be_expired_at_once_is_not_made(gateway: Gateway) -> None:
    answer = gateway.admin.post(KEYS, json={"name": "late", "expires_at": "2020-01-01T00:00:00Z"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "expires_at"]


def test_the_scope_jobs_makes_no_keys(gateway: Gateway, ada: httpx.Client) -> None:
    for answer in (ada.get(KEYS), ada.post(KEYS, json={"name": "mine"}), ada.delete(f"{KEYS}/{'0' * 32}")):
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


def test_the_last_use_of_a_key_is_noted(gateway: Gateway, ada: httpx.Client) -> None:
    assert ada.get("/api/v1/jobs").status_code == 200
    key = next(key for key in gateway.admin.get(KEYS).json()["keys"] if key["owner"] == "ada")
    assert key["last_used_at"] is not None


def test_without_any_admin_key_one_is_made_and_printed_once(
    gateway: Gateway, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    database = gateway.resources.database
    unset = settings.model_copy(update={"admin_key": None})
    ensure_admin_key(database, unset)
    assert capsys.readouterr().err == "", "there is the operator's own"
    for key in gateway.admin.get(KEYS).json()["keys"]:
        gateway.admin.delete(f"{KEYS}/{key['id']}")
    ensure_admin_key(database, unset)
    printed = capsys.readouterr().err.split()[-1]
    with gateway.client(printed) as operator:
        assert operator.get(KEYS).status_code == 200
    ensure_admin_key(database, unset)
    assert capsys.readouterr().err == ""


def test_an_admin_key_that_has_expired_locks_nobody_out(
    gateway: Gateway, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    database = gateway.resources.database
    made = gateway.admin.post(KEYS, json={"name": "old", "scopes": ["admin"], "expires_at": "2999-01-01T00:00:00Z"})
    with database.write() as session:
        session.execute(update(ApiKey).values(expires_at=db_now(-1)))
    with gateway.client(made.json()["key"]) as old:
        assert old.get(KEYS).status_code == 401
    ensure_admin_key(database, settings.model_copy(update={"admin_key": None}))
    printed = capsys.readouterr().err.split()[-1]
    with gateway.client(printed) as operator:
        assert operator.get(KEYS).status_code == 200


def test_the_name_of_the_settings_key_is_no_other_keys(gateway: Gateway) -> None:
    answer = gateway.admin.post(KEYS, json={"name": "MILL_ADMIN_KEY", "owner": "ada"})
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "name"])


def test_a_changed_admin_key_setting_revokes_the_one_before(gateway: Gateway, settings: Settings) -> None:
    changed = Settings(data_dir=settings.data_dir, admin_key=SecretStr("another-key-of-the-operator"))
    ensure_admin_key(gateway.resources.database, changed)
    assert gateway.admin.get(KEYS).status_code == 401
    with gateway.client("another-key-of-the-operator") as operator:
        assert operator.get(KEYS).status_code == 200
    ensure_admin_key(gateway.resources.database, settings)
    assert gateway.admin.get(KEYS).status_code == 200


@pytest.mark.parametrize(
    "key", ["short", "with spaces in between", "umlaut-schlüssel-nr-1", "mill_aaaaaaaa_" + "b" * 38]
)
def test_an_admin_key_that_will_not_do_is_refused(gateway: Gateway, settings: Settings, key: str) -> None:
    with pytest.raises(AdminKeyRefused):
        ensure_admin_key(gateway.resources.database, Settings(data_dir=settings.data_dir, admin_key=SecretStr(key)))
    assert key != ADMIN_KEY


def test_a_rotated_key_does_beside_its_old_secret_for_a_while(any_gateway: Gateway) -> None:
    keys = any_gateway.admin
    made = keys.post(KEYS, json={"name": "uploader", "owner": "ada"}).json()
    rotated = keys.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 3600})
    assert rotated.status_code == 200
    fresh = rotated.json()
    assert (fresh["id"], fresh["owner"], fresh["scopes"]) == (made["id"], "ada", ["jobs"])
    assert fresh["key"] != made["key"] and fresh["key"].startswith(f"mill_{fresh['prefix']}_")
    assert fresh["previous_until"] is not None
    with any_gateway.client(made["key"]) as old, any_gateway.client(fresh["key"]) as new:
        assert (old.get("/api/v1/jobs").status_code, new.get("/api/v1/jobs").status_code) == (200, 200)
        with any_gateway.resources.database.write() as session:
            row = session.exec(select(ApiKey).where(col(ApiKey.owner_id) == "ada")).one()
            row.previous_until = datetime.now(UTC) - timedelta(seconds=1)
        wait_for(lambda: old.get("/api/v1/jobs").status_code == 401)
        assert new.get("/api/v1/jobs").status_code == 200


def test_a_second_rotation_ends_the_first_secret(gateway: Gateway) -> None:
    made = gateway.admin.post(KEYS, json={"name": "uploader", "owner": "ada"}).json()
    second = gateway.admin.post(f"{KEYS}/{made['id']}/rotate").json()
    third = gateway.admin.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 0}).json()
    statuses = [
        httpx.get(f"{gateway.url}/api/v1/jobs", headers={"X-API-Key": each["key"]}).status_code
        for each in (made, second, third)
    ]
    assert statuses == [401, 401, 200]


def test_a_rotated_key_is_revoked_with_its_old_secret(gateway: Gateway) -> None:
    made = gateway.admin.post(KEYS, json={"name": "uploader", "owner": "ada"}).json()
    assert gateway.admin.post(f"{KEYS}/{made['id']}/rotate").status_code == 200
    assert gateway.admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    with gateway.client(made["key"]) as old:
        assert old.get("/api/v1/jobs").status_code == 401
    refused = gateway.admin.post(f"{KEYS}/{made['id']}/rotate")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_revoked")


def test_the_operators_own_key_is_rotated_by_its_setting_alone(gateway: Gateway) -> None:
    own = next(key for key in gateway.admin.get(KEYS).json()["keys"] if key["name"] == "MILL_ADMIN_KEY")
    refused = gateway.admin.post(f"{KEYS}/{own['id']}/rotate")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_from_setting")


def test_a_key_that_may_only_read_changes_nothing(gateway: Gateway) -> None:
    with gateway.owner("ada", scopes=["jobs:read"]) as reader:
        assert reader.get("/api/v1/jobs").status_code == 200
        refused = reader.post("/api/v1/jobs", json={})
        assert refused.status_code == 403
        assert "jobs:write" in refused.json()["detail"]
        assert reader.delete(f"/api/v1/jobs/{'0' * 32}").status_code == 403
        assert reader.post("/api/v1/uploads", content=b"film").status_code == 403


def test_a_key_that_may_only_write_looks_at_nothing(gateway: Gateway) -> None:
    with gateway.owner("ada", scopes=["jobs:write"]) as writer:
        assert writer.post("/api/v1/jobs", json={}).status_code == 422
        refused = writer.get("/api/v1/jobs")
        assert (refused.status_code, "jobs:read" in refused.json()["detail"]) == (403, True)


def test_both_halves_make_the_whole_scope(gateway: Gateway) -> None:
    with gateway.owner("ada", scopes=["jobs:read", "jobs:write"]) as both:
        assert both.get("/api/v1/jobs").status_code == 200
        assert both.post("/api/v1/jobs", json={}).status_code == 422


def test_the_last_use_is_written_once_a_minute_at_most(gateway: Gateway, ada: httpx.Client) -> None:
    def last_used() -> str:
        keys = gateway.admin.get(KEYS).json()["keys"]
        used: str = next(key for key in keys if key["owner"] == "ada")["last_used_at"]
        return used

    ada.get("/api/v1/jobs")
    first = last_used()
    ada.get("/api/v1/jobs")
    assert last_used() == first
    with gateway.resources.database.write() as session:
        row = session.exec(select(ApiKey).where(col(ApiKey.owner_id) == "ada")).one()
        row.last_used_at = datetime.now(UTC) - timedelta(seconds=61)
    wait_for(lambda: ada.get("/api/v1/jobs") and last_used() >= first)
