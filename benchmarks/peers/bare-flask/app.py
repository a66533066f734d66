"""The baseline: a hand-written Flask service that returns the same documents from the same tables, and nothing more.

PyJWT checks the token, one autocommitted statement runs on a psycopg pool, `jsonify` writes the answer. No session, no
request id, no security header, no log.
"""

import os
import time

import jwt
from flask import Flask, Response, abort, jsonify, request
from psycopg_pool import ConnectionPool

SECRET = os.environ["SECRET_KEY"]
PAGE = 50
FIELDS = (
    "u.id, u.email, u.username, u.first_name, u.last_name, p.title, p.dob, p.address, p.country, p.city, p.zip, "
    "u.is_active, u.is_staff, u.is_superuser, u.email_verified_at IS NOT NULL, u.pending_email, u.date_joined, "
    "u.last_login"
)
ONE = f"SELECT {FIELDS} FROM users u JOIN user_profiles p ON p.user_id = u.id WHERE u.id = %s"
# Limit before the join, because otherwise PostgreSQL may merge from the first profile on.
LIST = (
    f"SELECT {FIELDS} FROM (SELECT * FROM users WHERE id > %s ORDER BY id LIMIT {PAGE}) u"
    " JOIN user_profiles p ON p.user_id = u.id ORDER BY u.id"
)

app = Flask(__name__)
pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=8, open=True, kwargs={"autocommit": True})


def rows(statement, *parameters):
    with pool.connection() as connection:
        return connection.execute(statement, parameters).fetchall()


def caller() -> int:
    header = request.headers.get("Authorization", "")
    if not header.startswith("Bearer "):
        abort(401)
    return int(checked(header[7:])["sub"])


def checked(token: str) -> dict:
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        abort(401)


def document(row) -> dict:
    profile = dict(zip(("title", "dob", "address", "country", "city", "zip"), row[5:11], strict=True))
    profile["dob"] = profile["dob"].isoformat()
    return {
        "url": f"http://127.0.0.1:8000/users/{row[0]}/",
        "id": row[0],
        "email": row[1],
        "username": row[2],
        "first_name": row[3],
        "last_name": row[4],
        "profile": profile,
        "is_active": row[11],
        "is_staff": row[12],
        "is_superuser": row[13],
        "email_verified": row[14],
        "pending_email": row[15],
        "date_joined": row[16].isoformat(),
        "last_login": row[17] and row[17].isoformat(),
    }


@app.get("/me")
def me() -> Response:
    found = rows(ONE, caller())
    if not found:
        abort(401)
    return jsonify(document(found[0]))


@app.get("/users")
def users() -> Response:
    caller()
    return jsonify({"results": [document(row) for row in rows(LIST, int(request.args.get("after", 0)))]})


@app.post("/verify")
def verify() -> Response:
    return jsonify(checked(request.get_json()["token"]))


@app.post("/token")
def token() -> Response:
    """Return a token without checking the password: this is a baseline, not a service."""
    number = int(request.get_json()["email"].removeprefix("user").partition("@")[0])
    return jsonify({"access": jwt.encode({"sub": str(number), "exp": int(time.time()) + 3600}, SECRET, "HS256")})
