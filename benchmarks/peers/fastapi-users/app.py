"""fastapi-users with SQLAlchemy's asyncio layer, asyncpg and the JWT strategy."""

# ruff: noqa: B008 - FastAPI declares dependencies as calls in defaults

import os
import uuid
from collections.abc import AsyncIterator
from datetime import date, datetime

import jwt
import sqlalchemy as sa
from fastapi import Depends, FastAPI, HTTPException
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users.jwt import decode_jwt
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SECRET = os.environ["SECRET_KEY"]
PAGE = 50


class Base(DeclarativeBase):
    pass


class Profile(Base):
    __tablename__ = "profile"

    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("user.id", ondelete="cascade"), primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(5))
    dob: Mapped[date]
    address: Mapped[str] = mapped_column(sa.String(255))
    country: Mapped[str] = mapped_column(sa.String(50))
    city: Mapped[str] = mapped_column(sa.String(50))
    zip: Mapped[str] = mapped_column(sa.String(5))


class User(SQLAlchemyBaseUserTableUUID, Base):
    username: Mapped[str | None] = mapped_column(sa.String(50))
    first_name: Mapped[str] = mapped_column(sa.String(150))
    last_name: Mapped[str] = mapped_column(sa.String(150))
    date_joined: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    profile: Mapped[Profile] = relationship(lazy="joined", cascade="all, delete-orphan")


class ProfileRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    title: str = Field(max_length=5)
    dob: date
    address: str = Field(max_length=255)
    country: str = Field(max_length=50)
    city: str = Field(max_length=50)
    zip: str = Field(max_length=5)


class ProfilePatch(BaseModel):
    title: str | None = Field(None, max_length=5)
    dob: date | None = None
    address: str | None = Field(None, max_length=255)
    country: str | None = Field(None, max_length=50)
    city: str | None = Field(None, max_length=50)
    zip: str | None = Field(None, max_length=5)


class UserRead(schemas.BaseUser[uuid.UUID]):
    first_name: str
    last_name: str
    profile: ProfileRead


class UserCreate(schemas.BaseUserCreate):
    first_name: str
    last_name: str
    profile: ProfileRead


class UserPatch(BaseModel):
    profile: ProfilePatch


class Page(BaseModel):
    next: uuid.UUID | None = None
    results: list[UserRead]


class Token(BaseModel):
    token: str


engine = create_async_engine(os.environ["DATABASE_URL"].replace("://", "+asyncpg://", 1), pool_size=8)
make_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


class UserDatabase(SQLAlchemyUserDatabase):
    async def create(self, create_dict):
        create_dict["profile"] = Profile(**create_dict["profile"])
        return await super().create(create_dict)


async def get_user_db(session: AsyncSession = Depends(get_session)):
    yield UserDatabase(session, User)


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def get_user_manager(user_db=Depends(get_user_db)):
    yield UserManager(user_db)


def get_jwt_strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


backend = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/jwt/login"),
    get_strategy=get_jwt_strategy,
)
fastapi_users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])
active_user = fastapi_users.current_user(active=True)
superuser = fastapi_users.current_user(active=True, superuser=True)

app = FastAPI()


@app.get("/users", response_model=Page)
async def list_users(
    after: uuid.UUID | None = None,
    _user: User = Depends(superuser),
    session: AsyncSession = Depends(get_session),
):
    select = sa.select(User).order_by(User.id).limit(PAGE)
    if after is not None:
        select = select.where(User.id > after)
    users = (await session.scalars(select)).all()
    return {"next": users[-1].id if users else None, "results": users}


@app.patch("/users/me/profile", response_model=UserRead)
async def patch_me(
    data: UserPatch,
    user: User = Depends(active_user),
    session: AsyncSession = Depends(get_session),
):
    for name, value in data.profile.model_dump(exclude_unset=True).items():
        setattr(user.profile, name, value)
    await session.commit()
    return user


@app.post("/auth/jwt/verify")
async def verify(data: Token):
    """fastapi-users has no such route; this checks the signature, as SimpleJWT does."""
    try:
        decode_jwt(data.token, SECRET, ["fastapi-users:auth"])
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error
    return {}


@app.post("/auth/jwt/refresh")
async def refresh(user: User = Depends(active_user), strategy: JWTStrategy = Depends(get_jwt_strategy)):
    """fastapi-users has no refresh tokens; a valid token is exchanged for a new one."""
    return await backend.login(strategy, user)


app.include_router(fastapi_users.get_auth_router(backend), prefix="/auth/jwt")
app.include_router(fastapi_users.get_register_router(UserRead, UserCreate), prefix="/auth")
app.include_router(fastapi_users.get_users_router(UserRead, schemas.BaseUserUpdate), prefix="/users")
