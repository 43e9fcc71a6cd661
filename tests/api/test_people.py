"""A8: login, JWT, roles on every admin route, and the audit log."""

from __future__ import annotations

import time
from contextlib import closing

import jwt
import pytest
from api.running import Gateway, serving, submit
from api.signing_in import LOGIN, PASSWORD, audit, bearing, make_user, person, sign_in
from pydantic import SecretStr
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from mill_api.people.first_admin import ensure_first_admin
from mill_common.models import AuditEntry, User, UserSession
from mill_common.resources import open_resources
from mill_common.settings import Settings

AUTH = "/api/v1/auth"
USERS = "/api/v1/admin/users"


def test_a_person_signs_in_and_works_with_their_owners_jobs(any_gateway: Gateway) -> None:
    """A8: a password gives a short-lived JWT, which does wherever a key does."""
    make_user(any_gateway, "grace", "operator", owner="ada")
    tokens = sign_in(any_gateway, "grace")
    assert (tokens["token_type"], tokens["expires_in"], tokens["role"]) == ("Bearer", 900, "operator")
    with any_gateway.owner("ada") as ada, bearing(any_gateway, tokens["access_token"]) as grace:
        job_id = submit(grace)
        assert ada.get(f"/api/v1/jobs/{job_id}").status_code == 200
        assert grace.get(f"{AUTH}/me").json() == {
            "name": "user:grace",
            "owner": "ada",
            "scopes": ["jobs", "operator"],
        }
        ticket = grace.post("/api/v1/events/tickets", json={"job_id": job_id}).json()["ticket"]
        with any_gateway.client() as browser:
            watching = browser.stream("GET", f"/api/v1/events/{job_id}/progress", params={"ticket": ticket})
            with watching as answer:
                assert answer.status_code == 200


def test_passwords_and_refresh_tokens_are_kept_as_hashes(gateway: Gateway) -> None:
    make_user(gateway, "grace")
    tokens = sign_in(gateway, "grace")
    with gateway.resources.database.read() as session:
        user = session.exec(select(User)).one()
        held = session.exec(select(UserSession)).one()
    assert user.password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(user.model_dump())
    assert tokens["refresh_token"].partition(".")[2] not in str(held.model_dump())


