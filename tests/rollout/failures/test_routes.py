import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.failures.routes import MOST_COLUMNS, route_of

# why.md, "Routes": every row.
WORKED = [
    ("/chat", "/chat"),
    ("/img/logo.png", "/img/logo.png"),
    ("/api/v2/recommend/personalized?user=42", "/api/v2/recommend/personalized"),
    ("/users/12345", "/users/{id}"),
    ("/users/12345/orders/7", "/users/{id}/orders/{id}"),
    ("/users/9f1c2b3a-0d4e-4f6a-8b7c-1234567890ab", "/users/{id}"),
    ("/files/a1b2c3d4e5f6a7b8", "/files/{id}"),
    ("/static/js/main.8f3e2a1b.chunk.js", "/static/js/main.{id}.chunk.js"),
    ("/u/someone@example.com", "/u/{id}"),
    ("/t/eyJhbGciOiJIUzI1NiJ9.e30", "/t/{id}"),
    ("/v1/day/2026-11-26", "/v1/day/{id}"),
    ("/v2/items", "/v2/items"),
    ("//a///b/", "/a/b"),
]


@pytest.mark.parametrize(("path", "route"), WORKED)
def test_the_worked_rows(path, route):
    assert route_of(path) == route
    assert route_of(f"https://svc-abc-uc.a.run.app{path}") == route


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("", "/"),
        ("https://host.example", "/"),
        ("https://user:secret@host.example/x", "/x"),
        ("/a%3Fuser=someone", "/a"),
        ("/a%23top", "/a"),
        ("/a;jsessionid=3F2A/b", "/a/b"),
        ("/%75sers/12345", "/users/{id}"),
        ("/u/some%40one", "/u/{id}"),
        ("/a/b/c/d/e/f/g/h", "/a/b/c/d/e/f/…"),
        ("/photo/12345.jpg", "/photo/{id}.jpg"),
        ("/call/+49-170-1234567", "/call/{id}"),
        ("/orders/order-1234567", "/orders/order-{id}"),
        ("/find/user=someone", "/find/user={id}"),
        ("/at/2026-11-26T10:00:00Z", "/at/{id}"),
        ("/\x1b[31mred\x07", "/red"),
    ],
)
def test_nothing_of_the_caller_comes_through(path, route):
    assert route_of(path) == route


def test_the_plans_own_routes_win():
    own = ("/users/{id}/…", "/shop/{what}")
    assert route_of("/users/ann/orders/7", own) == "/users/{id}/…"
    assert route_of("/users/ann", own) == "/users/{id}/…"
    assert route_of("/shop/shoes?colour=red", own) == "/shop/{what}"
    assert route_of("/shop/shoes/7", own) == "/shop/shoes/{id}"
    assert route_of("/users", own) == "/users"


@given(st.text(max_size=300))
def test_any_path_becomes_a_short_harmless_route(path):
    route = route_of(path)
    assert route.startswith("/")
    assert len(route) <= MOST_COLUMNS
    assert "?" not in route
    assert "#" not in route
    assert "@" not in route
    assert not re.search(r"[0-9]{5,}", route)
    assert route.isprintable()


@given(st.from_regex(r"\A(/[a-z]{1,10}){1,6}\Z"))
def test_a_path_of_words_stays(path):
    words = path.split("/")[1:]
    if all(not re.fullmatch(r"[a-f]{12,}", word) for word in words):
        assert route_of(path) == path


@given(st.from_regex(r"\A(/[a-zA-Z0-9@.-]{1,40}){1,6}\Z"))
def test_a_route_is_the_route_of_itself(path):
    once = route_of(path)
    assert route_of(once) == once
