from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from api.running import Gateway
from sqlalchemy import text

from mill_common.health.probe import gateway_fault
from mill_common.signs import signs_of


def test_a_gateway_that_can_take_work_says_so(any_gateway: Gateway) -> None:
    with any_gateway.client() as anyone:
        assert anyone.get("/health").json() == {"status": "healthy"}
        assert anyone.get("/livez").status_code == 200
        assert anyone.get("/readyz").json() == {"status": "ready"}


def test_an_outdated_schema_is_not_ready(gateway: Gateway) -> None:
    with gateway.resources.database.write() as session:
        session.execute(text("DELETE FROM alembic_version"))
    with gateway.client() as anyone:
        answer = anyone.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "mill migrate" in answer.json()["detail"]
        assert anyone.get("/health").status_code == 200


def test_storage_that_does_not_answer_is_not_ready(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "objects").rename(tmp_path / "elsewhere")
    gateway.app.state.signs = signs_of(gateway.resources)
    with gateway.client() as anyone:
        answer = anyone.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        (tmp_path / "elsewhere").rename(tmp_path / "objects")
        assert anyone.get("/readyz").status_code == 200


def test_the_check_of_a_container_asks_the_gateway(gateway: Gateway) -> None:
    port = urlsplit(gateway.url).port
    assert port is not None
    assert gateway_fault(port) == []
    with gateway.resources.database.write() as session:
        session.execute(text("DELETE FROM alembic_version"))
    [fault] = gateway_fault(port)
    assert "mill migrate" in fault