@pytest.mark.parametrize(("name", "password"), [("grace", "wrong"), ("nobody", PASSWORD), ("gr\x00ace", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_are_refused_alike(gateway: Gateway, name: str, password: str) -> None:
    make_user(gateway, "grace")
    with gateway.client() as stranger:
        answer = stranger.post(LOGIN, json={"username": name, "password": password})
    assert answer.status_code == 401
    assert answer.json()["code"] == "login_failed"
    refused = audit(gateway, action="login", outcome="refused")[0]
    assert refused["actor"] == "nobody"
    assert refused["target"] == ("user:grace" if name == "grace" else None), "what was typed is not written down"
    assert refused["address"] == "127.0.0.1"


def test_an_unknown_name_costs_the_same_reckoning(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer's time tells whether a name is somebody's: the hash is reckoned for nobody, too."""
    from mill_api.people import passwords

    checked: list[str] = []
    verify = passwords._hasher.verify

    def counted(kept: str, password: str) -> bool:
        checked.append(kept)
        return verify(kept, password)

    monkeypatch.setattr(type(passwords._hasher), "verify", lambda _, kept, password: counted(kept, password))
    with gateway.client() as stranger:
        stranger.post(LOGIN, json={"username": "nobody", "password": PASSWORD})
    assert len(checked) == 1
    assert checked[0].split("$")[3] == passwords._nobodys().split("$")[3]


def test_a_refresh_token_does_once_and_its_second_use_ends_the_session(any_gateway: Gateway) -> None:
    make_user(any_gateway, "grace")
    first = sign_in(any_gateway, "grace")
    with any_gateway.client() as client:
        second = client.post(f"{AUTH}/refresh", json={"refresh_token": first["refresh_token"]})
        assert second.status_code == 200
        with bearing(any_gateway, second.json()["access_token"]) as grace:
            assert grace.get(f"{AUTH}/me").status_code == 200
            stolen = client.post(f"{AUTH}/refresh", json={"refresh_token": first["refresh_token"]})
            assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh_invalid")
            assert grace.get(f"{AUTH}/me").status_code == 401, "the session has ended for both"
        again = client.post(f"{AUTH}/refresh", json={"refresh_token": second.json()["refresh_token"]})
        assert again.status_code == 401


def test_who_signs_out_is_out_at_once(gateway: Gateway) -> None:
    make_user(gateway, "grace")
    tokens = sign_in(gateway, "grace")
    with bearing(gateway, tokens["access_token"]) as grace, gateway.client() as stranger:
        for _ in range(2):
            answer = stranger.post(f"{AUTH}/logout", json={"refresh_token": tokens["refresh_token"]})
            assert answer.status_code == 204
        assert grace.get(f"{AUTH}/me").status_code == 401
    assert audit(gateway, action="logout")[0]["actor"] == "user:grace"


def test_forged_and_expired_tokens_are_refused(gateway: Gateway) -> None:
    make_user(gateway, "grace")
    said = jwt.decode(sign_in(gateway, "grace")["access_token"], options={"verify_signature": False})
    key = gateway.app.state.signer.sign("access token").encode()
    forged = [
        "nonsense",
        jwt.encode(said, "a key of somebody else's, long enough", algorithm="HS256"),
        jwt.encode(said, None, algorithm="none"),
        jwt.encode({**said, "exp": int(time.time()) - 1}, key, algorithm="HS256"),
        jwt.encode({**said, "sub": "018f0000-0000-7000-8000-000000000000"}, key, algorithm="HS256"),
        jwt.encode({name: value for name, value in said.items() if name != "exp"}, key, algorithm="HS256"),
    ]
    for token in forged:
        with bearing(gateway, token) as client:
            assert client.get(f"{AUTH}/me").status_code == 401, token
    with bearing(gateway, jwt.encode(said, key, algorithm="HS256")) as client:
        assert client.get(f"{AUTH}/me").status_code == 200, "the test signs as the gateway does"


def test_a_disabled_user_is_out_at_once_and_cannot_come_back(gateway: Gateway) -> None:
    user = make_user(gateway, "grace")
    tokens = sign_in(gateway, "grace")
    changed = gateway.admin.patch(f"{USERS}/{user['id']}", json={"disabled": True})
    assert changed.json()["disabled_at"] is not None
    with bearing(gateway, tokens["access_token"]) as grace, gateway.client() as stranger:
        assert grace.get(f"{AUTH}/me").status_code == 401
        assert stranger.post(LOGIN, json={"username": "grace", "password": PASSWORD}).status_code == 401
        body = {"refresh_token": tokens["refresh_token"]}
        assert stranger.post(f"{AUTH}/refresh", json=body).status_code == 401


def test_a_new_role_counts_from_the_next_request_on(gateway: Gateway) -> None:
    user = make_user(gateway, "grace", "admin")
    with bearing(gateway, sign_in(gateway, "grace")["access_token"]) as grace:
        assert grace.get("/api/v1/keys").status_code == 200
        gateway.admin.patch(f"{USERS}/{user['id']}", json={"role": "viewer"})
        assert grace.get("/api/v1/keys").status_code == 403
        assert grace.get(USERS).status_code == 200


def test_a_person_changes_their_password_and_the_other_sessions_end(gateway: Gateway) -> None:
    make_user(gateway, "grace")
    other = sign_in(gateway, "grace")
    with bearing(gateway, sign_in(gateway, "grace")["access_token"]) as grace:
        body = {"current_password": PASSWORD, "new_password": "another long password"}
        assert grace.post(f"{AUTH}/password", json={**body, "current_password": "wrong"}).status_code == 401
        assert grace.post(f"{AUTH}/password", json={**body, "new_password": "short"}).status_code == 422
        assert grace.post(f"{AUTH}/password", json=body).status_code == 204
        assert grace.get(f"{AUTH}/me").status_code == 200
    with bearing(gateway, other["access_token"]) as elsewhere:
        assert elsewhere.get(f"{AUTH}/me").status_code == 401
    sign_in(gateway, "grace", "another long password")
    assert gateway.admin.post(f"{AUTH}/password", json=body).status_code == 403, "a key has none"


def test_users_are_made_listed_changed_and_removed(any_gateway: Gateway) -> None:
    user = make_user(any_gateway, "grace", "operator")
    assert user["owner"] == "grace"
    again = any_gateway.admin.post(USERS, json={"name": "grace", "password": PASSWORD})
    assert (again.status_code, again.json()["code"]) == (409, "user_exists")
    assert [found["name"] for found in any_gateway.admin.get(USERS).json()["users"]] == ["grace"]
    one = f"{USERS}/{user['id']}"
    assert any_gateway.admin.get(one).json() == user
    changed = any_gateway.admin.patch(one, json={"password": "another long password"})
    assert changed.status_code == 200
    sign_in(any_gateway, "grace", "another long password")
    assert any_gateway.admin.delete(one).status_code == 204
    assert any_gateway.admin.get(one).json()["code"] == "user_not_found"
    entries = [entry for entry in audit(any_gateway, target="user:grace") if entry["action"] != "login"]
    assert [entry["action"] for entry in entries] == ["delete_user", "change_user", "create_user"]
    assert entries[2]["after"] == {"role": "operator", "owner": "grace", "disabled": False}
    assert entries[1]["after"]["password"] == "changed"
    assert "another long password" not in str(entries)


def test_the_first_admin_comes_from_the_settings(settings: Settings) -> None:
    chosen = settings.model_copy(update={"admin_user": "root", "admin_password": SecretStr(PASSWORD)})
    with closing(open_resources(chosen)) as resources, serving(resources) as gateway:
        with bearing(gateway, sign_in(gateway, "root")["access_token"]) as root:
            assert root.get("/api/v1/keys").status_code == 200
        changed = chosen.model_copy(update={"admin_password": SecretStr("another long password")})
        ensure_first_admin(resources.database, changed)
        sign_in(gateway, "root")


def test_attempts_to_sign_in_are_limited_for_each_user_and_each_address(settings: Settings) -> None:
    limits = {"rate_login": "3/hour", "rate_login_address": "5/hour"}
    limited = settings.model_copy(update=limits)
    with closing(open_resources(limited)) as resources, serving(resources) as gateway, gateway.client() as stranger:
        make_user(gateway, "grace")
        statuses = [
            stranger.post(LOGIN, json={"username": name, "password": "wrong"}).status_code
            for name in ("grace", "GRACE", "grace", "grace", "ada", "ada")
        ]
        assert statuses == [401, 401, 401, 429, 401, 429]


def test_keys_and_users_are_in_the_audit_log_with_who_what_before_and_after(any_gateway: Gateway) -> None:
    """A8: each action names who did what to what, from where, and what it was before."""
    with person(any_gateway, "grace", "admin") as grace:
        made = grace.post("/api/v1/keys", json={"name": "uploader", "owner": "ada"}).json()
        assert grace.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    revoked, created = audit(any_gateway, actor="user:grace", target=f"key:{made['prefix']}")
    assert (created["action"], created["outcome"], created["status"]) == ("create_key", "done", 201)
    assert created["after"]["scopes"] == ["jobs"]
    assert revoked["before"]["owner"] == "ada"
    assert revoked["address"] == "127.0.0.1"
    assert made["key"] not in str([revoked, created])


def test_a_failed_action_is_in_the_audit_log(gateway: Gateway) -> None:
    assert gateway.admin.post(USERS, json={"name": "!"}).status_code == 422
    failed = audit(gateway, outcome="failed")[0]
    assert (failed["action"], failed["status"], failed["actor"]) == ("create_user", 422, "key:MILL_ADMIN_KEY")


def test_the_audit_log_is_read_by_filters_and_page_by_page(gateway: Gateway) -> None:
    for name in ("one", "two", "three"):
        make_user(gateway, name)
    assert [entry["target"] for entry in audit(gateway, action="create_user")] == ["user:three", "user:two", "user:one"]
    first = gateway.admin.get("/api/v1/admin/audit", params={"action": "create_user", "limit": 2}).json()
    rest = audit(gateway, action="create_user", before_id=first["next_before_id"])
    assert [entry["target"] for entry in rest] == ["user:one"]
    assert audit(gateway, action="create_user", to_date="2020-01-01T00:00:00Z") == []
    assert audit(gateway, address="192.0.2.1") == []


def test_nobody_changes_the_audit_log(any_gateway: Gateway) -> None:
    make_user(any_gateway, "grace")
    for statement in (update(AuditEntry).values(actor="nobody"), delete(AuditEntry).where(col(AuditEntry.status) > 0)):
        with pytest.raises(DBAPIError, match="only added to"), any_gateway.resources.database.write() as session:
            session.execute(statement)
    assert audit(any_gateway, target="user:grace")
