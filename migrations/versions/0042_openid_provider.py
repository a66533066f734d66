"""Clients of the OpenID provider, what users allow them, and their tokens.

Revision: 0042
Before it: 0041
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

TABLES = (
    "openid_device_grants",
    "openid_client_sessions",
    "openid_token_families",
    "openid_authorizations",
    "openid_consents",
    "openid_clients",
)


def client_of(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["client_id"], ["openid_clients.id"], name=f"fk_{table}_client_id_openid_clients", ondelete="CASCADE"
    )


def user_of(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "openid_clients",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("home_page", sa.String(1000), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("is_first_party", sa.Boolean(), nullable=False),
        sa.Column("redirect_uris", JSON, nullable=False),
        sa.Column("post_logout_redirect_uris", JSON, nullable=False),
        sa.Column("backchannel_logout_uri", sa.String(1000), nullable=True),
        sa.Column("origins", JSON, nullable=False),
        sa.Column("scopes", sa.String(500), nullable=False),
        sa.Column("grants", sa.String(200), nullable=False),
        sa.Column("resources", JSON, nullable=False),
        sa.Column("token_auth", sa.String(30), nullable=False),
        sa.Column("id_token_alg", sa.String(10), nullable=False),
        sa.Column("requires_pkce", sa.Boolean(), nullable=False),
        sa.Column("claims_in_id_token", sa.Boolean(), nullable=False),
        sa.Column("requires_par", sa.Boolean(), nullable=False),
        sa.Column("secret_digest", sa.String(64), nullable=True),
        sa.Column("previous_secret_digest", sa.String(64), nullable=True),
        sa.Column("previous_secret_until", MOMENT, nullable=True),
        sa.Column("maker_id", ROW_ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_openid_clients"),
        sa.ForeignKeyConstraint(
            ["maker_id"], ["users.id"], name="fk_openid_clients_maker_id_users", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_openid_clients_maker_id", "openid_clients", ["maker_id"])
    op.create_table(
        "openid_consents",
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(500), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "client_id", name="pk_openid_consents"),
        user_of("openid_consents"),
        client_of("openid_consents"),
    )
    op.create_index("ix_openid_consents_client_id", "openid_consents", ["client_id"])
    op.create_table(
        "openid_authorizations",
        sa.Column("handle_digest", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("is_pushed", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("session_version", sa.Integer(), nullable=True),
        sa.Column("scopes", sa.String(500), nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("code_digest", sa.String(64), nullable=True),
        sa.Column("code_expires_at", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("family_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("handle_digest", name="pk_openid_authorizations"),
        sa.UniqueConstraint("code_digest", name="uq_openid_authorizations_code_digest"),
        client_of("openid_authorizations"),
        user_of("openid_authorizations"),
    )
    for column in ("client_id", "expires_at", "user_id"):
        op.create_index(f"ix_openid_authorizations_{column}", "openid_authorizations", [column])
    op.create_table(
        "openid_token_families",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("session_version", sa.Integer(), nullable=True),
        sa.Column("is_offline", sa.Boolean(), nullable=False),
        sa.Column("scopes", sa.String(500), nullable=False),
        sa.Column("resource", sa.String(1000), nullable=True),
        sa.Column("auth_time", MOMENT, nullable=True),
        sa.Column("amr", sa.String(60), nullable=True),
        sa.Column("sid", sa.String(43), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("refresh_jti", sa.Uuid(), nullable=True),
        sa.Column("previous_jti", sa.Uuid(), nullable=True),
        sa.Column("refreshed_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_openid_token_families"),
        client_of("openid_token_families"),
        user_of("openid_token_families"),
    )
    for column in ("client_id", "expires_at", "user_id"):
        op.create_index(f"ix_openid_token_families_{column}", "openid_token_families", [column])
    op.create_table(
        "openid_client_sessions",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("sid", sa.String(43), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "client_id", name="pk_openid_client_sessions"),
        client_of("openid_client_sessions"),
    )
    for column in ("client_id", "expires_at", "user_id"):
        op.create_index(f"ix_openid_client_sessions_{column}", "openid_client_sessions", [column])
    op.create_table(
        "openid_device_grants",
        sa.Column("device_digest", sa.String(64), nullable=False),
        sa.Column("user_code", sa.String(8), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(500), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("polled_at", MOMENT, nullable=True),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("session_version", sa.Integer(), nullable=True),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("denied_at", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("address", sa.String(45), nullable=True),
        sa.Column("user_agent", sa.String(255), nullable=True),
        sa.PrimaryKeyConstraint("device_digest", name="pk_openid_device_grants"),
        sa.UniqueConstraint("user_code", name="uq_openid_device_grants_user_code"),
        client_of("openid_device_grants"),
        user_of("openid_device_grants"),
    )
    for column in ("client_id", "expires_at", "user_id"):
        op.create_index(f"ix_openid_device_grants_{column}", "openid_device_grants", [column])


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
